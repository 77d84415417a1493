"""Gaussian paths x_t = α x_0 + σ ε, whatever the schedule (VP, flow matching)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from torch import Tensor

from methods.interfaces import Level


def transition_std(start: Level, end: Level, eta: float = 1.0) -> float:
    """Standard deviation of the noise that an ancestral step from ``start`` to ``end`` adds.

    η = 1 is the exact posterior q(x_s | x_t, x_0), η = 0 deterministic (DDIM, arXiv 2010.02502,
    equation 16): η² (σ_s²/σ_t²)(σ_t² − (α_t/α_s)² σ_s²).
    """
    return float(eta * (end.sigma / start.sigma) * noising_std(end, start))


def flow_time(alpha: float, sigma: float) -> float:
    """The time of flow matching, α = 1 − t and σ = t, at which α/σ is the same."""
    return sigma / (alpha + sigma)


def noising_std(low: Level, high: Level) -> float:
    """Standard deviation of the fresh noise that takes x from the level ``low`` up to ``high``."""
    variance = high.sigma**2 - (high.alpha / low.alpha) ** 2 * low.sigma**2
    return float(max(variance, 0.0) ** 0.5)


def _kept(start: Level, end: Level, std: float) -> float:
    """What an ancestral step keeps of the predicted noise ε̂."""
    return float(max(end.sigma**2 - std**2, 0.0) ** 0.5)


def ancestral_slope(start: Level, end: Level, eta: float = 1.0) -> float:
    """∂x_s/∂x̄_0 of an ancestral step at fixed x_t."""
    std = transition_std(start, end, eta)
    return end.alpha - _kept(start, end, std) * start.alpha / start.sigma


def ancestral_step(
    x: Tensor, x0: Tensor, start: Level, end: Level, noise: Tensor | None, eta: float = 1.0
) -> Tensor:
    """x_s given x_t and its posterior mean: α_s x̄_0 + √(σ_s² − c²) ε̂ + c z."""
    std = transition_std(start, end, eta)
    predicted = (x - start.alpha * x0) / start.sigma
    mean = end.alpha * x0 + _kept(start, end, std) * predicted
    return mean if noise is None or std == 0 else mean + std * noise


def renoise(x: Tensor, low: Level, high: Level, noise: Tensor) -> Tensor:
    """From the level ``low`` up to ``high``: (α_t/α_s) x_s + fresh noise."""
    return high.alpha / low.alpha * x + noising_std(low, high) * noise


def slope_of_shift(level: Level) -> float:
    """The shift of x̄_0 by a ∇V of norm 1, σ²/α, with σ/α at most 20: the bound of the official code
    of arXiv 2602.05993."""
    return float(level.sigma * min(level.sigma / max(level.alpha, 1e-9), 20.0))


def damped(scale: float, deviation: float, level: Level) -> float:
    """Reward damping (arXiv 2606.02884): λ_t = λ/(1 + 2 λ s_t²), s_t² = s² σ²/(α² s² + σ²).

    s_t² is the variance of p(x_0 | x_t) where the prior is N(m, s²): there λ_t r(x̄_0) has the
    gradient of V itself for r = −‖x − a‖², which λ r(x̄_0) overshoots. s = 0 is λ always.
    """
    if deviation == 0:
        return scale
    spread = level.alpha**2 * deviation**2 + level.sigma**2
    return scale / (1 + 2 * scale * deviation**2 * level.sigma**2 / spread)


def tempering(gamma: float, level: Level) -> float:
    """The share of λ in force at a level: min((1 + γ)^(100 (1 − t/T)) − 1, 1); γ = 0 is always 1.

    DAS's tempering (arXiv 2501.05803) with its hundred steps written as the whole of the schedule.
    """
    if gamma == 0:
        return 1.0
    return float(min((1 + gamma) ** (100 * (1 - level.fraction)) - 1, 1.0))


# Of the ratio ᾱ_t/ᾱ_s of a step.
SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "increase": lambda ratio: ratio,
    "decrease": lambda ratio: 1 - ratio,
    "constant": lambda ratio: 1.0,
}


def share(schedule: str, levels: Sequence[Level], index: int) -> float:
    """The part of a strength that falls to step ``index``: 1 on average over the steps.

    ``levels`` are the solver's and the one that it ends at (TFG's official code, arXiv 2409.15761);
    ᾱ = α²/(α² + σ²) is what its variance-preserving path has for α².
    """
    bars = [level.alpha**2 / (level.alpha**2 + level.sigma**2) for level in levels]
    parts = [SCHEDULES[schedule](a / b) for a, b in pairwise(bars)]
    return parts[index] * len(parts) / sum(parts)
