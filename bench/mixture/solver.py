"""Solvers on a continuous Gaussian path: ancestral (DDPM, DDIM) and DPM-Solver++ (2M).

Levels are evenly spaced in time from 1; the last step ends clean at the posterior mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import atan2, cos, exp, log, pi, sin

from torch import Tensor

from methods.interfaces import CLEAN, Level
from methods.path import ancestral_slope, ancestral_step, flow_time, transition_std


def vp(t: float) -> tuple[float, float]:
    """(α, σ) of the cosine schedule: the quarter circle (Nichol & Dhariwal, arXiv 2102.09672)."""
    return cos(pi * t / 2), sin(pi * t / 2)


def flow(t: float) -> tuple[float, float]:
    """(α, σ) of flow matching: α = 1 − t, σ = t."""
    return 1 - t, t


PATHS: dict[str, Callable[[float], tuple[float, float]]] = {"vp": vp, "flow": flow}
TIMES: dict[str, Callable[[float, float], float]] = {
    "vp": lambda alpha, sigma: 2 / pi * atan2(sigma, alpha),
    "flow": flow_time,
}


def level_at(path: str, fraction: float) -> Level:
    if fraction <= 0:
        return CLEAN
    alpha, sigma = PATHS[path](fraction)
    return Level(fraction, alpha, sigma, fraction)


def level_of(path: str, alpha: float, sigma: float) -> Level:
    """A level off the path, at the time of it at which α/σ is the same."""
    time = TIMES[path](alpha, sigma)
    return Level(time, alpha, sigma, time)


def log_snr(level: Level) -> float:
    """log(α/σ), −∞ at pure noise and ∞ at clean."""
    if level.alpha == 0 or level.sigma == 0:
        return float("inf") if level.sigma == 0 else -float("inf")
    return log(level.alpha / level.sigma)


class PathSolver:
    """One trajectory of ``steps`` steps: ancestral with η (1 is DDPM, 0 DDIM) or multistep (2M)."""

    def __init__(self, path: str, steps: int, eta: float = 0.0, multistep: bool = False):
        self.levels: Sequence[Level] = [level_at(path, 1 - k / steps) for k in range(steps)]
        self.end = CLEAN
        self.eta, self.multistep = eta, multistep
        self.stochastic = eta > 0
        self._last: Tensor | None = None  # the previous posterior mean, for 2M

    def _next(self, index: int) -> Level:
        return self.levels[index + 1] if index + 1 < len(self.levels) else self.end

    def initial(self, noise: Tensor) -> Tensor:
        return noise.double()

    def step(self, x0: Tensor, index: int, x: Tensor, noise: Tensor | None) -> Tensor:
        start, end = self.levels[index], self._next(index)
        if self.multistep:
            return self._multistep(x0, index, x, start, end)
        return ancestral_step(x, x0, start, end, noise, self.eta)

    def _multistep(self, x0: Tensor, index: int, x: Tensor, start: Level, end: Level) -> Tensor:
        """DPM-Solver++ (2M), arXiv 2211.01095, algorithm 2; first order at both ends."""
        width = log_snr(end) - log_snr(start)
        data, self._last, last = x0, x0, self._last
        if last is not None and end.sigma > 0:
            before = log_snr(start) - log_snr(self.levels[index - 1])
            data = x0 + width / (2 * before) * (x0 - last)
        return end.sigma / start.sigma * x + end.alpha * (1 - exp(-width)) * data

    def transition(self, index: int) -> tuple[float, float]:
        if self.multistep:
            raise ValueError("a step of 2M depends on the one before: it has no transition")
        start, end = self.levels[index], self._next(index)
        return ancestral_slope(start, end, self.eta), transition_std(start, end, self.eta)

    def restart(self) -> None:
        self._last = None

    def select(self, ancestors: Tensor) -> None:
        if self._last is not None:
            self._last = self._last[ancestors]
