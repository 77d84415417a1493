"""Any diffusers scheduler as a Solver in posterior-mean space."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from methods.interfaces import Level
from methods.path import ancestral_slope, transition_std


def vp_level(t: float, alpha_bar: float, horizon: int) -> Level:
    """A variance-preserving level: α = √ᾱ, σ = √(1 − ᾱ)."""
    return Level(float(t), alpha_bar**0.5, (1 - alpha_bar) ** 0.5, float(t) / horizon)


class SchedulerSolver:
    """One trajectory of a diffusers scheduler whose path is variance-preserving.

    The scheduler's own ``step`` does the arithmetic; the posterior mean is handed to it as the
    prediction type it was configured for. History of multistep solvers follows ``select``.
    """

    def __init__(self, scheduler: Any, steps: int, eta: float, device: torch.device):
        self.scheduler = scheduler
        scheduler.set_timesteps(steps, device=device)
        self.timesteps = scheduler.timesteps
        if len(self.timesteps) != steps:
            raise ValueError(
                f"{type(scheduler).__name__} made {len(self.timesteps)} steps where {steps} were "
                "asked for; choose another scheduler or number of steps"
            )
        horizon = scheduler.config.num_train_timesteps
        bars = scheduler.alphas_cumprod
        self.levels = [vp_level(t, float(bars[int(t)]), horizon) for t in self.timesteps.tolist()]
        accepted = inspect.signature(scheduler.step).parameters
        self.stochastic = eta > 0
        self._eta: dict[str, float] = {"eta": eta} if "eta" in accepted else {}
        self._noise_key = next((k for k in ("variance_noise", "noise") if k in accepted), None)
        if self.stochastic and not (self._eta and self._noise_key):
            raise ValueError(f"{type(scheduler).__name__} takes no eta: set eta to 0")

    def initial(self, noise: Tensor) -> Tensor:
        return noise * self.scheduler.init_noise_sigma

    def step(self, x0: Tensor, index: int, x: Tensor, noise: Tensor | None) -> Tensor:
        level = self.levels[index]
        epsilon = (x - level.alpha * x0) / level.sigma
        kind = self.scheduler.config.prediction_type
        if kind == "epsilon":
            output = epsilon
        elif kind == "sample":
            output = x0
        else:
            output = level.alpha * epsilon - level.sigma * x0
        extra: dict[str, Any] = dict(self._eta)
        if noise is not None and self._noise_key:
            extra[self._noise_key] = noise
        return self.scheduler.step(output, self.timesteps[index], x, **extra).prev_sample

    def transition(self, index: int) -> tuple[float, float]:
        if not self.stochastic:
            raise ValueError(f"{type(self.scheduler).__name__} takes no noise here: eta is 0")
        config = self.scheduler.config
        if config.get("clip_sample") or config.get("thresholding"):
            raise ValueError("a scheduler that clips its samples has no linear step to weigh")
        start = self.levels[index]
        if index + 1 < len(self.levels):
            end = self.levels[index + 1]
            lands = int(self.timesteps[index]) - config.num_train_timesteps // len(self.levels)
            if lands != int(self.timesteps[index + 1]):
                raise ValueError(
                    f"{type(self.scheduler).__name__} with timestep_spacing="
                    f"{config.timestep_spacing} steps to {lands}, not to its next timestep: "
                    "its steps cannot be weighed; use 'leading'"
                )
        else:
            bar = float(self.scheduler.final_alpha_cumprod)
            end = vp_level(0, bar, config.num_train_timesteps)
        eta = self._eta["eta"]
        return ancestral_slope(start, end, eta), transition_std(start, end, eta)

    def select(self, ancestors: Tensor) -> None:
        history = getattr(self.scheduler, "model_outputs", None)
        if history is not None:
            self.scheduler.model_outputs = [h if h is None else h[ancestors] for h in history]


def make_scheduler(base: Any, settings: Mapping[str, Any]) -> Any:
    """A fresh scheduler named ``settings["scheduler"]`` on the schedule of the model's own.

    Other keys override the scheduler's configuration. Raises ValueError for an unknown name.
    """
    import diffusers

    from methods.settings import one_of

    names = [n for n in dir(diffusers) if n.endswith("Scheduler")]
    name = settings["scheduler"]
    one_of("scheduler", name, names)
    options = {k: v for k, v in settings.items() if k not in ("scheduler", "eta")}
    return getattr(diffusers, name).from_config(base.config, **options)
