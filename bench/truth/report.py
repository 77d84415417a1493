"""report.md of cells on the mixture: the table of methods, estimator errors, and what they say."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd
from rich.console import Console

from bench.report import markdown, style, table
from bench.truth import figures
from bench.truth.findings import findings
from bench.truth.read import Truth, load, probed

SAMPLE = "One problem (the first separated one): samples over the target's contours; the number is "


def build(folder: Path, show: bool = False, only: Collection[str] | None = None) -> Path:
    """Write tables, figures and report.md into ``folder``; returns the path of report.md."""
    truth = load(folder, only)
    summary, errors = summarize(truth), probed(truth.probes)
    summary.to_csv(folder / "table.csv", index=False)
    errors.to_csv(folder / "estimators.csv", index=False)
    lines = markdown.table(display(summary))
    (folder / "table.md").write_text(lines, encoding="utf-8")
    page = [f"# {folder.name}: every method where the target is known\n", *intro(truth)]
    page += ["\n## What it says\n", *(f"- {line}" for line in findings(summary, errors))]
    page += ["\n## Methods\n", CAPTION, "", lines, *draw(truth, errors)]
    path = folder / "report.md"
    path.write_text("\n".join(page), encoding="utf-8")
    if show:
        console = Console()
        table.show(display(summary, brief=True), f"{folder.name}: distance over its floor", console)
        for line in [*truth.notes, *findings(summary, errors)]:
            console.print(f"- {line}", markup=False, highlight=False)
    return path


CAPTION = (
    "Distances to the exact tilted target, over their finite-sample floor (the mean distance "
    "between two exact sets of the same size): 1 is a perfect sampler. Means over problems, in "
    "brackets the lowest and the highest problem. Reward: mean less the "
    "target's mean; above 0 is more reward than was asked for. The other score, which did not "
    "guide, likewise. Spread: mean squared distance between samples, over the target's. ESS: mean "
    "effective sample size at the weighings. Calls are per delivered sample, forward / backward."
)


def intro(truth: Truth) -> list[str]:
    cells = truth.cells
    lines = [
        "Gaussian mixtures with a closed-form reward: posterior mean, expected future reward and "
    ]
    lines[0] += "tilted target are exact, so nothing here rests on a judge."
    lines += [f"- {markdown.escape(note)}" for note in truth.notes]
    if not cells.empty:
        row, solver = cells.iloc[0], cells.solver.mode().iloc[0]
        lines.append(
            f"\n{row.total} problems, {row.images} samples each; target solver {solver} in "
            f"{row.steps} steps where no other is named."
        )
    return lines


def summarize(truth: Truth) -> pd.DataFrame:
    """One row a sampling cell: means over its problems; distances also ``.low`` and ``.high``."""
    rows = []
    for cell, row in truth.cells.iterrows():
        own = truth.methods[truth.methods.cell == cell]
        if own.empty:
            continue
        found = {"label": row.label, "method": row.method, "cell": cell, "problems": len(own)}
        found["coverage"] = row.coverage
        for name in ("w2", "mmd"):
            values = own[name]
            found |= {name: float(values.mean()), f"{name}.low": float(values.min())}
            found[f"{name}.high"] = float(values.max())
        means = [c for c in own if c.startswith(("judge.", "calls."))]
        for name in ("reward", "diversity", "ess", "seconds", *means):
            found[name] = float(own[name].mean())
        rows.append(found)
    return pd.DataFrame(rows)


def display(summary: pd.DataFrame, brief: bool = False) -> pd.DataFrame:
    """The table's text, best first."""
    if summary.empty:
        return summary
    ordered = summary.sort_values("w2")
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
                cells[judge.removeprefix("judge.")] = table.number(row[judge], "{:+.2f}")
            cells["ESS"] = table.number(row.ess, "{:.0f}")
        for head in ("denoiser", "reward"):
            if not brief or head == "denoiser":
                calls = [row[f"calls.{head}"], row[f"calls.{head}_backward"]]
                cells[f"{head} calls"] = " / ".join(f"{c:.4g}" for c in calls)
        return cells

    return pd.DataFrame([text(row) for _, row in ordered.iterrows()])


def draw(truth: Truth, errors: pd.DataFrame) -> Iterator[str]:
    """Write the figures; their Markdown, with a line for each that the cells do not allow."""
    made = (
        (
            "efr_error.png",
            "Estimators against λ",
            figures.against_scale(errors),
            "The paper's figure 8 (right), with the exact value for V: along trajectories of the "
            "prior, squared error of the value summed over steps, and error of the posterior "
            "mean's shift.",
        ),
        (
            "dimension.png",
            "Estimators against the dimension",
            figures.against_dimension(errors),
            "The same problems in more dimensions: what a fixed number of samples is worth there.",
        ),
        (
            "convergence.png",
            "LiDAR against n and δ",
            figures.convergence(errors),
            "Relative error of LiDAR's shift along trajectories of the prior.",
        ),
        ("samples.png", "Samples", figures.samples(truth), SAMPLE + "W2 over its floor."),
    )
    for name, head, figure, text in made:
        (truth.folder / name).unlink(missing_ok=True)
        if figure is None:
            yield f"\nNo figure “{head}”: the cells hold no measurement for it."
        else:
            style.save(figure, truth.folder / name)
            yield f"\n## {head}\n\n{text}\n\n![{head}]({name})"
