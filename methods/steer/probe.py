"""Probe: sample as vanilla does, and measure estimators against a reference along the way.

The paper's figure 8 (right): Σ_t (V − V̂)² along trajectories of the model itself; and the same for
the shift of the posterior mean, relative to the reference's own size. The reference is the exact
estimate where there is one, else rollouts in numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.interfaces import Estimator, EstimatorSettings, Level, Problem
from methods.price import Calls
from methods.settings import interval, one_of
from methods.steer.base import NoSteer, Plain
from methods.steer.guidance import active
from methods.steering import Course, Setup, State


@dataclass
class Probe(NoSteer):
    estimators: Mapping[str, Estimator]
    settings: ProbeSettings
    value: dict[str, list[Tensor]] = field(default_factory=dict)
    shifts: dict[str, list[Tensor]] = field(default_factory=dict)

    def needs_gradient(self, level: Level) -> bool:
        gradient = any(e.gradient for e in self.estimators.values())
        return gradient and active(self.settings.interval, level)

    def shift(self, state: State) -> None:
        if not active(self.settings.interval, state.level):
            return
        at = (state.x, state.level, state.x0, state.step)
        values: dict[str, Tensor] = {}
        shifts: dict[str, Tensor] = {}
        for name, estimator in self.estimators.items():
            shifts[name] = estimator.shift(*at).detach().double().flatten(1)
            values[name] = estimator.value(*at).detach().double()
        true_value, true_shift = (d.pop(self.settings.reference) for d in (values, shifts))
        self.shifts.setdefault("", []).append(true_shift.square().sum(dim=1))
        for name in values:
            self.value.setdefault(name, []).append((values[name] - true_value).square())
            gap = (shifts[name] - true_shift).square().sum(dim=1)
            self.shifts.setdefault(name, []).append(gap)

    def info(self) -> Mapping[str, Any]:
        """Per estimator and particle: "value", Σ_t (V − V̂)²; "shift", Σ_t ‖Δ − Δ̂‖²; and per
        particle "reference", Σ_t ‖Δ‖²."""

        def total(parts: list[Tensor]) -> list[float]:
            return [float(f"{v:.6g}") for v in torch.stack(parts).sum(dim=0).tolist()]

        value = {name: total(parts) for name, parts in self.value.items()}
        shift = {name: total(parts) for name, parts in self.shifts.items() if name}
        reference = total(self.shifts[""]) if self.shifts else []
        return {"probe": {"value": value, "shift": shift, "reference": reference}}


@dataclass(frozen=True)
class ProbeSettings(Plain):
    """``reference`` names the estimator that counts as true; the others are measured against it.

    ``interval`` (low, high] of t/T. Per step in it and particle: a shift of each, and a
    value where it is not known from the shift.
    """

    label: ClassVar[str] = "probe"
    reference: str = "exact"
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        interval("interval", self.interval)

    def check(self, setup: Setup) -> None:
        one_of("method.steer.probe.reference", self.reference, list(setup.estimators))
        if len(setup.estimators) < 2:
            raise ValueError("method.steer.probe needs an estimator beside its reference")
        if len(setup.steers) > 1:
            raise ValueError("method.steer.probe watches vanilla sampling: drop the other steers")

    def needs_gradient(self, estimators: Mapping[str, EstimatorSettings]) -> bool:
        return any(e.gradient for e in estimators.values())

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> Probe:
        return Probe(estimators, self)

    def price(self, course: Course) -> Calls:
        steps = sum(active(self.interval, level) for level in course.levels)
        prices = [(e.price(course.problem), e.shared) for e in course.estimators.values()]
        each = [p.shift if shared else p.value + p.shift for p, shared in prices]
        return sum(each, start=Calls()) * (course.particles * steps)
