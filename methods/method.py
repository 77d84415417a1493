"""A method: how V is estimated, and what is done with the estimates."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import prod

from methods.base import Estimator, Steer
from methods.needs import ASKED
from methods.settings import one_of


@dataclass(frozen=True)
class Method:
    """Estimators and steers by name. Steers that pick among finished candidates, such as best_of_n,
    must come last.

    ``steps_factor`` multiplies the target solver's steps (the compute-matched vanilla control).
    ``best_seen``: of each image not the last sample is delivered but the best that was decoded and
    scored on the way (``methods.seen``), if it scores higher; for that what is delivered is scored.
    Raises ValueError for a factor below 1, and for steers out of order.
    """

    name: str
    estimators: Mapping[str, Estimator] = field(default_factory=dict)
    steers: Mapping[str, Steer] = field(default_factory=dict)
    steps_factor: int = 1
    best_seen: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.steps_factor, int) or self.steps_factor < 1:
            raise ValueError(f"steps_factor must be an integer >= 1, got {self.steps_factor!r}")
        if not isinstance(self.best_seen, bool):
            raise ValueError(f"best_seen must be true or false, got {self.best_seen!r}")
        if self.best_seen and not self.steers:
            raise ValueError("best_seen changes nothing where a method decodes nothing on its way")
        picks = ["pick" in steer.requires for steer in self.steers.values()]
        if picks != sorted(picks):
            raise ValueError(
                "method.steer: a steer that picks among finished candidates, such as best_of_n, "
                f"comes last, got {', '.join(self.steers)}"
            )

    @property
    def candidates(self) -> int:
        """Particles per delivered image."""
        return prod(steer.candidates for steer in self.steers.values())

    def parts(self) -> list[tuple[str, Estimator | Steer]]:
        """Estimators, then steers, each with its key in the configuration."""
        return [
            *((f"method.efr.{name}", part) for name, part in self.estimators.items()),
            *((f"method.steer.{name}", part) for name, part in self.steers.items()),
        ]

    @property
    def joint(self) -> bool:
        """Whether a prompt's images must be sampled together."""
        sizes = [steer.population for steer in self.steers.values()]
        return any(size is None or self.candidates % size for size in sizes)

    @property
    def differentiates(self) -> bool:
        """Whether sampling keeps a graph, whose size grows with the images sampled together."""
        return any(map(self.derives, self.steers))

    def derives(self, label: str) -> bool:
        """Whether a steer differentiates, itself or by its estimators."""
        return "derivative" in self.needs(label)

    def asked(self, label: str) -> list[str]:
        """Names of the estimators that a steer asks: its own, all, or none.

        Raises ValueError where the choice is open or unknown.
        """
        steer, names = self.steers[label], list(self.estimators)
        if "every" in steer.requires:
            return names
        if not set(steer.requires) & set(ASKED):
            return []
        where = f"method.steer.{label}.efr"
        if not names:
            raise ValueError(f"{where}: the method has no estimator; add one under method.efr")
        if steer.efr is None and len(names) > 1:
            raise ValueError(f"{where} must be one of {', '.join(names)}: there are several")
        name = names[0] if steer.efr is None else steer.efr
        one_of(where, name, names)
        return [name]

    def needs(self, label: str) -> frozenset[str]:
        """What a steer requires, with what its estimators do.

        A steer that uses only values needs no derivative.
        """
        words = frozenset(self.steers[label].requires)
        for name in self.asked(label):
            its = self.estimators[name].requires
            words |= its if "shift" in words else its - {"derivative", "graph", "jump"}
        return words

    def graphs(self, label: str, words: Collection[str] = ("graph", "jump")) -> int:
        """How often a steer's shift differentiates by x_t: through the denoiser, where ``words``
        has "graph", or through a distilled one, where it has "jump"."""
        steer = self.steers[label]
        asked = self.asked(label) if "shift" in steer.requires else []
        every = [steer.requires, *(self.estimators[name].requires for name in asked)]
        return sum(not requires.isdisjoint(words) for requires in every)
