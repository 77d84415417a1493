"""pCNL: initial noise drawn from its posterior (Ψ-sampler, Yoon et al., arXiv 2506.01320).

A Markov chain on the noise z that x_T is made of, of stationary law N(0, I) exp(V(x_T)) / Z, by the
preconditioned Crank-Nicolson Langevin proposal (Cotter et al., arXiv 1202.0709)

    z′ = ρ z + √(1 − ρ²) (ε + ½ √h ∇_z V),    ρ = (1 − h/4)/(1 + h/4),

accepted with probability min(1, exp(log_target(z′, z) − log_target(z, z′))) as Metropolis and
Hastings have it; without V every proposal is one of Gaussian noise and is accepted. Sampling then
starts from what the chain has found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from methods.base import Estimator, Steer
from methods.finals import Finals
from methods.gradients import derivative, lengths
from methods.interfaces import Level
from methods.sample import Run
from methods.settings import at_least, whole
from methods.transfer import over


@dataclass(frozen=True)
class Place:
    """Where chains stand: z (B, …), V (B,) there, and the gradient (B, …) that drives them."""

    z: Tensor
    value: Tensor
    slope: Tensor

    def log_joint(self, other: Tensor, h: float) -> Tensor:
        """log of target here times density of the proposal from here to ``other``, (B,), up to
        what stays the same if the two change places."""
        rho = contraction(h)
        ahead = (other - rho * self.z) / (1 - rho**2) ** 0.5
        along = (ahead.double() * self.slope.double()).flatten(1).sum(dim=1)
        square = self.slope.double().square().flatten(1).sum(dim=1)
        return self.value.double() + h**0.5 / 2 * along - h / 8 * square

    def moved(self, other: Place, accepted: Tensor) -> Place:
        """The other place for those chains that have ``accepted`` (B,) it."""
        wide = accepted.reshape(-1, *[1] * (self.z.ndim - 1))
        return Place(
            torch.where(wide, other.z, self.z),
            torch.where(accepted, other.value, self.value),
            torch.where(wide, other.slope, self.slope),
        )


def contraction(h: float) -> float:
    """ρ."""
    return (1 - h / 4) / (1 + h / 4)


def proposed(place: Place, noise: Tensor, h: float) -> Tensor:
    """z′."""
    rho = contraction(h)
    return rho * place.z + (1 - rho**2) ** 0.5 * (noise + h**0.5 / 2 * place.slope)


@dataclass(frozen=True)
class Pcnl(Steer):
    """``iterations`` >= 1 steps of size 0 < ``step_size`` h <= 4 of each chain. ``share`` >= 1
    neighbouring particles start from one chain, at as many times, spread evenly over what follows
    the first ``burn_in`` >= 0 steps.

    ``clip``: the largest root mean square of ∇V in a proposal; the law stays the same, since any
    drift is taken back by the acceptance.

    Per chain ``iterations`` + 1 values of the estimator, each with a gradient. Diagnostics
    "accepted": the share of proposals that each chain accepted.
    """

    spoils = frozenset({"start"})
    requires = frozenset({"shift", "start", "continuous"})
    step_size: float = 0.5
    iterations: int = 50
    burn_in: int = 25
    share: int = 1
    clip: float | None = None
    efr: str | None = None

    def __post_init__(self) -> None:
        at_least("step_size", self.step_size, 0)
        if not 0 < self.step_size <= 4:
            raise ValueError(f"step_size must be in (0, 4], got {self.step_size}")
        whole("iterations", self.iterations, 1)
        whole("burn_in", self.burn_in, 0)
        whole("share", self.share, 1)
        whole("iterations", self.iterations, self.burn_in + self.share)
        if self.clip is not None:
            at_least("clip", self.clip, 0)

    @property
    def population(self) -> int:
        return self.share

    def check(self, estimators: Mapping[str, Estimator], particles: int) -> None:
        if particles % self.share:
            raise ValueError(
                f"share must divide the {particles} particles of a prompt, got {self.share}"
            )

    def active(self, level: Level) -> bool:
        return False  # it asks for gradients before the loop, never in it

    @property
    def kept(self) -> list[int]:
        """The numbers of the steps after which a chain's particles are taken from it."""
        rest = self.iterations - self.burn_in
        return [self.burn_in + rest * (k + 1) // self.share for k in range(self.share)]

    def sample(self, run: Run) -> Finals:
        names = run.problem.names(run.particles)[:: self.share]
        chains = replace(run, problem=replace(run.problem, children=tuple(names)))
        noise = run.problem.noise
        found, accepted = [], []
        with run.problem.phase("denoise"):
            h = self.step_size
            here = self.at(chains, run.problem.initial(run.particles)[:: self.share])
            for number in range(1, self.iterations + 1):
                fresh = chains.problem.normal_like(here.z, "chain", number)
                there = self.at(chains, proposed(here, fresh, h))
                log_ratio = there.log_joint(here.z, h) - here.log_joint(there.z, h)
                draws = [noise.uniform(1, "chain", *name, number) for name in names]
                taken = over(torch.cat(draws).log(), log_ratio.device) < log_ratio
                here = here.moved(there, taken)
                accepted.append(taken)
                found += [here] * self.kept.count(number)
        z, tilt = (
            torch.stack(each, dim=1).flatten(0, 1)
            for each in ([place.z for place in found], [place.value for place in found])
        )
        finals = run(run.initial(z), tilt=tilt)
        rates = torch.stack(accepted).double().mean(dim=0)
        finals.info["accepted"] = [round(float(rate), 4) for rate in rates]
        return finals

    def at(self, run: Run, z: Tensor) -> Place:
        """What is known at noise z (B, …), as many chains at a time as are to be differentiated
        together."""
        names, size = run.problem.children or (), run.problem.graph or len(z)
        parts = []
        for start in range(0, len(z), size):
            part = slice(start, start + size)
            own = replace(run, problem=replace(run.problem, children=names[part]))
            parts.append(self._at(own, z[part]))
        return Place(*(torch.cat(each) for each in zip(*parts, strict=True)))

    def _at(self, run: Run, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            step = run.step(run.initial(z))
            value = step.value(self.efr)
            if value.requires_grad:
                total = value.sum()
            else:  # of an estimator that needs no graph
                by_x = step.level.alpha / step.level.sigma**2 * step.shift(self.efr)
                total = (by_x.detach() * step.x).sum()
            slope = derivative(total, z)
        if self.clip is not None:
            largest = self.clip * z[0].numel() ** 0.5
            slope = slope * (largest / lengths(slope).clamp(min=1e-12)).clamp(max=1.0)
        return z.detach(), value.detach(), slope
