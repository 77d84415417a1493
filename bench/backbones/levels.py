"""Noise levels of any diffusers scheduler, and its model outputs in terms of the posterior mean.

Three conventions are in use: variance preserving (x_t = √ᾱ x_0 + √(1 − ᾱ) ε; DDIM, LCM, the DPM
family), variance exploding (x_t = x_0 + σ ε; the Euler and LMS family, whose model sees
x_t/√(1 + σ²)) and flow matching (x_t = (1 − σ) x_0 + σ ε). What a denoiser knows of a level is α/σ,
so x_t of any (α, σ) reaches it scaled to the convention that it was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor

from methods.interfaces import CLEAN, Level

PARAMETERIZATIONS = ("epsilon", "v_prediction", "sample", "flow_prediction")


def vp_level(t: float, alpha_bar: float, horizon: int) -> Level:
    """A variance-preserving level: α = √ᾱ, σ = √(1 − ᾱ)."""
    return Level(float(t), alpha_bar**0.5, (1 - alpha_bar) ** 0.5, float(t) / horizon)


def flow_level(sigma: float, horizon: int) -> Level:
    """A level of flow matching: α = 1 − σ, t = σ T."""
    return Level(sigma * horizon, 1 - sigma, sigma, sigma) if sigma > 0 else CLEAN


def parameterization(scheduler: Any) -> str:
    """What its model predicts: ε, v, x_0, or flow matching's velocity ε − x_0."""
    if type(scheduler).__name__.startswith("FlowMatch"):
        return "flow_prediction"
    kind = str(scheduler.config.prediction_type)
    if kind not in PARAMETERIZATIONS:
        raise ValueError(f"prediction_type must be one of {', '.join(PARAMETERIZATIONS)}: {kind}")
    return kind


def _exploding(scheduler: Any) -> bool:
    """Whether its samples are x_0 + σ ε, told by how it scales its model's input."""
    one, t, sigma = torch.ones(1), scheduler.timesteps[0], float(scheduler.sigmas[0])
    scaled = float(copy(scheduler).scale_model_input(one, t))
    if abs(scaled - 1) < 1e-6:
        return False
    if abs(scaled * (1 + sigma**2) ** 0.5 - 1) > 1e-4:
        raise ValueError(f"{type(scheduler).__name__} scales its samples in a way not known here")
    return True


def levels_of(scheduler: Any) -> list[Level]:
    """The level of each of its timesteps, and last the one that it ends at."""
    horizon = scheduler.config.num_train_timesteps
    times = [float(t) for t in scheduler.timesteps]
    sigmas = getattr(scheduler, "sigmas", None)
    if sigmas is None or len(sigmas) != len(times) + 1:
        return [*_tabulated(scheduler, times, horizon), _tabulated_end(scheduler)]
    values = [float(s) for s in sigmas]
    if parameterization(scheduler) == "flow_prediction":
        alphas = [1 - s for s in values]
    elif _exploding(scheduler):
        alphas = [1.0] * len(values)
    else:
        alphas = [(1 + s * s) ** -0.5 for s in values]
        values = [s * a for s, a in zip(values, alphas, strict=True)]
    return [
        Level(t, a, s, t / horizon) if s > 0 else CLEAN
        for t, a, s in zip([*times, 0.0], alphas, values, strict=True)
    ]


def _tabulated(scheduler: Any, times: Sequence[float], horizon: int) -> list[Level]:
    bars = scheduler.alphas_cumprod
    return [vp_level(t, float(bars[int(t)]), horizon) for t in times]


def _tabulated_end(scheduler: Any) -> Level:
    bar = float(getattr(scheduler, "final_alpha_cumprod", 1.0))
    return vp_level(0, bar, 1) if bar < 1 else CLEAN


def model_input(x: Tensor, level: Level, kind: str) -> Tensor:
    """x_t as the denoiser was trained on it: x_t/√(α² + σ²), for flow matching x_t/(α + σ)."""
    square = level.alpha**2 + level.sigma**2
    norm = _flow_norm(level) if kind == "flow_prediction" else square**0.5
    return x if abs(norm - 1) < 1e-6 else x / norm


def _flow_norm(level: Level) -> float:
    """α + σ: 1 on the straight path of flow matching, and else what x_t is divided by."""
    norm = level.alpha + level.sigma
    return 1.0 if abs(norm - 1) < 1e-6 else norm


def mean_of(output: Tensor, x: Tensor, level: Level, kind: str) -> Tensor:
    """x̄_0 of a model output at x_t."""
    if kind == "epsilon":
        return (x - level.sigma * output) / level.alpha
    if kind == "v_prediction":
        square = level.alpha**2 + level.sigma**2
        return level.alpha / square * x - level.sigma / square**0.5 * output
    if kind == "flow_prediction":
        return (x - level.sigma * output) / _flow_norm(level)
    return output


def output_of(x0: Tensor, x: Tensor, level: Level, kind: str) -> Tensor:
    """The model output that says x̄_0 at x_t: ``mean_of`` undone."""
    if kind == "epsilon":
        return (x - level.alpha * x0) / level.sigma
    if kind == "v_prediction":
        square = level.alpha**2 + level.sigma**2
        return (level.alpha / square * x - x0) * square**0.5 / level.sigma
    if kind == "flow_prediction":
        return (x - _flow_norm(level) * x0) / level.sigma
    return x0
