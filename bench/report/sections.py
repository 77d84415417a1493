"""Evidence -> the sections of a report: what each table and figure is, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bench.report import breakeven, controls, cost, quality, scaling, speedups, style, table
from bench.report.document import Part, Picture, Section, Table, Text
from bench.report.evidence import Evidence

TASKS = (
    "Share of images correct [95% interval, Wilson's, over prompts]: at 0 and at 1 it still has a "
    "width."
)
SPEEDUPS = (
    "How many times cheaper LiDAR is, read off the cost–quality frontiers of both sweeps: at the "
    "best quality ({0}) that the other method attains, and the other way round at LiDAR's best. "
    "“Not reached”: one of them does not attain that quality at any swept budget. “≥”: its "
    "cheapest setting is already better. The plain ratio is that of the typical settings' costs, "
    "whatever the quality."
)
CONTROLS = (
    "{0} of each method's typical cell, and of all of LiDAR's, less what a control attains for "
    "the same cost [95% interval]; “tie” where the interval covers 0. Between two settings of the "
    "control its quality is linear in log cost. Where no setting of the control costs as much (or "
    "as little), give or take a twentieth, its nearest one stands in: a cheaper control that wins "
    "would win at the same cost too, one that loses says nothing. Costs are in calls of the "
    "denoiser where too few prompts were timed, or the machine was busy. These comparisons are "
    "exploratory, and a tie is not equality."
)
FRONTIERS = (
    "Up and to the left is better. Cost is relative to vanilla sampling by the same target solver "
    "and steps; points of equal calls stand side by side. Hollow markers are controls, which guide "
    "nothing; the dotted line is vanilla. A line is the best {0} for at most each cost, where a "
    "method's budget was swept."
)
BREAK_EVEN = (
    "Smallest number of images a prompt from which LiDAR, its lookahead drawn once for all of "
    "them, is cheaper than the method [95% interval]; in units of vanilla's seconds on "
    "the same prompt. “Never”: its images cost no less."
)
UNEVEN = (
    " Not all cells have the same prompts, and some prompts are harder: how far a point lies from "
    "vanilla on its own prompts is in the table."
)
MOST_BARS = 40  # of a figure that a reader can take in
SCORES = (
    "P(better): the probability that a prompt of a random task comes out better than with vanilla, "
    "ties by half; 0.5 is no difference. Strict GenEval: sure detections alone (0.9), and no "
    "object beyond those asked for. Clutter: the share of images with such an object. Doubt: of "
    "how many objects an image the detector is unsure, such as ghosts and blurred ones. Distinct "
    "right: the share of images that are right and no copies of another of the prompt. Then the "
    "means of the other scores, and diversity; after each the change to vanilla on the same "
    "prompts [95% interval]. Broken images raise diversity too: the last column is its change over "
    "the n prompts on which both are all right."
)
FILES = ("records.jsonl", "config.yaml")


def result_section(evidence: Evidence, about: str) -> Section:
    """Every cell with its estimates, beside the paper's figures where it has such a row: a table
    for each vanilla cell that others are compared with, the one of most cells first."""
    results, summary = evidence.results, evidence.summary
    bases = pd.Series([results.references.get(str(c), "") for c in summary.index], summary.index)
    parts: list[Part] = []
    for place, base in enumerate(bases.value_counts().index):
        own = summary[bases == base]
        shown = table.result_display(results, own, published=evidence.paper)
        of = f"Compared with {summary.label[base]}. " if bases.nunique() > 1 and base else ""
        links = tuple(links_of(evidence, str(cell)) for cell in own.index)
        name = f"results_{place + 1}" if place else "results"
        full = everything(evidence).loc[own.index] if place else everything(evidence)
        text = f"{of}{'' if place else about}"
        parts.append(Table(name, table.varying(shown), text, full.reset_index(), links=links))
    return Section("Results", tuple(parts))


def everything(evidence: Evidence) -> pd.DataFrame:
    """What results.csv holds: the whole summary, settings and coverage of all cells."""
    results, summary = evidence.results, evidence.summary
    settings = pd.DataFrame(results.cells.settings.to_list(), index=results.cells.index)
    known = ["backbone", "experiment", "seed", "steps", "solver", "images", "code"]
    coverage = ["done", "failed", "total", "images_done", "images_total"]
    full = summary.join(evidence.paper.add_prefix("paper."))
    return full.join(results.cells[[*known, *coverage]]).join(settings.add_prefix("set."))


def score_section(evidence: Evidence) -> Section:
    """What else was measured of the images; empty where nothing was."""
    others = table.score_display(evidence.results, evidence.summary)
    parts = (Table("scores", others, SCORES),) if len(others.columns) > 1 else ()
    return Section("Every score", parts, folded=True)


def links_of(evidence: Evidence, cell: str) -> Mapping[str, str]:
    """A cell's records and config, relative to the results folder."""
    folder = evidence.results.cells.path[cell].relative_to(evidence.results.folder).as_posix()
    return {name.split(".")[0]: f"{folder}/{name}" for name in FILES}


def task_section(evidence: Evidence) -> Section:
    """GenEval by task; empty where nothing was judged."""
    if evidence.by_task.empty:
        return Section("GenEval by task", ())
    shown = table.tasks_display(evidence.by_task)
    part = Table("tasks", shown, TASKS, evidence.by_task)
    return Section("GenEval by task", (part,), folded=True)


def seed_section(evidence: Evidence) -> Section:
    """Cells of several seeds; empty where there is one seed."""
    seeds = evidence.seeds
    if seeds.empty:
        return Section("Seeds", ())
    shown = seeds[["method", "seeds"]].astype(str)
    shown["GenEval [95%]"] = [
        f"{r.pooled:.3f} [{r.low:.3f}, {r.high:.3f}]" for r in seeds.itertuples()
    ]
    shown["deviation between seeds"] = seeds.deviation.map("{:.3f}".format)
    text = "GenEval over the images of all seeds: prompts stay the unit, seeds are pooled in each."
    return Section("Seeds", (Table("seeds", shown, text, seeds),), folded=True)


def comparison_section(evidence: Evidence) -> Section:
    """Speedups at matched quality, controls at matched cost, break-even; one sentence says which of
    them there is nothing of."""
    label, axis = evidence.results.cells.label, evidence.results.axis
    parts: list[Part] = []
    absent = []
    if any(s.faster is not None for s in evidence.speedups):
        rows = [
            {
                "method": s.method,
                "LiDAR faster, at the method's best quality": speedups.said(s.faster, s.reason),
                "method faster, at LiDAR's best quality": speedups.said(s.reverse, s.reason),
                "plain ratio": table.spelled(s.plain, "{:.2f}×"),
                "settings, LiDAR / method": " / ".join(map(str, s.settings)),
                "prompts timed": _timed(s.timed),
            }
            for s in evidence.speedups
            if s.faster is not None or not np.isnan(s.plain.value)
        ]
        words = tuple(rows[0])[1:3]
        parts.append(Table("speedups", pd.DataFrame(rows), SPEEDUPS.format(axis), prose=words))
    else:
        absent.append("speedups (LiDAR and another method were not both swept in their budgets)")
    if any(c.difference is not None for c in evidence.controls):
        found = pd.DataFrame(
            [(label[c.cell], controls.CONTROLS[c.control], controls.said(c), c.timed)
             for c in evidence.controls],
            columns=["method", "control", "said", "timed"],
        )  # fmt: skip
        shown = found.pivot(index="method", columns="control", values="said")
        shown = shown[[c for c in controls.CONTROLS.values() if c in shown]].fillna(table.NONE)
        words = tuple(shown.columns)
        timed = found[found.timed > 0].groupby("method").timed.min()
        shown["prompts timed"] = [_timed(timed.get(name, 0)) for name in shown.index]
        shown = shown.loc[list(dict.fromkeys(found.method))].reset_index()
        parts.append(Table("controls", shown, CONTROLS.format(axis), prose=words))
    else:
        why = dict.fromkeys(c.reason for c in evidence.controls)
        none = "no timed Best-of-N, best of lookahead or vanilla of more steps"
        absent.append(f"controls ({', '.join(why) or none})")
    if evidence.break_evens:
        rows = [
            {"method": label[cell], "LiDAR is cheaper": breakeven.said(found),
             "prompts timed": str(found.prompts)}
            for cell, found in evidence.break_evens.items()
        ]  # fmt: skip
        parts.append(Table("break_even", pd.DataFrame(rows), BREAK_EVEN))
    else:
        absent.append("break-even (LiDAR and another method were not timed together)")
    if absent:
        parts.append(Text(f"Not here: {'; '.join(absent)}."))
    return Section("Matched comparisons", tuple(parts), folded=True)


def _timed(prompts: int) -> str:
    return str(prompts or "none: costs in calls")


def cost_figures(evidence: Evidence) -> list[Picture]:
    """Quality against cost, of each target solver and steps, the commonest first."""
    results, summary = evidence.results, evidence.summary
    found = cost.by_target(results, summary, style.looks(summary))
    uneven = results.cells.done[results.cells.done > 0].nunique() > 1
    text = FRONTIERS.format(results.axis) + (UNEVEN if uneven else "")
    return [
        Picture(name, f"{results.axis} against cost{of}", text, figure)
        for name, of, figure in found
        if figure is not None
    ]


def figure_section(evidence: Evidence, first: Sequence[Picture] = ()) -> Section:
    """``first``, and every other figure that the cells allow; those that they do not are named in
    one sentence."""
    results, summary = evidence.results, evidence.summary
    looks = style.looks(summary)
    typical = set(summary.label[summary.typical])
    few = evidence.by_task[evidence.by_task.label.isin(typical)]
    crowded = len(summary) > MOST_BARS
    barred = summary[summary.typical] if crowded else summary
    alone = " Of each method its typical cell; the table of costs has all." if crowded else ""
    made = (
        ("phases", "Cost by phase", cost.phases(barred, evidence.paper.get("ratio")),
         "prepare: text and lookahead samples; annotate: their rewards; denoise: the steered "
         f"sampling; decode: the delivered images.{alone}"),
        ("tasks", "Tasks", quality.by_task(few, looks),
         "GenEval by task, of each method's typical cell, with 95% intervals over prompts."),
        ("scaling", "Scaling with n and δ", scaling.scaling(results, summary, looks),
         "LiDAR over its lookahead's samples and steps, all else equal, beside its own best "
         "lookahead samples where they were swept too."),
        ("ablation", "Guidance scales", scaling.ablation(results, summary, looks),
         "Each method over its scale, all else equal."),
        ("hacking", "Reward against other judges",
         quality.hacking(summary, (results.reward, *evidence.judges), looks),
         "Changes relative to vanilla on the prompts that both finished. Right of 0 and below "
         "it: the guiding reward rose at that judge's expense."),
        ("diversity", "Diversity against reward",
         quality.diversity(summary, results.reward, looks),
         "Diversity is the mean squared distance between the normalized features of a prompt's "
         "images; 0 is one image delivered several times."),
    )  # fmt: skip
    pictures: list[Part] = [*first]
    pictures += [
        Picture(name, head, text, figure) for name, head, figure, text in made if figure is not None
    ]
    absent = [head for _, head, figure, _ in made if figure is None]
    if absent:
        pictures.append(Text(f"No figure, for lack of cells or measurements: {', '.join(absent)}."))
    return Section("Figures", tuple(pictures), folded=True)


def provenance_section(evidence: Evidence) -> Section:
    """Which cell stands behind each label, where and with what it was made."""
    results = evidence.results
    devices = results.prompts.groupby("cell").device.agg(lambda d: ", ".join(sorted(set(d))))
    rows, full = [], []
    for cell, row in results.cells.iterrows():
        weights = row.config.get("weights") or {}
        own = {
            "method": row.label,
            "cell": cell,
            "prompts": f"{row.done} of {row.total}",
            **{key: str(row[key]) for key in ("seed", "steps", "solver", "code")},
            "backbone's weights": str(weights.get("backbone", "unknown"))[:12],
            "device": devices.get(cell, table.NONE),
            "torch": str(row.config.get("torch", "unknown")),
        }
        rows.append(own)
        full.append(own | {f"weights.{k}": str(v) for k, v in weights.items()} | row.settings)
    text = (
        "A cell's id is a hash of what decides its result: settings, weights, prompts, seed, code. "
        "All settings and the digests of all weights are in the CSV file."
    )
    links = tuple(links_of(evidence, str(cell)) for cell in results.cells.index)
    words = ("cell", "code", "backbone's weights", "device", "torch", "solver")
    part = Table("provenance", pd.DataFrame(rows), text, pd.DataFrame(full), words, links)
    return Section("Provenance", (part,), folded=True)
