"""Sequential Monte Carlo with reward potentials: Feynman-Kac steering (arXiv 2501.06848), and DAS
(arXiv 2501.05803) where the proposal is guided too.

N particles share one population. At some steps each is weighed by a potential G of the value at
x_t and the population is resampled. The product of all potentials, the last one included, is
exp(λ r(x_0)) for every choice, so all target the same tilted distribution:

    difference  G_t = exp(V_t − V_{t+1})            sum   G_t = exp(Σ_{s ≥ t} V_s)
    max         G_t = exp(max_{s ≥ t} V_s)          plain G_t = exp(V_t)
    last        G_0 = exp(λ r(x_0)) / Π_t G_t

Log weights are carried until the population is resampled. Where guidance moves the proposal, the
weights must take it back (``twisted``): a step whose mean was moved by m with noise c z changes
log w by log p(x_s | x_t) − log q(x_s | x_t) = −(z·m)/c − ‖m‖²/(2c²). A step without noise has no
density: the last one must be left unguided.

A deterministic solver cannot part copies of one particle again: with η = 0 a resampled population
would stay collapsed, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log
from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.interfaces import Estimator, Problem, Solver
from methods.path import tempering
from methods.potentials import POTENTIALS, log_weights, proposal_correction
from methods.price import Calls
from methods.resampling import SCHEMES, arranged, effective_sample_size, informative
from methods.settings import at_least, interval, one_of, whole
from methods.steer.base import Choice, NoSteer
from methods.steering import Course, Finals, Setup, State

COMPATIBLE = ("fk_steering",)
UNTWISTABLE = {"backward", "best_of_lookahead", "embedding", "recurrence", "repel"}
LAST = -1  # the ledger's step of the last resampling
LARGEST = 1e10  # the official FK steering code's bound on a weight


@dataclass
class Smc(NoSteer):
    """One prompt's populations: blocks of ``population`` neighbours in the batch."""

    estimator: Estimator
    problem: Problem
    settings: SmcSettings
    population: int
    total: int
    ess: list[list[float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        zeros = torch.zeros(self.total, dtype=torch.float64)
        start = float("-inf") if self.settings.potential == "max" else 0.0
        self.previous, self.product, self.log_w = zeros + start, zeros.clone(), zeros.clone()

    def _weigh(self, values: Tensor, final: bool) -> None:
        values = values.detach().double().cpu()
        if not torch.isfinite(values).all():
            raise FloatingPointError("the values to weigh a population by are not finite")
        potential = self.settings.potential
        log_g, self.previous = log_weights(
            values, self.previous, self.product, potential, 1.0, final
        )
        self.product = self.product + log_g
        self.log_w = self.log_w + log_g
        if self.settings.compat == "fk_steering":
            self.log_w = self.log_w.clamp(max=log(LARGEST))

    def _resample(self, step: int) -> Tensor | None:
        """Ancestors over the whole batch; None where no population is resampled."""
        settings = self.settings
        official = settings.compat == "fk_steering"
        # The last weights are always used up: what is delivered is delivered with equal weight.
        gated = official if step == LAST else settings.adaptive
        log_w = self.log_w.reshape(-1, self.population)
        ess = effective_sample_size(log_w)
        self.ess.append([round(float(e), 4) for e in ess])
        ancestors = torch.arange(self.total)
        for group in range(len(log_w)):
            enough = gated and ess[group] >= settings.threshold * self.population
            if enough or not informative(log_w[group]):
                continue
            block = slice(group * self.population, (group + 1) * self.population)
            uniform = self.problem.noise.uniform(self.population, "resample", group, step)
            weights = torch.softmax(log_w[group], dim=-1)
            order = self.problem.noise.uniform(self.population, "arrange", group, step)
            ancestors[block] = arranged(SCHEMES[settings.scheme](weights, uniform), order)
            ancestors[block] += block.start
            self.log_w[block] = 0.0
        if official:
            self.log_w = torch.zeros_like(self.log_w)  # weights that were not used are dropped
        if torch.equal(ancestors, torch.arange(self.total)):
            return None
        return ancestors.to(self.problem.backbone.device)

    def _follow(self, ancestors: Tensor) -> None:
        """The potentials' memory goes with the particles."""
        index = ancestors.cpu()
        self.previous, self.product = self.previous[index], self.product[index]

    def follow(self, ancestors: Tensor) -> None:
        self._follow(ancestors)
        self.log_w = self.log_w[ancestors.cpu()]

    def select(self, state: State) -> Tensor | None:
        if state.step not in self.settings.resampling_steps(state.steps):
            return None
        value = self.estimator.value(state.x, state.level, state.x0, state.step)
        self._weigh(tempering(self.settings.tempering, state.level) * value, False)
        ancestors = self._resample(state.step)
        if ancestors is not None:
            self._follow(ancestors)
        return ancestors

    def stepped(self, state: State, shift: Tensor | None, noise: Tensor, solver: Solver) -> None:
        if not self.settings.twisted or shift is None:
            return
        slope, std = solver.transition(state.step)
        if std == 0:
            raise ValueError(
                "method.steer.smc.twisted: the last step has no noise to weigh a guided proposal "
                "by; set method.steer.guidance.last=false"
            )
        self.log_w = self.log_w + proposal_correction(shift, noise, slope, std).cpu()

    def finish(self, finals: Finals) -> Finals:
        self._weigh(self.estimator.scale * finals.rewards(), True)
        ancestors = self._resample(LAST)
        return finals if ancestors is None else finals.select(ancestors)

    def info(self) -> Mapping[str, Any]:
        return {"ess": self.ess}


@dataclass(frozen=True)
class SmcSettings(Choice):
    """Weigh and resample at steps start, start + every, … ≤ stop (shares of all steps, in front of
    which a step must lie), and last.

    ``particles``: size of one population, null for all of a prompt's particles in one;
    ``adaptive``: resample only where the effective sample size is below ``threshold``·N;
    ``tempering`` γ >= 0: the values count for λ's share in force (``methods.path.tempering``);
    ``twisted``: take a guided proposal back in the weights; ``compat: fk_steering``: the official
    code's arithmetic (weights at most 1e10 and dropped where they were not used, the last
    resampling only below ``threshold``·N).

    Per weighing and particle: one value of the estimator, unless guidance by the same estimator has
    just found it; at the end a decode and a reward.
    """

    label: ClassVar[str] = "smc"
    scores: ClassVar[bool] = True
    particles: int | None = None
    potential: str = "difference"
    scheme: str = "systematic"
    every: float = 0.2
    start: float = 0.2
    stop: float = 0.8
    adaptive: bool = False
    threshold: float = 0.5
    tempering: float = 0.0
    twisted: bool = False
    compat: str | None = None
    efr: str | None = None

    def __post_init__(self) -> None:
        if self.particles is not None:
            whole("particles", self.particles, 1)
        one_of("potential", self.potential, POTENTIALS)
        one_of("scheme", self.scheme, list(SCHEMES))
        interval("[start, stop]", (self.start, self.stop))
        interval("[0, every]", (0, self.every))
        interval("[0, threshold]", (0, self.threshold))
        at_least("tempering", self.tempering, 0)
        if self.compat is not None:
            one_of("compat", self.compat, COMPATIBLE)

    def resampling_steps(self, steps: int) -> set[int]:
        count = int((self.stop - self.start) / self.every + 1e-9) + 1
        wanted = {round((self.start + k * self.every) * steps) for k in range(count)}
        return {step for step in wanted if step < steps}

    def check(self, setup: Setup) -> None:
        self.chosen(setup.estimators)
        if not setup.stochastic:
            raise ValueError(
                "method.steer.smc needs a stochastic target solver (ddpm; ancestral on FLUX): with "
                "a deterministic one the copies of a particle never part again"
            )
        untwistable = UNTWISTABLE & set(setup.labels)
        if self.twisted and untwistable:
            raise ValueError(
                "method.steer.smc.twisted takes back what guidance does to the proposal, and "
                f"cannot take back {', '.join(sorted(untwistable))}"
            )
        if self.particles is not None and setup.particles % self.particles:
            raise ValueError(
                "method.steer.smc.particles must divide the "
                f"{setup.particles} particles of a prompt, got {self.particles}"
            )
        if self.twisted and any(getattr(steer, "last", False) for steer in setup.steers):
            raise ValueError(
                "method.steer.guidance.last must be false under a twisted smc: the last step has "
                "no noise to weigh a guided proposal by"
            )

    def joint(self, candidates: int) -> bool:
        return self.particles != candidates

    def prepare(self, problem: Problem, estimators: Mapping[str, Estimator], particles: int) -> Smc:
        return Smc(self.chosen(estimators), problem, self, self.particles or particles, particles)

    def price(self, course: Course) -> Calls:
        steps = self.resampling_steps(course.steps) & set(range(course.first, course.steps))
        name = self.name(course.estimators)
        asked = [k for k in steps if (name, course.at(k).fraction) not in course.valued]
        return course.estimators[name].price(course.problem).value * (course.particles * len(asked))
