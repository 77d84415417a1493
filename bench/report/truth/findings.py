"""What the numbers say of the paper's claims, in sentences made from the numbers."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from bench.report.truth import curves
from bench.report.truth.curves import slope
from bench.report.truth.worlds import World

# Settings of lidar_tokens.
RULE, N = "steer.token_guidance.rule", "efr.lookahead.n"
INTERVAL = "steer.token_guidance.interval"


def findings(summary: pd.DataFrame, errors: pd.DataFrame, world: World) -> Iterator[str]:
    """Sentences for whatever was measured; none where nothing was."""
    if not summary.empty:
        yield from samplers(summary, world.main)
    if not errors.empty:
        yield from convergence(errors)
        yield from growth(errors)
        yield from dimensions(errors, world.unit)


def samplers(summary: pd.DataFrame, main: str) -> Iterator[str]:
    for _, row in summary[summary.method == "exact"].iterrows():
        yield f"guidance by the exact estimate ends at {row[main]:.2f} of the floor"
    lidar = summary[summary.method == "lidar"].sort_values(main)
    if len(lidar) > 1:
        first, last = lidar.iloc[0], lidar.iloc[-1]
        yield (
            f"LiDAR runs from {first[main]:.2f} ({first.label}) to {last[main]:.2f} ({last.label})"
        )


def rules(cells: pd.DataFrame, methods: pd.DataFrame) -> Iterator[str]:
    """How the rules of lidar_tokens compare, by prior and reward, at the most lookahead samples."""
    own = cells[cells.method == "lidar_tokens"] if not cells.empty else cells
    if own.empty:
        return
    interval = own.settings.str[INTERVAL].astype(str)
    own = own[interval == interval.mode().iloc[0]]  # the usual one: others are sweeps of it
    every = {"rule": own.settings.str[RULE], "n": own.settings.str[N].astype(int)}
    rows = methods.merge(
        pd.DataFrame({**every, "form": own.reward}), left_on="cell", right_index=True
    )
    rows = rows[rows.n == rows.groupby("form").n.transform("max")]
    for (form, tag), group in rows.groupby(["form", "tag"]):
        means = group.groupby("rule").tv.mean().sort_values()
        ends = ", ".join(f"{rule} {value:.2f}" for rule, value in means.items())
        yield f"reward {form}, {tag} tokens, n = {group.n.iloc[0]}: over the floor are {ends}"


def convergence(errors: pd.DataFrame) -> Iterator[str]:
    by_n, by_steps = curves.lookahead_errors(errors)
    if not by_n.empty:
        yield (
            f"theorem 3.5 (error as n^−0.5): LiDAR's shift error falls as "
            f"n^{slope(by_n.n, by_n['shift']):.2f} from n = {by_n.n.min()} to {by_n.n.max()}"
        )
    if not by_steps.empty:
        first, last = by_steps.iloc[0], by_steps.iloc[-1]
        yield (
            f"theorem 3.4 (error at most as δ^−0.5): with {first.n} lookahead samples it falls as "
            f"δ^{slope(by_steps.steps, by_steps['shift']):.2f}, from {first['shift']:.2f} at "
            f"δ = {first.steps} to {last['shift']:.2f} at δ = {last.steps}"
        )
    exact = errors[(errors.estimator == "rollout") & (errors.by == "exact")]
    for scale, own in exact.groupby("scale"):
        if own.n.nunique() > 2:
            yield (
                f"rollouts from the exact posterior at λ = {scale:g}: shift error falls as "
                f"n^{slope(own.n, own['shift']):.2f} from n = {own.n.min()} to {own.n.max()}"
            )


def growth(errors: pd.DataFrame) -> Iterator[str]:
    """The paper's claim 4, that Taylor's error grows with λ and LiDAR's does not."""
    frame = curves.by_scale(errors)
    for label, own in frame.groupby("label"):
        own = own.sort_values("scale")
        power, first, last = slope(own.scale, own.value), own.iloc[0], own.iloc[-1]
        yield (
            f"{label}: Σ (V − V̂)² grows as λ^{power:.1f} (a fixed share of V would grow as λ²); "
            f"relative shift error {first['shift']:.2f} at λ = {first.scale:g}, "
            f"{last['shift']:.2f} at λ = {last.scale:g}"
        )
    lidar = frame[frame.estimator == "lookahead"].sort_values("scale")
    if len(lidar) > 2:
        absolute = lidar.value.iloc[-1] / lidar.value.iloc[0]
        relative = lidar["shift"].iloc[-1] / lidar["shift"].iloc[0]
        yield (
            f"claim 4 (LiDAR's error does not grow with λ): relative to the exact shift, its error "
            f"changes by a factor of {relative:.1f}; the value's squared error itself by "
            f"{absolute:.0f}, so in absolute terms the claim {'fails' if absolute > 2 else 'holds'}"
        )


def dimensions(errors: pd.DataFrame, unit: str) -> Iterator[str]:
    for label, own in curves.by_dimension(errors).groupby("label"):
        own = own.sort_values("dimension")
        first, last = own.iloc[0], own.iloc[-1]
        yield (
            f"{label}: relative shift error {first['shift']:.2f} in {first.dimension} {unit}, "
            f"{last['shift']:.2f} in {last.dimension}"
        )
