"""Sequential Monte Carlo with reward potentials: Feynman-Kac steering (arXiv 2501.06848).

N particles share one population. At some steps each is weighed by a potential G of the value at
x_t and the population is resampled. The product of all potentials, the last one included, is
exp(λ r(x_0)) for every choice, so all target the same tilted distribution:

    difference  G_t = exp(V_t − V_{t+1})            sum   G_t = exp(Σ_{s ≥ t} V_s)
    max         G_t = exp(max_{s ≥ t} V_s)          plain G_t = exp(V_t)
    last        G_0 = exp(λ r(x_0)) / Π_t G_t

Log weights are carried until the population is resampled. A deterministic solver cannot part
copies of one particle again: with η = 0 a resampled population stays collapsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.interfaces import Estimator, EstimatorSettings, Finals, Noise, Problem, State
from methods.settings import interval, one_of, whole
from methods.steer.base import Choice, NoSteer

POTENTIALS = ("difference", "max", "sum", "plain")
SCHEMES = ("systematic", "multinomial")
LAST = -1  # the ledger's step of the last resampling


def log_weights(
    rewards: Tensor,
    previous: Tensor,
    product: Tensor,
    potential: str,
    scale: float,
    final: bool,
) -> tuple[Tensor, Tensor]:
    """(log G, new ``previous``), each (B,), of one weighing.

    ``previous`` is the potential's memory, the last, largest or summed λ·reward: 0 at first, −∞ for
    "max"; ``product`` is the log product of the potentials so far, 0 at first.
    """
    value = scale * rewards
    if final:
        return value - product, value
    if potential == "difference":
        return value - previous, value
    if potential == "sum":
        memory = previous + value
    elif potential == "max":
        memory = torch.maximum(previous, value)
    else:
        memory = value
    return memory, memory


def effective_sample_size(log_w: Tensor) -> Tensor:
    """(Σ w)² / Σ w² along the last axis, in [1, N]."""
    w = torch.softmax(log_w, dim=-1)
    return 1 / w.square().sum(dim=-1)


def systematic(weights: Tensor, uniform: Tensor) -> Tensor:
    """Ancestors (N,): one uniform number, N evenly spaced pointers."""
    n = len(weights)
    pointers = (torch.arange(n, dtype=torch.float64) + uniform[0].double()) / n
    cumulative = weights.double().cumsum(0)
    return torch.searchsorted(cumulative / cumulative[-1], pointers, right=True).clamp(max=n - 1)


def multinomial(weights: Tensor, uniform: Tensor) -> Tensor:
    """Ancestors (N,): N independent draws."""
    cumulative = weights.double().cumsum(0)
    index = torch.searchsorted(cumulative / cumulative[-1], uniform.double(), right=True)
    return index.clamp(max=len(weights) - 1)


RESAMPLERS = {"systematic": systematic, "multinomial": multinomial}


@dataclass
class Smc(NoSteer):
    """One prompt's populations: blocks of ``population`` neighbours in the batch."""

    estimator: Estimator
    noise: Noise
    settings: SmcSettings
    population: int
    total: int
    device: torch.device
    ess: list[list[float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        zeros = torch.zeros(self.total, dtype=torch.float64)
        start = float("-inf") if self.settings.potential == "max" else 0.0
        self.previous, self.product, self.log_w = zeros + start, zeros.clone(), zeros.clone()

    def _weigh(self, values: Tensor, final: bool) -> None:
        values = values.detach().double().cpu()
        potential = self.settings.potential
        log_g, self.previous = log_weights(
            values, self.previous, self.product, potential, 1.0, final
        )
        self.product = self.product + log_g
        self.log_w = self.log_w + log_g

    def _resample(self, step: int) -> Tensor | None:
        """Ancestors over the whole batch; None where every population's ESS is high enough."""
        log_w = self.log_w.reshape(-1, self.population)
        ess = effective_sample_size(log_w)
        self.ess.append([round(float(e), 4) for e in ess])
        ancestors = torch.arange(self.total)
        draw = RESAMPLERS[self.settings.scheme]
        for group in range(len(log_w)):
            if self.settings.adaptive and ess[group] >= self.settings.threshold * self.population:
                continue
            block = slice(group * self.population, (group + 1) * self.population)
            uniform = self.noise.uniform(self.population, "resample", group, step)
            chosen_here = draw(torch.softmax(log_w[group], dim=-1), uniform)
            ancestors[block] = chosen_here + group * self.population
            self.log_w[block] = 0.0
        if torch.equal(ancestors, torch.arange(self.total)):
            return None
        self.previous, self.product = self.previous[ancestors], self.product[ancestors]
        return ancestors.to(self.device)

    def select(self, state: State) -> Tensor | None:
        if state.step not in self.settings.resampling_steps(state.steps):
            return None
        self._weigh(self.estimator.value(state.x, state.level, state.x0, state.step), False)
        return self._resample(state.step)

    def finish(self, finals: Finals) -> Finals:
        self._weigh(self.estimator.scale * finals.rewards(), True)
        ancestors = self._resample(LAST)
        return finals if ancestors is None else finals.select(ancestors)

    def info(self) -> Mapping[str, Any]:
        return {"ess": self.ess}


@dataclass(frozen=True)
class SmcSettings(Choice):
    """Weigh and resample at steps start, start + every, … ≤ stop (shares of all steps), and last.

    ``particles``: size of one population, null for all of a prompt's particles in one;
    ``adaptive``: resample only where the effective sample size is below ``threshold``·N.
    """

    label: ClassVar[str] = "smc"
    particles: int | None = None
    potential: str = "difference"
    scheme: str = "systematic"
    every: float = 0.2
    start: float = 0.2
    stop: float = 0.8
    adaptive: bool = False
    threshold: float = 0.5
    efr: str | None = None

    def __post_init__(self) -> None:
        if self.particles is not None:
            whole("particles", self.particles, 1)
        one_of("potential", self.potential, POTENTIALS)
        one_of("scheme", self.scheme, SCHEMES)
        interval("[start, stop]", (self.start, self.stop))
        interval("[0, every]", (0, self.every))
        interval("[0, threshold]", (0, self.threshold))

    def resampling_steps(self, steps: int) -> set[int]:
        count = int((self.stop - self.start) / self.every + 1e-9) + 1
        return {round((self.start + k * self.every) * steps) for k in range(count)}

    def check(
        self, estimators: Mapping[str, EstimatorSettings], images: int, particles: int
    ) -> None:
        self.chosen(estimators)
        if self.particles is not None and particles % self.particles:
            raise ValueError(
                f"method.steer.smc.particles must divide the {particles} particles of a prompt, "
                f"got {self.particles}"
            )

    def prepare(self, problem: Problem, estimators: Mapping[str, Estimator], particles: int) -> Smc:
        return Smc(
            self.chosen(estimators),
            problem.noise,
            self,
            self.particles or particles,
            particles,
            problem.backbone.device,
        )
