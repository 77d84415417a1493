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

Particles whose start was drawn in proportion to exp(V) begin with the weight exp(−V).

With ``tempering: adaptive`` the values count for a share s of λ that each population finds for
itself, as in DAS's official code: s rises from weighing to weighing, to where the effective sample
size of the weights so far, log w + s V_t − (s V)_{t+1}, falls to the threshold.

A deterministic solver cannot part copies of one particle again: with η = 0 a resampled population
would stay collapsed, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Estimator, Memory, Steer
from methods.finals import Finals
from methods.path import tempering
from methods.potentials import POTENTIALS, log_weights, proposal_correction
from methods.problem import Problem
from methods.resampling import SCHEMES, arranged, effective_sample_size, informative
from methods.sample import Run
from methods.settings import at_least, interval, one_of, whole
from methods.state import Step
from methods.transfer import over

ADAPTIVE = "adaptive"
LAST = -1  # the ledger's step of the last resampling


def share_for(carried: Tensor, values: Tensor, low: float, target: float) -> float:
    """The share s in [``low``, 1] at which the effective sample size of weights
    exp(carried + s·values) has fallen to ``target``, by bisection: ``low`` where it is below it
    from the start, 1 where it never is."""

    def falls_short(share: float) -> bool:
        return bool(effective_sample_size(carried + share * values) < target)

    high = 1.0
    if falls_short(low) or not falls_short(high):
        return low if falls_short(low) else high
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if falls_short(middle) else (middle, high)
    return high


@dataclass(frozen=True)
class Smc(Steer):
    """Weigh and resample at steps start, start + every, … ≤ stop (shares of all steps, in front of
    which a step must lie), and last.

    ``particles``: size of one population, null for all of a prompt's particles in one;
    ``adaptive``: resample only where the effective sample size is below ``threshold``·N, but for
    the last time: what is delivered is delivered with equal weight; ``tempering`` γ >= 0: the
    values count for λ's share in force (``methods.path.tempering``), or "adaptive";
    ``twisted``: take a guided proposal back in the weights.

    Per weighing and particle: one value of the estimator, unless guidance by the same estimator has
    just found it; at the end a decode and a reward. Diagnostics "ess": of each weighing the
    effective sample size of each population, and "share" its λ's share where that is adaptive.
    """

    spoils = frozenset({"selection"})
    particles: int | None = None
    potential: str = "difference"
    scheme: str = "systematic"
    every: float = 0.2
    start: float = 0.2
    stop: float = 0.8
    adaptive: bool = False
    threshold: float = 0.5
    tempering: float | str = 0.0
    twisted: bool = False
    efr: str | None = None

    def __post_init__(self) -> None:
        if self.particles is not None:
            whole("particles", self.particles, 1)
        one_of("potential", self.potential, POTENTIALS)
        one_of("scheme", self.scheme, list(SCHEMES))
        interval("[start, stop]", (self.start, self.stop))
        interval("[0, every]", (0, self.every))
        interval("[0, threshold]", (0, self.threshold))
        if not isinstance(self.tempering, str):
            at_least("tempering", self.tempering, 0)
            return
        one_of("tempering", self.tempering, [ADAPTIVE])
        if self.potential != "difference":
            raise ValueError(
                f"tempering: {ADAPTIVE} goes with potential: difference, got {self.potential}"
            )

    @property
    def requires(self) -> frozenset[str]:
        twisted = {"density", "ancestral"} if self.twisted else set()
        return frozenset({"value", "stochastic", "selection"} | twisted)

    @property
    def population(self) -> int | None:
        return self.particles

    def resampling_steps(self, steps: int) -> set[int]:
        count = int((self.stop - self.start) / self.every + 1e-9) + 1
        wanted = {round((self.start + k * self.every) * steps) for k in range(count)}
        return {step for step in wanted if step < steps}

    def check(self, estimators: Mapping[str, Estimator], particles: int) -> None:
        if self.particles is not None and particles % self.particles:
            raise ValueError(
                f"particles must divide the {particles} particles of a prompt, got {self.particles}"
            )

    def begin(self, run: Run) -> Memory:
        zeros = torch.zeros(run.particles, dtype=torch.float64, device=run.problem.backbone.device)
        first = float("-inf") if self.potential == "max" else 0.0
        log_w = zeros.clone() if run.tilt is None else zeros - run.tilt
        memory = {"previous": zeros + first, "product": zeros.clone(), "log_w": log_w}
        return memory | ({"share": zeros.clone()} if self.tempering == ADAPTIVE else {})

    def select(self, step: Step, memory: Memory) -> Tensor | None:
        if step.index not in self.resampling_steps(step.steps):
            return None
        value = step.value(self.efr)
        if isinstance(self.tempering, str):
            memory["share"] = self.shares(memory, value, step.info)
            value = memory["share"] * value
        else:
            value = tempering(self.tempering, step.level) * value
        log_w = self.weighed(memory, value, final=False)
        return self.resampled(step.problem, memory, log_w, step.index, step.info)

    def after(self, step: Step, memory: Memory) -> None:
        if self.twisted and step.moved is not None and step.noise is not None:
            slope, std = step.solver.transition(step.index)
            correction = proposal_correction(step.moved, step.noise, slope, std)
            memory["log_w"] = memory["log_w"] + correction

    def finish(self, finals: Finals, memory: Memory) -> Finals:
        log_w = self.weighed(memory, finals.value(self.efr), final=True)
        ancestors = self.resampled(finals.problem, memory, log_w, LAST, finals.info)
        return finals if ancestors is None else finals.select(ancestors)

    def shares(self, memory: Memory, values: Tensor, info: dict[str, list[list[float]]]) -> Tensor:
        """λ's share in force at this weighing, (B,), one for each population."""
        carried = memory["log_w"] - memory["previous"]
        held = torch.stack([carried, values.detach().double(), memory["share"]]).cpu()
        size = self.particles or len(values)
        found = [
            share_for(c, v, float(s[0]), self.threshold * size)
            for c, v, s in zip(*(row.reshape(-1, size) for row in held), strict=True)
        ]
        info.setdefault("share", []).append([round(share, 4) for share in found])
        shares = torch.tensor(found, dtype=torch.float64).repeat_interleave(size)
        return over(shares, values.device)

    def weighed(self, memory: Memory, values: Tensor, final: bool) -> Tensor:
        """Log weights (B,) on the host, multiplied by the potential of these values of λr or V.

        Everything else stays on the device: the host waits for it once.
        """
        values = values.detach().double()
        log_g, memory["previous"] = log_weights(
            values, memory["previous"], memory["product"], self.potential, 1.0, final
        )
        memory["product"] = memory["product"] + log_g
        values, log_w = torch.stack([values, memory["log_w"] + log_g]).cpu()
        if not torch.isfinite(values).all():
            raise FloatingPointError("the values to weigh a population by are not finite")
        if torch.isnan(log_w).any():
            raise FloatingPointError("the weights of a population are not numbers")
        return log_w

    def resampled(
        self,
        problem: Problem,
        memory: Memory,
        log_w: Tensor,
        step: int,
        info: dict[str, list[list[float]]],
    ) -> Tensor | None:
        """Ancestors over the whole batch by weights on the host; None where no population is
        resampled.

        The weights that were used are used up; those that were not are carried on.
        """
        total, device = len(log_w), problem.backbone.device
        size = self.particles or total
        log_w = log_w.reshape(-1, size)
        ess = effective_sample_size(log_w)
        info.setdefault("ess", []).append([round(float(e), 4) for e in ess])
        ancestors = torch.arange(total).reshape(-1, size)
        gated = self.adaptive and step != LAST
        for group in range(len(log_w)):
            enough = gated and ess[group] >= self.threshold * size
            if enough or not informative(log_w[group]):
                continue
            key = ("resample", problem.block(group, size), step)
            uniform = problem.noise.uniform(size, *key)
            order = problem.noise.uniform(size, "arrange", *key[1:])
            weights = torch.softmax(log_w[group], dim=-1)
            kept = arranged(SCHEMES[self.scheme](weights, uniform), order)
            ancestors[group] = kept + group * size
            log_w[group] = 0.0
        memory["log_w"] = over(log_w.flatten(), device)
        if torch.equal(ancestors.flatten(), torch.arange(total)):
            return None
        return over(ancestors.flatten(), device)
