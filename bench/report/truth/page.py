"""The report where the target is known: the methods, the estimators' errors, and what they say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.report import table
from bench.report.document import Bullets, Document, Part, Picture, Report, Section, Table, Text
from bench.report.truth import figures, findings, sweep_figures
from bench.report.truth.curves import averaged
from bench.report.truth.knobs import Sweep, sweeps
from bench.report.truth.read import PERFECT, Truth, load, probed
from bench.report.truth.summary import by_size, most, summarize, whole
from bench.report.truth.worlds import MIXTURE, World

CAPTION = (
    "Distances to the exact tilted target, over their finite-sample floor ({floor}). A perfect "
    "sampler, one exact set more of each problem, has 1, give or take its luck. Geometric means "
    "over problems, in brackets their 95% intervals (Student's t of the mean logarithm; problems "
    "are drawn anew within each {size} and kind). Reward: less the target's mean, over what "
    "vanilla misses of it: −1 is vanilla's reward, 0 the target's, and above 0 is more than was "
    "asked for. Spread: {spread} between samples, over the target's. ESS: mean "
    "effective sample size at the weighings. Calls are per delivered sample, forward / backward."
)
SIZES = (
    "{name} over its floor by {size}: geometric means over {problems} problems each, in brackets "
    "the lowest and the highest. Where samples are few for the {size}, two exact sets lie far "
    "apart as well: the floor rises, and what separates methods shrinks beside it."
)
ERRORS = (
    "Value: Σ (V − V̂)² along a trajectory. Shift: error of the posterior mean's shift over the "
    "exact shift's size. Both over the trajectories of a problem, and from these the geometric "
    "means over problems with 95% intervals."
)
RIVALS = ("vanilla", "exact", "best_of_n", "fk_smc")  # beside LiDAR, told by size and drawn


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
    """What was measured in a world: ``summary`` of its methods, ``sized`` by the problems' size,
    ``whole``: the settings that met all problems, and among them ``swept`` knobs; ``probed``
    estimators by problem and ``errors`` over problems."""

    truth: Truth
    summary: pd.DataFrame
    sized: pd.DataFrame
    whole: pd.DataFrame
    swept: Sequence[Sweep]
    probed: pd.DataFrame
    errors: pd.DataFrame

    @classmethod
    def of(cls, truth: Truth) -> Known:
        summary, rows = summarize(truth), probed(truth.probes)
        full = whole(summary)
        swept = sweeps(truth, full)
        return cls(truth, summary, by_size(truth), full, swept, rows, averaged(rows))

    @property
    def lidar(self) -> str | None:
        """The label of LiDAR's setting that strays least from the method's own."""
        own = self.truth.cells
        own = own[own.method == "lidar"] if not own.empty else own
        if own.empty:
            return None
        strays = [len(config.get("changed") or ()) for config in own.config]
        return str(own.label.iloc[strays.index(min(strays))])

    @property
    def told(self) -> list[str]:
        """The labels of `PERFECT`, LiDAR and its rivals, each rival's best."""
        summary, main = self.whole, self.truth.world.main
        if summary.empty:
            return []
        found = [PERFECT] if PERFECT in set(summary.label) else []
        found += [self.lidar] if self.lidar else []
        for method in RIVALS:
            own = summary[summary.method == method]
            found += [] if own.empty else [str(own.label[own[main].idxmin()])]
        return found

    def said(self, alone: bool = True) -> tuple[str, ...]:
        """The findings, each with the world's name before it where it is not ``alone``."""
        world, truth, rows = self.truth.world, self.truth, self.truth.methods
        found: list[str] = []
        if not self.summary.empty:
            found += findings.samplers(self.whole, rows, world)
            found += findings.duels(self.whole, rows, world, self.lidar)
            found += findings.knobs(self.swept, world.main)
            found += findings.sizes(self.sized, self.told, world)
        found += findings.estimators(self.probed, world)
        found += findings.rules(truth.cells, rows)
        return tuple(found if alone else (f"{world.kind}: {line}" for line in found))

    def brief(self) -> pd.DataFrame:
        return display(self.summary, self.truth.world, brief=True)

    def facts(self) -> dict[str, str]:
        if (cells := self.truth.cells).empty:
            return {}
        row, solver = cells.iloc[0], cells.solver.mode().iloc[0]
        sizes = sorted(self.truth.methods["size"].unique())
        return {
            "problems": f"{most(self.summary)} ({self.truth.world.size} "
            f"{', '.join(map(str, sizes))})",
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
            Section(f"Methods{of}", (method_table(known.summary, world), *size_table(known))),
            Section(f"Estimators{of}", (error_table(known.errors, world),)),
            Section(f"Figures{of}", draw(known)),
        ]
    title = f"{folder.name}: every method where the target is known"
    sections = (Section("What it says", tuple(said)), *body)
    return Document(title, facts, worlds[0].truth.notes, sections)


def method_table(summary: pd.DataFrame, world: World) -> Table | Text:
    """Every sampling cell, best first."""
    if summary.empty:
        return Text("No cell samples: estimators alone were probed.")
    ordered = summary.sort_values(world.main)
    caption = CAPTION.format(floor=world.floor, spread=world.spread, size=world.size)
    return Table(f"methods{world.mark}", display(ordered, world), caption, ordered)


def size_table(known: Known) -> tuple[Table, ...]:
    """Every setting by the problems' size, in the order of the table of methods."""
    sized, world = known.sized, known.truth.world
    if sized.empty:
        return ()
    order = known.summary.sort_values(world.main).label
    ends = [sized[f"{world.main}{end}"] for end in ("", ".least", ".most")]
    told = [
        f"{mean:.2f} [{least:.2f}, {most:.2f}]" for mean, least, most in zip(*ends, strict=True)
    ]
    texts = sized.assign(text=told)
    wide = texts.pivot(index="label", columns="size", values="text").reindex(order)
    wide.columns = [f"{world.size} {size}" for size in wide.columns]
    shown = wide.fillna(table.NONE).rename_axis("method").reset_index()
    about = {"name": world.distances[world.main], "size": world.size}
    caption = SIZES.format(problems=sized.problems.max(), **about)
    return (Table(f"by_{world.size}{world.mark}", shown, caption, sized),)


def error_table(errors: pd.DataFrame, world: World) -> Table | Text:
    """Every estimator that was probed, at each λ and dimension."""
    if errors.empty:
        return Text("No estimator was probed.")
    shown = [
        {
            "estimator": row.label,
            "λ": f"{row.scale:g}",
            world.size: str(row.dimension),
            "problems": str(row.problems),
            "value [95%]": table.spread(row, "value", "{:.3g}"),
            "shift [95%]": table.spread(row, "shift", "{:.3f}"),
        }
        for _, row in errors.iterrows()
    ]
    return Table(f"estimators{world.mark}", pd.DataFrame(shown), ERRORS, errors)


def display(summary: pd.DataFrame, world: World, brief: bool = False) -> pd.DataFrame:
    """The table's text, best first."""
    if summary.empty:
        return summary
    main, *others = world.distances
    name = "distance" if brief else world.distances[main]

    def text(row: pd.Series) -> dict[str, str]:
        cells = {
            "method": row.label + (" *" if row.coverage else ""),
            f"{name} / floor [95%]": table.spread(row, main, "{:.2f}"),
        }
        if not brief:
            known = [other for other in others if other in summary]
            cells |= {
                f"{world.distances[other]} / floor": table.number(row, other, "{:.2f}")
                for other in known
            }
        cells["reward"] = table.number(row, "gap", "{:+.2f}")
        cells["spread"] = table.number(row, "diversity", "{:.2f}")
        if not brief:
            cells["ESS"] = table.number(row, "ess", "{:.0f}")
        for head in ("denoiser", "reward"):
            if not brief or head == "denoiser":
                calls = [row[f"calls.{head}"], row[f"calls.{head}_backward"]]
                told = " / ".join(f"{c:.4g}" for c in calls)
                cells[f"{head} calls"] = table.NONE if row.method == PERFECT else told
        return cells

    return pd.DataFrame([text(row) for _, row in summary.sort_values(main).iterrows()])


def draw(known: Known) -> tuple[Part, ...]:
    """The figures; those that the cells do not allow are named in one sentence."""
    truth, errors = known.truth, known.errors
    world, size = truth.world, truth.world.size
    name = f"{world.distances[world.main]} over its floor"
    made = [
        ("knobs", "Knobs", sweep_figures.knobs(known.swept, known.whole, world.main, name),
         "What decides how near a method comes to the target, with 95% intervals over problems. "
         "The band is a perfect sampler's interval, the dotted line vanilla."),
        (f"methods_by_{size}", f"Methods against the {size}",
         sweep_figures.sizes(known.sized, known.told, world.main, size, name),
         "LiDAR's own setting and the best setting of each rival; the table by "
         f"{size} has the extremes."),
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
            "One problem (the first separated one) in two dimensions: samples of each method's "
            "nearest setting over the target's contours; the number is W2 over its floor."
        )
        made.append(("samples", "Samples", figures.samples(truth), contours))
    mark = world.mark
    pictures = [
        Picture(f"{n}{mark}", head, text, fig) for n, head, fig, text in made if fig is not None
    ]
    absent = [head for _, head, figure, _ in made if figure is None]
    told = [Text(f"No figure, for lack of such cells: {', '.join(absent)}.")] if absent else []
    return (*pictures, *told)
