"""The report of a results folder of pictures: evidence -> document."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bench import stats
from bench.report import sections, table
from bench.report.axes import compared
from bench.report.axes_section import axes_section
from bench.report.contrasts_section import contrast_section
from bench.report.cost_section import cost_section
from bench.report.document import Bullets, Document, Report, Section
from bench.report.evidence import Evidence, gather
from bench.report.gallery import galleries
from bench.report.headline import headline
from bench.report.load import Results, load
from bench.report.notes import notes, untrained
from bench.report.verdict_section import claim_section, verdict_section

INTERVALS = (
    "Intervals are by Student's t over prompts, with standard errors from "
    f"{stats.DRAWS} bootstrap draws stratified by task, the same draws for every method that "
    "finished the same prompts; a task's own share has Wilson's interval"
)


def report(folder: Path, only: Collection[str] | None = None) -> Report:
    """Of these cells, None for all there are. Raises ValueError where there is no cell, or where
    the records make no sense."""
    results = load(folder, only)
    evidence = gather(results)
    every = notes(results, evidence.summary)
    document = compose(evidence, every)
    brief = table.result_display(results, evidence.summary, brief=True)
    facts = document.facts
    title = f"{folder.name}: backbone {facts['backbone']}, guiding reward {results.reward}"
    return Report(document, brief, title, (*document.headline, *every))


def compose(evidence: Evidence, every: Sequence[str]) -> Document:
    """The whole report as data, ``every`` note in it: first what was found, then what it rests
    on."""
    results, summary = evidence.results, evidence.summary
    partial = coverage(results)
    facts = {
        "backbone": str(results.cells.backbone.iloc[0]),
        "guiding reward": results.reward,
        "cells": str(len(results.cells)),
        "prompts": str(results.prompts["index"].nunique()),
        "images a prompt": ", ".join(map(str, sorted(set(results.cells.images)))),
        "coverage": "partial" if partial else "complete",
        "device": ", ".join(sorted(set(results.prompts.device))),
    }
    figures = sections.cost_figures(evidence)
    first, rest = figures[:1], figures[1:]
    grids = galleries(results)
    body = (
        *(Section(figure.title, (replace(figure, title=""),)) for figure in first),
        Section("Images", tuple(grids[:1])),
        sections.result_section(evidence, caption(results, summary)),
        contrast_section(evidence),
        verdict_section(evidence),
        claim_section(evidence),
        sections.score_section(evidence),
        sections.task_section(evidence),
        sections.seed_section(evidence),
        sections.figure_section(evidence, rest),
        sections.comparison_section(evidence),
        replace(axes_section([compared(results, summary)]), folded=True),
        cost_section(evidence),
        Section("More images", tuple(grids[1:]), folded=True),
        Section("Notes", (Bullets((*every, INTERVALS)),), folded=True),
        sections.provenance_section(evidence),
    )
    named = ", ".join(sorted(set(results.cells.experiment.astype(str))))
    warnings = (*untrained(results), *([partial] if partial else ()))
    shown = tuple(section for section in body if section.parts)
    return Document(named, facts, warnings, shown, headline(evidence))


def coverage(results: Results) -> str:
    """Which cells are not complete, in one sentence; empty where all are."""
    partial = results.cells[results.cells.coverage != ""]
    parts = [f"{row.label} {row.coverage}" for row in partial.itertuples()]
    return f"Not complete: {'; '.join(parts)}." if parts else ""


def caption(results: Results, summary: pd.DataFrame) -> str:
    """What the columns of the result table are, and over which prompts."""
    sizes = sorted({int(n) for n in summary["cost.prompts"] if n})
    timed = f"{'–'.join(map(str, {sizes[0]: 0, sizes[-1]: 0}))} timed" if sizes else "no timed"
    geneval = (
        "GenEval is the share of correct images, averaged over tasks; strict, by sure detections "
        "(0.9) alone and without an object beyond those asked for; clutter is the share of images "
        "with such an object. "
    )
    return (
        f"{geneval if results.quality == 'geneval' else ''}Brackets are 95% intervals over "
        "prompts; [–]: a task with a single prompt, so none. “Tie”: the interval of the paired "
        "difference to vanilla covers 0. Seconds are the median a prompt, their ratio to "
        f"vanilla's on {timed} prompts a cell, “busy machine” where other work slowed it (the "
        "notes say what shows it); calls of the denoiser, forward / backward, are "
        "means a prompt. A star: not all of its prompts are finished."
    )
