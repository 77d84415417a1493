"""Any diffusers scheduler as a Solver in posterior-mean space."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy, deepcopy
from typing import Any

from torch import Tensor

from bench.backbones.levels import levels_of, output_of, parameterization
from bench.backbones.settings import OWN, is_stochastic
from methods.interfaces import Level
from methods.path import ancestral_slope, ancestral_step, transition_std
from methods.settings import one_of


@contextmanager
def given_noise(scheduler: Any, noise: Tensor | None) -> Iterator[None]:
    """Let a scheduler that would draw noise of its own take ``noise``; with None it may not draw.

    Most take no noise as an argument, and all draw it by one function, ``randn_tensor``.
    """
    module = sys.modules[type(scheduler).__module__]
    original = getattr(module, "randn_tensor", None)

    def give(*args: Any, **kwargs: Any) -> Tensor:
        if noise is None:
            raise ValueError(
                f"{type(scheduler).__name__} draws noise: set `stochastic: true` for this solver, "
                "so that the noise ledger provides it"
            )
        return noise

    if original is not None:
        vars(module)["randn_tensor"] = give
    try:
        yield
    finally:
        if original is not None:
            vars(module)["randn_tensor"] = original


class SchedulerSolver:
    """One trajectory of a diffusers scheduler.

    The scheduler's own ``step`` does the arithmetic; the posterior mean is handed to it as the
    model output it was configured for. Where η > 0 and the scheduler takes no η, the step is the
    ancestral one on the scheduler's levels. Its tables stay on the host, so that no step waits for
    the device. History of multistep solvers follows ``select``.
    """

    def __init__(
        self,
        scheduler: Any,
        steps: int,
        settings: Mapping[str, Any],
        schedule: Mapping[str, Any] | None = None,
    ):
        """``schedule``: further arguments of ``set_timesteps``, such as flow matching's shift."""
        self.scheduler, name = scheduler, type(scheduler).__name__
        scheduler.set_timesteps(**_times(settings, steps, schedule or {}), device="cpu")
        self.timesteps = scheduler.timesteps
        if len(self.timesteps) != steps:
            raise ValueError(
                f"{name} made {len(self.timesteps)} steps where {steps} were asked for; choose "
                "another scheduler or number of steps"
            )
        every = levels_of(scheduler)
        self.levels: list[Level] = every[:-1]
        if hasattr(scheduler, "is_scale_input_called"):
            scheduler.is_scale_input_called = True  # the backbone scales its input itself
        self.end = every[-1]
        self.kind = parameterization(scheduler)
        accepted = inspect.signature(scheduler.step).parameters
        self.eta = float(settings.get("eta", 0.0))
        self.stochastic = is_stochastic(settings)
        self._eta: dict[str, float] = {"eta": self.eta} if "eta" in accepted else {}
        self._ancestral = self.eta > 0 and not self._eta
        self._noise_key = next((k for k in ("variance_noise",) if k in accepted), None)
        self._begun = False
        self._fresh = deepcopy(scheduler)  # what ``restart`` goes back to

    def initial(self, noise: Tensor) -> Tensor:
        return noise * float(self.scheduler.init_noise_sigma) if self._scaled() else noise

    def _scaled(self) -> bool:
        return hasattr(self.scheduler, "init_noise_sigma")

    def step(self, x0: Tensor, index: int, x: Tensor, noise: Tensor | None) -> Tensor:
        level = self.levels[index]
        if self._ancestral:
            return ancestral_step(x, x0, level, self._next(index), noise, self.eta)
        if not self._begun and hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(index)
        self._begun = True
        extra: dict[str, Any] = dict(self._eta)
        if noise is not None and self._noise_key:
            extra[self._noise_key] = noise
        output = output_of(x0, x, level, self.kind)
        with given_noise(self.scheduler, noise):
            return self.scheduler.step(output, self.timesteps[index], x, **extra).prev_sample

    def _next(self, index: int) -> Level:
        return self.levels[index + 1] if index + 1 < len(self.levels) else self.end

    def transition(self, index: int) -> tuple[float, float]:
        name, config = type(self.scheduler).__name__, self.scheduler.config
        if not self._eta and not self._ancestral:
            raise ValueError(f"the steps of {name} have no transition: it takes no eta")
        if config.get("clip_sample") or config.get("thresholding"):
            raise ValueError("a scheduler that clips its samples has no linear step to weigh")
        if index + 1 < len(self.levels) and not self._ancestral:
            lands = int(self.timesteps[index]) - config.num_train_timesteps // len(self.levels)
            if lands != int(self.timesteps[index + 1]):
                raise ValueError(
                    f"{name} with timestep_spacing={config.timestep_spacing} steps to {lands}, not "
                    "to its next timestep: its steps cannot be weighed; use 'leading'"
                )
        start, end = self.levels[index], self._next(index)
        return ancestral_slope(start, end, self.eta), transition_std(start, end, self.eta)

    def fresh(self) -> SchedulerSolver:
        """Another trajectory, at its beginning."""
        made = copy(self)
        made.restart()
        return made

    def restart(self) -> None:
        self.scheduler = deepcopy(self._fresh)
        self._begun = False

    def select(self, ancestors: Tensor) -> None:
        for name, held in vars(self.scheduler).items():
            setattr(self.scheduler, name, _selected(held, ancestors))


def _selected(held: Any, ancestors: Tensor) -> Any:
    """A scheduler's attribute after a resampling: tensors over a batch of samples are history."""
    if isinstance(held, Tensor) and held.ndim > 1:
        return held[ancestors]
    if isinstance(held, list) and any(isinstance(h, Tensor) and h.ndim > 1 for h in held):
        return [_selected(h, ancestors) for h in held]
    return held


def _times(settings: Mapping[str, Any], steps: int, schedule: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of ``set_timesteps``: the number of steps, or the solver's own timesteps."""
    times = settings.get("timesteps")
    if not times and settings.get("scheduler", "").startswith("FlowMatch"):
        # Left to itself it ends at the smallest level of the training, not a step above zero.
        even = {"sigmas": [1 - k / steps for k in range(steps)]}
        return {"num_inference_steps": steps, **even, **schedule}
    if not times:
        return {"num_inference_steps": steps, **schedule}
    if len(times) != steps:
        raise ValueError(
            f"this solver has the {len(times)} timesteps {list(times)}: its number of steps must "
            f"be {len(times)}, got {steps}"
        )
    return {"timesteps": list(times)}


def make_scheduler(base: Any, settings: Mapping[str, Any]) -> Any:
    """A fresh scheduler named ``settings["scheduler"]`` on the schedule of the model's own.

    Other keys override the scheduler's configuration. Raises ValueError for an unknown name.
    """
    import diffusers

    name = settings["scheduler"]
    cls: Any = getattr(diffusers, name, None)
    if cls is None or not name.endswith("Scheduler"):
        one_of("scheduler", name, [n for n in dir(diffusers) if n.endswith("Scheduler")])
    options = {k: v for k, v in settings.items() if k not in OWN}
    return cls.from_config(base.config, **options)
