"""Evidence -> the sections of a report: what each table and figure is, in words."""

from __future__ import annotations

import pandas as pd

from bench import stats
from bench.report import breakeven, controls, cost, quality, scaling, speedups, style, table
from bench.report.document import Link, Picture, Section, Table, Text
from bench.report.evidence import Evidence
from bench.report.lidar.verdicts import verdicts
from bench.report.saved import saved

VERDICTS = (
    "Each claim of the paper (arXiv 2602.03211), then what it leaves open. Published figures stand "
    "beside measured ones; brackets are 95% intervals over prompts. Where a method has several "
    "cells its typical one speaks: its settings are the most common among them, whatever they "
    "scored."
)
TASKS = (
    "Share of images correct [95% interval, Wilson's, over prompts]: at 0 and at 1 it still has a "
    "width."
)
SPEEDUPS = (
    "How many times cheaper LiDAR is, read off the cost–quality frontiers of both sweeps: at the "
    "best GenEval that the other method attains, and the other way round at LiDAR's best. “Not "
    "reached”: one of them does not attain that quality at any swept budget. “≥”: its cheapest "
    "setting is already better. The plain ratio is that of the typical settings' costs, whatever "
    "the quality."
)
CONTROLS = (
    "GenEval of each method's typical cell, and of all of LiDAR's, less what a control attains for "
    "the same cost [95% interval]; “tie” where the interval covers 0. Between two settings of the "
    "control its GenEval is linear in log cost. Where no setting of the control costs as much (or "
    "as little), give or take a twentieth, its nearest one stands in: a cheaper control that wins "
    "would win at the same cost too, one that loses says nothing."
)
COSTS = (
    "Up and to the left is better. Cost is relative to vanilla sampling by the same target solver "
    "and steps, timed on the same prompts beside the method. Lines are frontiers: the best GenEval "
    "for at most each cost, where a method's budget was swept."
)
BREAK_EVEN = (
    "Smallest number of images a prompt from which LiDAR, its lookahead drawn once for all of "
    "them, is cheaper than the method [95% interval, Fieller's]; in units of vanilla's seconds on "
    "the same prompt. “Never”: its images cost no less."
)


def verdict_section(evidence: Evidence) -> Section:
    """The claims, their verdicts, and by which criterion each was reached."""
    found = verdicts(evidence)
    shown = pd.DataFrame(
        [
            {
                "no.": v.claim.number,
                "claim": v.claim.text,
                "published": v.claim.published,
                "measured here": v.measured,
                "verdict": v.outcome,
                "why not": v.reason,
            }
            for v in found
        ]
    )
    rules = pd.DataFrame([{"no.": v.claim.number, "criterion": v.claim.criterion} for v in found])
    words = ("claim", "published", "measured here", "verdict", "why not")
    return Section(
        "Verdicts",
        (
            Table("verdicts", shown, VERDICTS, prose=words),
            Table("criteria", rules, "By what each verdict is reached.", prose=("criterion",)),
        ),
    )


def result_section(evidence: Evidence, about: str) -> Section:
    """Every cell with its estimates, beside the paper's figures where it has such a row."""
    results, summary = evidence.results, evidence.summary
    shown = table.result_display(results, summary, published=evidence.paper)
    settings = pd.DataFrame(results.cells.settings.to_list(), index=results.cells.index)
    known = ["backbone", "experiment", "seed", "steps", "solver", "images", "code"]
    coverage = ["done", "failed", "total", "images_done", "images_total"]
    full = summary.join(evidence.paper.add_prefix("paper."))
    full = full.join(results.cells[[*known, *coverage]]).join(settings.add_prefix("set."))
    links = tuple(links_of(evidence, str(cell)) for cell in summary.index)
    return Section("Results", (Table("results", shown, about, full.reset_index(), links=links),))


def links_of(evidence: Evidence, cell: str) -> tuple[Link, ...]:
    """A cell's records and config, relative to the results folder."""
    folder = evidence.results.cells.path[cell].relative_to(evidence.results.folder).as_posix()
    return tuple(Link(name.split(".")[0], f"{folder}/{name}") for name in FILES)


FILES = ("records.jsonl", "config.yaml")


def task_section(evidence: Evidence, coverage: str) -> list[Section]:
    """GenEval by task; none where nothing was judged."""
    if evidence.by_task.empty:
        return []
    shown = table.tasks_display(evidence.by_task)
    part = Table("tasks", shown, f"{TASKS} {coverage}", evidence.by_task)
    return [Section("GenEval by task", (part,))]


def seed_section(evidence: Evidence) -> list[Section]:
    """Cells of several seeds; none where there is one seed."""
    if evidence.seeds.empty:
        return []
    rows = [
        {
            "method": row.method,
            "seeds": str(row.seeds),
            "GenEval [95%]": f"{row.pooled:.3f} [{row.low:.3f}, {row.high:.3f}]",
            "deviation between seeds": f"{row.deviation:.3f}",
        }
        for row in evidence.seeds.itertuples()
    ]
    text = "GenEval over the images of all seeds: prompts stay the unit, seeds are pooled in each."
    return [Section("Seeds", (Table("seeds", pd.DataFrame(rows), text, evidence.seeds),))]


def comparison_section(evidence: Evidence) -> Section:
    """Speedups at matched quality, controls at matched cost, break-even."""
    label = evidence.results.cells.label
    parts: list[Table | Text] = []
    if evidence.speedups:
        rows = [
            {
                "method": s.method,
                "LiDAR faster, at the method's best GenEval": speedups.said(s.faster, s.reason),
                "method faster, at LiDAR's best GenEval": speedups.said(s.reverse, s.reason),
                "plain ratio": spelled(s.plain, "{:.2f}×"),
                "settings, LiDAR / method": " / ".join(str(len(group)) for group in s.cells),
                "prompts timed": str(s.timed) if s.timed else table.NONE,
            }
            for s in evidence.speedups
        ]
        words = tuple(rows[0])[1:3]
        parts.append(Table("speedups", pd.DataFrame(rows), SPEEDUPS, prose=words))
    else:
        parts.append(Text("No speedups: there is no finished cell of lidar beside another."))
    if evidence.controls:
        frame = pd.DataFrame({c: {} for c in controls.CONTROLS.values()}, dtype=str)
        timed: dict[str, int] = {}
        for one in evidence.controls:
            frame.loc[label[one.cell], controls.CONTROLS[one.control]] = controls.said(one)
            if one.timed:
                timed[label[one.cell]] = min(one.timed, timed.get(label[one.cell], one.timed))
        frame = frame.dropna(axis=1, how="all").fillna(table.NONE)
        words = tuple(frame.columns)
        frame["prompts timed"] = [str(timed.get(name, table.NONE)) for name in frame.index]
        shown = frame.rename_axis("method").reset_index()
        parts.append(Table("controls", shown, CONTROLS, prose=words))
    else:
        parts.append(
            Text("No controls: no timed Best-of-N, best of lookahead or vanilla of more steps.")
        )
    if evidence.break_evens:
        rows = [
            {"method": label[cell], "LiDAR is cheaper": breakeven.said(found),
             "prompts timed": str(found.prompts)}
            for cell, found in evidence.break_evens.items()
        ]  # fmt: skip
        parts.append(Table("break_even", pd.DataFrame(rows), BREAK_EVEN))
    else:
        parts.append(Text("No break-even: LiDAR and another method were not timed together."))
    return Section("Matched comparisons", tuple(parts))


def figure_section(evidence: Evidence, coverage: str) -> Section:
    """Every figure; those that the cells do not allow are admitted."""
    results, summary = evidence.results, evidence.summary
    looks = style.looks(summary)
    typical = set(summary.label[summary.typical])
    few = evidence.by_task[evidence.by_task.label.isin(typical)]
    made = (
        *((name, f"GenEval against cost{of}", figure, COSTS)
          for name, of, figure in cost.by_target(results, summary, looks)),
        ("speedup", "LiDAR's speedup", saved(evidence.speedups),
         "At matched quality where both budgets were swept, and the plain ratio at typical "
         "settings: with a smaller budget a method would be cheaper and perhaps as good."),
        ("phases", "Cost by phase", cost.phases(summary),
         "prepare: text and lookahead samples; annotate: their rewards; denoise: the steered "
         "sampling; decode: the delivered images."),
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
    pictures = (Picture(n, head, f"{text} {coverage}", fig) for n, head, fig, text in made)
    return Section("Figures", tuple(pictures))


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
    return Section("Provenance", (part,))


def spelled(value: stats.Interval, form: str) -> str:
    """ "2.0× [1.8×, 2.3×]"; a dash where it was not measured."""
    if value.value != value.value:
        return table.NONE
    ends = ", ".join(form.format(end) for end in (value.low, value.high)) if value.known else "–"
    return f"{form.format(value.value)} [{ends}]"
