"""Probe: sample as vanilla does, and measure estimators against a reference along the way.

The paper's figure 8 (right): Σ_t (V − V̂)² along trajectories of the model itself; and the same for
the shift of the posterior mean, relative to the reference's own size. The reference is the exact
estimate where there is one, else rollouts in numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from methods.base import Estimator, Memory, Steer
from methods.finals import Finals
from methods.settings import interval, one_of
from methods.state import Step


@dataclass(frozen=True)
class Probe(Steer):
    """``reference`` names the estimator that counts as true; the others are measured against it.

    ``interval`` (low, high] of t/T. Per step in it and particle: a shift of each, and a
    value where it is not known from the shift.

    Diagnostics "probe", per estimator and particle: "value", Σ_t (V − V̂)²; "shift", Σ_t ‖Δ − Δ̂‖²;
    and per particle "reference", Σ_t ‖Δ‖².
    """

    requires = frozenset({"alone", "shift", "every"})
    reference: str = "exact"
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        interval("interval", self.interval)

    def check(self, estimators: Mapping[str, Estimator], particles: int) -> None:
        one_of("reference", self.reference, list(estimators))
        if len(estimators) < 2:
            raise ValueError("reference needs an estimator beside it to be measured")

    def shift(self, step: Step, memory: Memory) -> None:
        at = {
            name: step.shift(name).detach().double().flatten(1) for name in step.prepared.estimators
        }
        values = {name: step.value(name).detach().double() for name in at}
        true_shift, true_value = at.pop(self.reference), values.pop(self.reference)
        _add(memory, "reference", true_shift.square().sum(dim=1))
        for name in at:
            _add(memory, f"value {name}", (values[name] - true_value).square())
            _add(memory, f"shift {name}", (at[name] - true_shift).square().sum(dim=1))

    def finish(self, finals: Finals, memory: Memory) -> Finals:
        def totals(prefix: str) -> dict[str, list[float]]:
            return {
                name.removeprefix(prefix): [float(f"{v:.6g}") for v in total.tolist()]
                for name, total in memory.items()
                if name.startswith(prefix)
            }

        reference = totals("reference").get("", [])
        finals.info["probe"] = {
            "value": totals("value "),
            "shift": totals("shift "),
            "reference": reference,
        }
        return finals


def _add(memory: Memory, name: str, values: Tensor) -> None:
    memory[name] = memory[name] + values if name in memory else values
