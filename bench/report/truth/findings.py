"""What the numbers say of the paper's claims, in sentences made from the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from bench import stats
from bench.report import table
from bench.report.truth import curves
from bench.report.truth.knobs import Sweep
from bench.report.truth.read import PERFECT
from bench.report.truth.summary import against, over_problems
from bench.report.truth.worlds import World

# Settings of lidar_tokens.
RULE, N = "steer.token_guidance.rule", "efr.lookahead.n"
INTERVAL = "steer.token_guidance.interval"
RIVALS = ("vanilla", "best_of_n", "best_of_lookahead", "fk_smc", "svdd", "das", "ug", "date")
GROWN = 2.0  # an error that becomes more than this times as large has grown


def samplers(summary: pd.DataFrame, rows: pd.DataFrame, world: World) -> Iterator[str]:
    """How near to the target methods come, and whether luck explains what separates them."""
    if summary.empty:
        return
    main, known = world.main, summary.set_index("label")
    if PERFECT in known.index:
        own = known.loc[PERFECT]
        yield (
            f"a perfect sampler gets {table.spread(own, main, '{:.2f}')} of the floor over "
            f"{own.problems} problems, from {own[f'{main}.least']:.2f} to "
            f"{own[f'{main}.most']:.2f} on single ones: so far luck carries"
        )
        others = [label for label in known.index if label != PERFECT]
        pairs = {label: against(rows, label, PERFECT, world) for label in others}
        alike = [label for label, pair in pairs.items() if level(pair)]
        if any(pair is not None and pair.known for pair in pairs.values()):
            yield f"not told apart from a perfect sampler: {', '.join(alike) or 'no method'}"
    for _, row in summary[summary.method == "exact"].iterrows():
        yield f"guidance by the exact estimate ends at {table.spread(row, main, '{:.2f}')}"
    lidar = summary[summary.method == "lidar"].sort_values(main)
    if len(lidar) > 1:
        first, last = lidar.iloc[0], lidar.iloc[-1]
        yield (
            f"LiDAR runs from {first[main]:.2f} ({first.label}) to {last[main]:.2f} ({last.label})"
        )


def duels(
    summary: pd.DataFrame, rows: pd.DataFrame, world: World, own: str | None
) -> Iterator[str]:
    """LiDAR's setting ``own`` against every rival's best one, paired by problem."""
    if own is None:
        return
    for method in RIVALS:
        rivals = summary[summary.method == method]
        if rivals.empty:
            continue
        best = rivals.loc[rivals[world.main].idxmin()]
        if (pair := against(rows, own, best.label, world)) is not None:
            of = f", the nearest of its {len(rivals)} settings," if len(rivals) > 1 else ""
            yield f"{own} against {best.label}{of} {verdict(pair)}"


def verdict(ratio: stats.Interval) -> str:
    """In words, of one distance over another."""
    told = f"{table.spelled(ratio, '{:.2f}')} times the distance"
    if not ratio.known:
        return f"{told}; too few problems to tell"
    if level(ratio):
        return f"{told}: a tie"
    return f"{told}: {'nearer' if ratio.high < 1 else 'farther'}"


def level(ratio: stats.Interval | None) -> bool:
    """Whether the interval of a ratio covers 1."""
    return ratio is not None and ratio.low <= 1 <= ratio.high


def knobs(sweeps: Sequence[Sweep], main: str) -> Iterator[str]:
    """Where along each knob a method is nearest to the target."""
    for sweep in sweeps:
        points = sweep.points
        best = points.loc[points[main].idxmin()]
        first, last = points.iloc[0], points.iloc[-1]
        edge = ", the end of the sweep" if best.x in (first.x, last.x) else ""
        ends = " and ".join(
            f"{end[main]:.2f} at {sweep.at.format(x=end.x)}"
            for end in (first, last)
            if end.x != best.x
        )
        yield (
            f"{sweep.name}: nearest to the target at {sweep.at.format(x=best.x)}{edge}, with "
            f"{table.spread(best, main, '{:.2f}')} of the floor; {ends}"
        )


def sizes(sized: pd.DataFrame, labels: Sequence[str], world: World) -> Iterator[str]:
    """From the smallest problems to the largest."""
    for label in labels if not sized.empty else ():
        own = sized[sized.label == label].sort_values("size")
        if len(own) > 1:
            first, last = own.iloc[0], own.iloc[-1]
            yield (
                f"{label}: {first[world.main]:.2f} of the floor in {first['size']} {world.unit}, "
                f"{last[world.main]:.2f} in {last['size']}"
            )


def rules(cells: pd.DataFrame, methods: pd.DataFrame) -> Iterator[str]:
    """How the rules of lidar_tokens compare, by prior and reward, at the most lookahead samples."""
    own = cells[cells.method == "lidar_tokens"] if not cells.empty else cells
    if own.empty:
        return
    interval = own.settings.str[INTERVAL].astype(str)
    own = own[interval == interval.mode().iloc[0]]  # the usual one: others are sweeps of it
    every = {"rule": own.settings.str[RULE], "n": own.settings.str[N].astype(int)}
    rows = methods.merge(pd.DataFrame(every), left_on="cell", right_index=True)
    rows = rows[rows.n == rows.groupby("form").n.transform("max")]
    for (form, tag), group in rows.groupby(["form", "tag"]):
        means = {rule: over_problems(rows, "tv") for rule, rows in group.groupby("rule")}
        ends = ", ".join(
            f"{rule} {table.spelled(mean, '{:.2f}')}"
            for rule, mean in sorted(means.items(), key=lambda pair: pair[1].value)
        )
        yield f"reward {form}, {tag} tokens, n = {group.n.iloc[0]}: over the floor are {ends}"


def estimators(probed: pd.DataFrame, world: World) -> Iterator[str]:
    """Sentences for whatever was probed; none where nothing was."""
    if not probed.empty:
        yield from convergence(probed)
        yield from growth(probed)
        yield from dimensions(probed, world.unit)


def convergence(probed: pd.DataFrame) -> Iterator[str]:
    by_n, by_steps = curves.lookahead_errors(probed)
    if not by_n.empty:
        yield (
            f"theorem 3.5 (error as n^−0.5): LiDAR's shift error falls as n to the power of "
            f"{power(by_n, 'n', 'shift')} from n = {by_n.n.min()} to {by_n.n.max()}"
        )
    if not by_steps.empty:
        ends = curves.averaged(by_steps).sort_values("steps")
        first, last = ends.iloc[0], ends.iloc[-1]
        yield (
            f"theorem 3.4 (error at most as δ^−0.5): with {first.n} lookahead samples it falls as "
            f"δ to the power of {power(by_steps, 'steps', 'shift')}, from {first['shift']:.2f} at "
            f"δ = {first.steps} to {last['shift']:.2f} at δ = {last.steps}"
        )
    exact = probed[(probed.estimator == "rollout") & (probed.by == "exact")]
    for scale, own in exact.groupby("scale"):
        if own.n.nunique() > 2:
            yield (
                f"rollouts from the exact posterior at λ = {scale:g}: shift error falls as n to "
                f"the power of {power(own, 'n', 'shift')} from n = {own.n.min()} to {own.n.max()}"
            )


def power(probed: pd.DataFrame, x: str, y: str) -> str:
    return table.spelled(curves.power(probed, x, y), "{:.2f}")


def growth(probed: pd.DataFrame) -> Iterator[str]:
    """The paper's claim 4, that Taylor's error grows with λ and LiDAR's does not."""
    frame = curves.by_scale(probed)
    for label, own in frame.groupby("label"):
        ends = curves.averaged(own).sort_values("scale")
        first, last = ends.iloc[0], ends.iloc[-1]
        yield (
            f"{label}: Σ (V − V̂)² grows as λ to the power of {power(own, 'scale', 'value')} (a "
            f"fixed share of V would grow as λ²); relative shift error {first['shift']:.2f} at "
            f"λ = {first.scale:g}, {last['shift']:.2f} at λ = {last.scale:g}"
        )
    lidar = frame[frame.estimator == "lookahead"]
    if lidar.scale.nunique() > 2:
        for kind, y, what in (
            ("relative", "shift", "its shift's error beside the exact shift"),
            ("absolute", "value", "its value's squared error"),
        ):
            factor = curves.growth(lidar, "scale", y)
            yield (
                f"claim 4 (LiDAR's error does not grow with λ), {kind}: from λ = "
                f"{lidar.scale.min():g} to {lidar.scale.max():g} {what} becomes "
                f"{table.spelled(factor, '{:.2f}')} times as large: the claim {held(factor)}"
            )


def held(factor: stats.Interval) -> str:
    """Whether something did not grow, by the interval of the factor by which it changed."""
    if factor.low > GROWN:
        return "fails"
    return "holds" if factor.high <= GROWN else "is undecided"


def dimensions(probed: pd.DataFrame, unit: str) -> Iterator[str]:
    for label, own in curves.by_dimension(curves.averaged(probed)).groupby("label"):
        own = own.sort_values("dimension")
        first, last = own.iloc[0], own.iloc[-1]
        yield (
            f"{label}: relative shift error {first['shift']:.2f} in {first.dimension} {unit}, "
            f"{last['shift']:.2f} in {last.dimension}"
        )
