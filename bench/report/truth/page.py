"""The report of cells on the mixture: the methods, the estimators' errors, and what they say."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from bench.report import table
from bench.report.document import Bullets, Document, Part, Picture, Report, Section, Table, Text
from bench.report.truth import figures
from bench.report.truth.findings import findings
from bench.report.truth.read import Truth, load, probed

ABOUT = (
    "Gaussian mixtures with a closed-form reward: posterior mean, expected future reward and "
    "tilted target are exact, so nothing here rests on a judge."
)
CAPTION = (
    "Distances to the exact tilted target, over their finite-sample floor (the mean distance "
    "between two exact sets of the same size): 1 is a perfect sampler. Means over problems, in "
    "brackets the lowest and the highest problem. Reward: mean less the "
    "target's mean; above 0 is more reward than was asked for. The other score, which did not "
    "guide, likewise. Spread: mean squared distance between samples, over the target's. ESS: mean "
    "effective sample size at the weighings. Calls are per delivered sample, forward / backward."
)


ERRORS = (
    "Means over the trajectories of all problems. Value: Σ (V − V̂)² along a trajectory. Shift: "
    "error of the posterior mean's shift over the exact shift's size."
)


def report(folder: Path, only: Collection[str] | None = None) -> Report:
    """Of these cells, None for all there are. Raises ValueError where there is no cell."""
    truth = load(folder, only)
    summary, errors = summarize(truth), probed(truth.probes)
    document = compose(truth, summary, errors)
    title = f"{folder.name}: distance over its floor"
    lines = (*truth.notes, *findings(summary, errors))
    return Report(document, display(summary, brief=True), title, lines)


def compose(truth: Truth, summary: pd.DataFrame, errors: pd.DataFrame) -> Document:
    """The whole report as data."""
    facts = {}
    if not truth.cells.empty:
        row, solver = truth.cells.iloc[0], truth.cells.solver.mode().iloc[0]
        facts = {
            "problems": str(row.total),
            "samples a problem": str(row.images),
            "target solver": f"{solver}, {row.steps} steps, where no other is named",
        }
    said = tuple(findings(summary, errors))
    body = (
        Section("What it says", (Text(ABOUT), Bullets(said))),
        Section("Methods", (method_table(summary),)),
        Section("Estimators", (error_table(errors),)),
        Section("Figures", draw(truth, errors)),
    )
    title = f"{truth.folder.name}: every method where the target is known"
    return Document(title, facts, truth.notes, body)


def method_table(summary: pd.DataFrame) -> Table | Text:
    """Every sampling cell, best first."""
    if summary.empty:
        return Text("No cell samples: estimators alone were probed.")
    ordered = summary.sort_values("w2")
    return Table("methods", display(ordered), CAPTION, ordered)


def error_table(errors: pd.DataFrame) -> Table | Text:
    """Every estimator that was probed, at each λ and dimension."""
    if errors.empty:
        return Text("No estimator was probed.")
    shown = [
        {
            "estimator": row.label,
            "λ": f"{row.scale:g}",
            "dimension": str(row.dimension),
            "value": f"{row.value:.3g}",
            "shift": f"{row.shift:.3f}",
        }
        for row in errors.itertuples()
    ]
    return Table("estimators", pd.DataFrame(shown), ERRORS, errors)


def summarize(truth: Truth) -> pd.DataFrame:
    """One row a sampling cell: means over its problems; distances also ``.low`` and ``.high``."""
    if truth.methods.empty:
        return pd.DataFrame()
    problems = truth.methods.groupby("cell", sort=False)
    found = problems.mean(numeric_only=True).drop(columns="index")
    for name in ("w2", "mmd"):
        found[f"{name}.low"], found[f"{name}.high"] = problems[name].min(), problems[name].max()
    about = truth.cells[["label", "method", "coverage"]].join(problems.size().rename("problems"))
    return about.join(found, how="inner").reset_index()


def display(summary: pd.DataFrame, brief: bool = False) -> pd.DataFrame:
    """The table's text, best first."""
    if summary.empty:
        return summary
    judges = [c for c in summary if c.startswith("judge.")]

    def text(row: pd.Series) -> dict[str, str]:
        spread = f"{row.w2:.2f} [{row['w2.low']:.2f}, {row['w2.high']:.2f}]"
        cells = {
            "method": row.label + (" *" if row.coverage else ""),
            "W2 / floor [range]": spread,
            "MMD / floor": f"{row.mmd:.2f}",
            "reward": f"{row.reward:+.2f}",
            "spread": f"{row.diversity:.2f}",
        }
        if not brief:
            for judge in judges:
                cells[judge.removeprefix("judge.")] = table.number(row, judge, "{:+.2f}")
            cells["ESS"] = table.number(row, "ess", "{:.0f}")
        for head in ("denoiser", "reward"):
            if not brief or head == "denoiser":
                calls = [row[f"calls.{head}"], row[f"calls.{head}_backward"]]
                cells[f"{head} calls"] = " / ".join(f"{c:.4g}" for c in calls)
        return cells

    return pd.DataFrame([text(row) for _, row in summary.sort_values("w2").iterrows()])


def draw(truth: Truth, errors: pd.DataFrame) -> tuple[Part, ...]:
    """The figures; those that the cells do not allow are named in one sentence."""
    made = (
        ("efr_error", "Estimators against λ", figures.against_scale(errors),
         "The paper's figure 8 (right), with the exact value for V: along trajectories of the "
         "prior, squared error of the value summed over steps, and error of the posterior mean's "
         "shift."),
        ("dimension", "Estimators against the dimension", figures.against_dimension(errors),
         "The same problems in more dimensions: what a fixed number of samples is worth there."),
        ("convergence", "LiDAR against n and δ", figures.convergence(errors),
         "Relative error of LiDAR's shift along trajectories of the prior."),
        ("samples", "Samples", figures.samples(truth),
         "One problem (the first separated one): samples over the target's contours; the number is "
         "W2 over its floor."),
    )  # fmt: skip
    pictures = [Picture(n, head, text, fig) for n, head, fig, text in made if fig is not None]
    absent = [head for _, head, figure, _ in made if figure is None]
    told = [Text(f"No figure, for lack of such cells: {', '.join(absent)}.")] if absent else []
    return (*pictures, *told)
