"""Where sampling stands: at a step of the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from methods.base import Estimator
from methods.interfaces import Condition, Guider, Level, Solver
from methods.problem import Problem
from methods.settings import one_of
from methods.transfer import onto, over

T = TypeVar("T")


@dataclass(frozen=True)
class Prepared:
    """A method's estimators by name, and what each has made ready for the prompt."""

    estimators: Mapping[str, Estimator] = field(default_factory=dict)
    ready: Mapping[str, Any] = field(default_factory=dict)

    def name(self, efr: str | None) -> str:
        """The estimator called ``efr``; None is the only one there is. Raises ValueError."""
        names = list(self.estimators)
        if efr is None and len(names) != 1:
            raise ValueError(f"an estimator must be named: there are {', '.join(names) or 'none'}")
        one_of("efr", names[0] if efr is None else efr, names)
        return names[0] if efr is None else efr


NOBODY = Prepared()


def check_shape(what: str, found: Tensor, wanted: Sequence[int]) -> None:
    """Raise ValueError where a tensor has another shape, which broadcasting would hide."""
    if tuple(found.shape) != tuple(wanted):
        raise ValueError(f"{what} must be of shape {tuple(wanted)}, got {tuple(found.shape)}")


def posterior_mean(step: Step) -> Tensor:
    """E[x_0 | x_t], after classifier-free guidance; x itself at the clean end."""
    if step.index == step.steps:
        return step.x
    return step.problem.backbone.posterior_mean(step.x, step.level, step.condition)


@dataclass(frozen=True, eq=False)
class Step:
    """Particles x_t (B, …) in front of a solver step, and whatever is known of them.

    ``index`` of ``steps`` counts the solver's levels, ``visit`` how often the loop has been here
    before. ``noise`` and ``moved`` are the step's own noise and the total shift of x̄_0, once they
    are known (``Steer.after``). ``info`` takes a method's diagnostics: plain numbers and lists.
    ``shared``: more than one of those who are asked differentiates by x_t. Results
    are cached for the step.
    """

    problem: Problem
    solver: Solver
    x: Tensor
    level: Level
    index: int
    steps: int
    condition: Condition
    prepared: Prepared
    visit: int = 0
    shared: bool = False
    noise: Tensor | None = None
    moved: Tensor | None = None
    info: dict[str, Any] = field(default_factory=dict)
    known: dict[Any, Any] = field(default_factory=dict)

    @property
    def x0(self) -> Tensor:
        """The posterior mean E[x_0 | x_t], (B, …)."""
        return self.once(posterior_mean)

    @property
    def moved_mean(self) -> Tensor:
        """The posterior mean with the steers' shifts, which the solver steps with."""
        return self.x0 if self.moved is None else self.x0 + self.moved

    def value(self, efr: str | None = None) -> Tensor:
        """V(x_t), (B,), by the estimator of this name; None: by the only one there is.

        λ r(x_0) at the clean end.
        """
        if self.index == self.steps:
            scale: float = self.prepared.estimators[self.prepared.name(efr)].scale
            return scale * self.once(_reward)
        return self._asked(efr, "value")

    def shift(self, efr: str | None = None) -> Tensor:
        """Tilted posterior mean less posterior mean, (B, …), by the estimator of this name."""
        return self._asked(efr, "shift")

    def _asked(self, efr: str | None, question: str) -> Tensor:
        name = self.prepared.name(efr)
        estimator = self.prepared.estimators[name]
        through = not estimator.requires.isdisjoint(("graph", "jump"))
        if question == "shift" and through and not self.x.requires_grad and self.level.alpha > 0:
            raise ValueError(
                f"estimator {name} differentiates by x_t, and no graph was kept: the "
                "steer that asks for its shift must say requires = frozenset({'shift'})"
            )
        with torch.set_grad_enabled(torch.is_grad_enabled() and through):
            answer: Tensor = self.once(getattr(estimator, question), self.prepared.ready[name])
        check_shape(
            f"the {question} of estimator {name}",
            answer,
            self.x.shape if question == "shift" else self.x.shape[:1],
        )
        return answer

    def ready(self, efr: str | None = None) -> Any:
        """What the estimator of this name has prepared for the prompt."""
        return self.prepared.ready[self.prepared.name(efr)]

    def once(self, function: Callable[..., T], *further: Any) -> T:
        """``function(step, *further)``, computed at the first call and cached for this step.

        ``further`` must be the same at every call: the function alone names the result.
        """
        if function not in self.known:
            self.known[function] = function(self, *further)
        found: T = self.known[function]
        return found

    def guided(self, guider: Guider) -> Condition:
        """The condition with ``guider`` in the place of classifier-free guidance."""
        condition: Any = self.condition
        made: Condition = condition.combined(guider)
        return made

    @property
    def key(self) -> tuple[int, ...]:
        """What names a draw of this step beside image and candidate; a later visit has its own."""
        return (self.index, self.visit) if self.visit else (self.index,)

    def normal(self, shape: Sequence[int], purpose: str, asker: Estimator | None = None) -> Tensor:
        """Standard normal (B, *shape) on the device of x, drawn for each particle by its name.

        ``asker``: the estimator that draws; a second one of its class draws numbers of its own.
        """
        purpose = self._purpose(purpose, asker)
        drawn = self.problem.normal(shape, purpose, *self.key, particles=len(self.x))
        return onto(drawn, self.x)

    def _purpose(self, purpose: str, asker: Estimator | None) -> str:
        alike = [n for n, e in self.prepared.estimators.items() if type(e) is type(asker)]
        own = [name for name in alike if self.prepared.estimators[name] is asker]
        return purpose if own[:1] in ([], alike[:1]) else f"{purpose} {own[0]}"

    def uniform(self, count: int, purpose: str, asker: Estimator | None = None) -> Tensor:
        """(B, count) numbers in [0, 1), float64; ``asker`` as in ``normal``."""
        purpose = self._purpose(purpose, asker)
        names = self.problem.names(len(self.x))
        purpose = self.problem.purpose(purpose)
        draws = [self.problem.noise.uniform(count, purpose, *name, *self.key) for name in names]
        return torch.stack(draws)

    def settled(self) -> Step:
        """The same step without a graph; what is known stays known."""
        known = {function: _detached(found) for function, found in self.known.items()}
        return replace(self, x=self.x.detach(), known=known)

    def part(self, part: slice) -> Step:
        """The step of some neighbouring particles; nothing is known of it yet."""
        x = self.x[part]
        problem = replace(self.problem, first=self.problem.first + part.start, part=len(x))
        return replace(self, problem=problem, x=x, known={})

    def joined(self, parts: Sequence[Step]) -> Step:
        """This step with what its parts, one after the other, have found out."""
        carried = [function for function, found in parts[0].known.items() if _tensors(found)]
        known = {f: _concatenated([part.known[f] for part in parts]) for f in carried}
        condition, own = self.condition, [part.condition for part in parts]
        if any(c is not condition and c.embedding is not condition.embedding for c in own):
            condition = condition.moved(torch.cat([c.embedding for c in own]))
        moves = [part.moved for part in parts if part.moved is not None]
        moved = torch.cat(moves) if moves else None
        return replace(self, condition=condition, moved=moved, known=known)

    def ahead(self, noise: Tensor, of: Tensor | None = None, child: int = 0) -> Step:
        """Where the solver steps to with each of several noises: particles at the next level.

        ``noise`` (B·K, …): K of each particle, neighbours. With ``of`` (M,) it is (M, …), one for
        each of these particles, and the particles found are their children number ``child``.
        Children draw under names of their own. At the end of the levels they are clean.
        """
        count = 1 if of is not None else len(noise) // len(self.x)
        of = torch.arange(len(self.x)).repeat_interleave(count) if of is None else of.cpu()
        names = self.problem.names(len(self.x))
        children = tuple((*names[p], child + k % count) for k, p in enumerate(of.tolist()))
        solver, of = deepcopy(self.solver), over(of, self.x.device)
        solver.select(of)
        x = solver.step(self.moved_mean[of], self.index, self.x[of], noise)
        level = [*solver.levels, solver.end][self.index + 1]
        condition = self.condition
        if condition is not self.problem.condition:  # a particle may have its own
            condition = condition.moved(condition.embedding[of])
        return replace(
            self,
            condition=condition,
            problem=replace(self.problem, children=children),
            solver=solver,
            x=x,
            level=level,
            index=self.index + 1,
            visit=0,
            noise=None,
            moved=None,
            known={},
        )

    def carried(self) -> dict[Any, Any]:
        """What stays known where the loop goes on from here: the posterior mean, if it is."""
        return {f: found for f, found in self.known.items() if f is posterior_mean}

    def select(self, ancestors: Tensor) -> Step:
        """The step of the particles ``ancestors`` (B,).

        Only the posterior mean is carried over, if it is known; other results are dropped.
        """
        moved = None if self.moved is None else self.moved[ancestors]
        known = {f: mean[ancestors] for f, mean in self.carried().items()}
        return replace(self, x=self.x[ancestors], moved=moved, known=known)


def _reward(step: Step) -> Tensor:
    return step.problem.score(step.x)


def _detached(found: Any) -> Any:
    if isinstance(found, Tensor):
        return found.detach()
    return tuple(map(_detached, found)) if isinstance(found, tuple) else found


def _tensors(found: Any) -> bool:
    """Whether something known is a tensor over particles, or a tuple of such."""
    if isinstance(found, tuple):
        return all(map(_tensors, found))
    return isinstance(found, Tensor) and found.ndim > 0


def _concatenated(pieces: Sequence[Any]) -> Any:
    if isinstance(pieces[0], Tensor):
        return torch.cat(list(pieces))
    return tuple(map(_concatenated, zip(*pieces, strict=True)))
