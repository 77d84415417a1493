"""The report where the target is known: the methods, the estimators' errors, and what they say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.report import table
from bench.report.document import Bullets, Document, Part, Picture, Report, Section, Table, Text
from bench.report.truth import figures
from bench.report.truth.findings import findings, rules
from bench.report.truth.read import Truth, load, probed
from bench.report.truth.worlds import MIXTURE, World

CAPTION = (
    "Distances to the exact tilted target, over their finite-sample floor ({floor}): 1 is a "
    "perfect sampler. Means over problems, in "
    "brackets the lowest and the highest problem. Reward: mean less the "
    "target's mean; above 0 is more reward than was asked for. The other score, which did not "
    "guide, likewise. Spread: {spread} between samples, over the target's. ESS: mean "
    "effective sample size at the weighings. Calls are per delivered sample, forward / backward."
)
ERRORS = (
    "Means over the trajectories of all problems. Value: Σ (V − V̂)² along a trajectory. Shift: "
    "error of the posterior mean's shift over the exact shift's size."
)


def report(folder: Path, only: Collection[str] | None = None) -> Report:
    """Of these cells, None for all there are. Raises ValueError where there is no cell."""
    worlds = [Known.of(truth) for truth in load(folder, only)]
    alone = len(worlds) == 1
    brief = [
        known.brief() if alone else known.brief().assign(world=known.truth.world.kind)
        for known in worlds
    ]
    title = f"{folder.name}: distance over its floor"
    lines = tuple(line for known in worlds for line in known.said(alone))
    return Report(
        compose(folder, worlds), pd.concat(brief), title, (*worlds[0].truth.notes, *lines)
    )


@dataclass(frozen=True)
class Known:
    """What was measured in a world: ``summary`` of its methods, ``errors`` of its estimators."""

    truth: Truth
    summary: pd.DataFrame
    errors: pd.DataFrame

    @classmethod
    def of(cls, truth: Truth) -> Known:
        return cls(truth, summarize(truth), probed(truth.probes))

    def said(self, alone: bool = True) -> tuple[str, ...]:
        """The findings, each with the world's name before it where it is not ``alone``."""
        world, truth = self.truth.world, self.truth
        found = (*findings(self.summary, self.errors, world), *rules(truth.cells, truth.methods))
        return found if alone else tuple(f"{world.kind}: {line}" for line in found)

    def brief(self) -> pd.DataFrame:
        return display(self.summary, self.truth.world, brief=True)

    def facts(self) -> dict[str, str]:
        if (cells := self.truth.cells).empty:
            return {}
        row, solver = cells.iloc[0], cells.solver.mode().iloc[0]
        return {
            "problems": str(row.total),
            "samples a problem": str(row.images),
            "target solver": f"{solver}, {row.steps} steps, where no other is named",
        }


def compose(folder: Path, worlds: Sequence[Known]) -> Document:
    """The whole report as data."""
    several = len(worlds) > 1
    facts: dict[str, str] = {}
    said: list[Part] = []
    body: list[Section] = []
    for known in worlds:
        world, of = known.truth.world, f" on {known.truth.world.kind}" if several else ""
        facts |= {f"{key}{of}": value for key, value in known.facts().items()}
        said += [Text(world.about), Bullets(known.said())]
        body += [
            Section(f"Methods{of}", (method_table(known.summary, world),)),
            Section(f"Estimators{of}", (error_table(known.errors, world),)),
            Section(f"Figures{of}", draw(known.truth, known.errors)),
        ]
    title = f"{folder.name}: every method where the target is known"
    sections = (Section("What it says", tuple(said)), *body)
    return Document(title, facts, worlds[0].truth.notes, sections)


def method_table(summary: pd.DataFrame, world: World) -> Table | Text:
    """Every sampling cell, best first."""
    if summary.empty:
        return Text("No cell samples: estimators alone were probed.")
    ordered = summary.sort_values(world.main)
    caption = CAPTION.format(floor=world.floor, spread=world.spread)
    return Table(f"methods{world.mark}", display(ordered, world), caption, ordered)


def error_table(errors: pd.DataFrame, world: World) -> Table | Text:
    """Every estimator that was probed, at each λ and dimension."""
    if errors.empty:
        return Text("No estimator was probed.")
    shown = [
        {
            "estimator": row.label,
            "λ": f"{row.scale:g}",
            world.size: str(row.dimension),
            "value": f"{row.value:.3g}",
            "shift": f"{row.shift:.3f}",
        }
        for row in errors.itertuples()
    ]
    return Table(f"estimators{world.mark}", pd.DataFrame(shown), ERRORS, errors)


def summarize(truth: Truth) -> pd.DataFrame:
    """One row a sampling cell: means over its problems; distances also ``.low`` and ``.high``."""
    if truth.methods.empty:
        return pd.DataFrame()
    problems = truth.methods.groupby("cell", sort=False)
    found = problems.mean(numeric_only=True).drop(columns="index")
    for name in filter(found.columns.__contains__, truth.world.distances):
        found[f"{name}.low"], found[f"{name}.high"] = problems[name].min(), problems[name].max()
    about = truth.cells[["label", "method", "coverage"]].join(problems.size().rename("problems"))
    return about.join(found, how="inner").reset_index()


def display(summary: pd.DataFrame, world: World, brief: bool = False) -> pd.DataFrame:
    """The table's text, best first."""
    if summary.empty:
        return summary
    main, *others = world.distances
    name = "distance" if brief else world.distances[main]
    judges = [c for c in summary if c.startswith("judge.")]

    def text(row: pd.Series) -> dict[str, str]:
        low, high = row[f"{main}.low"], row[f"{main}.high"]
        cells = {
            "method": row.label + (" *" if row.coverage else ""),
            f"{name} / floor [range]": f"{row[main]:.2f} [{low:.2f}, {high:.2f}]",
        }
        if not brief:
            known = [other for other in others if other in summary]
            cells |= {f"{world.distances[other]} / floor": f"{row[other]:.2f}" for other in known}
        cells |= {"reward": f"{row.reward:+.2f}", "spread": f"{row.diversity:.2f}"}
        if not brief:
            for judge in judges:
                cells[judge.removeprefix("judge.")] = table.number(row, judge, "{:+.2f}")
            cells["ESS"] = table.number(row, "ess", "{:.0f}")
        for head in ("denoiser", "reward"):
            if not brief or head == "denoiser":
                calls = [row[f"calls.{head}"], row[f"calls.{head}_backward"]]
                cells[f"{head} calls"] = " / ".join(f"{c:.4g}" for c in calls)
        return cells

    return pd.DataFrame([text(row) for _, row in summary.sort_values(main).iterrows()])


def draw(truth: Truth, errors: pd.DataFrame) -> tuple[Part, ...]:
    """The figures; those that the cells do not allow are named in one sentence."""
    world, size = truth.world, truth.world.size
    made = [
        ("efr_error", "Estimators against λ", figures.against_scale(errors),
         "The paper's figure 8 (right), with the exact value for V: along trajectories of the "
         "prior, squared error of the value summed over steps, and error of the posterior mean's "
         "shift."),
        (size, f"Estimators against the {size}", figures.against_size(errors, size),
         f"The same problems in more {world.unit}: what a fixed number of samples is worth there."),
        ("convergence", "LiDAR against n and δ", figures.convergence(errors),
         "Relative error of LiDAR's shift along trajectories of the prior."),
    ]  # fmt: skip
    if world is MIXTURE:
        contours = (
            "One problem (the first separated one): samples over the target's contours; the number "
            "is W2 over its floor."
        )
        made.append(("samples", "Samples", figures.samples(truth), contours))
    mark = world.mark
    pictures = [
        Picture(f"{n}{mark}", head, text, fig) for n, head, fig, text in made if fig is not None
    ]
    absent = [head for _, head, figure, _ in made if figure is None]
    told = [Text(f"No figure, for lack of such cells: {', '.join(absent)}.")] if absent else []
    return (*pictures, *told)
