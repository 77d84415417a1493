"""A steer and settings that do nothing, for others to override; the choice of an estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from torch import Tensor

from methods.interfaces import (
    Condition,
    Estimator,
    EstimatorSettings,
    Level,
    Problem,
    Solver,
)
from methods.price import Calls
from methods.settings import one_of
from methods.steering import Course, Finals, Run, Setup, State

T = TypeVar("T")


class NoSteer:
    """Every hook of the Steer protocol at its neutral value."""

    def condition(self, x: Tensor, level: Level, step: int, condition: Condition) -> Condition:
        return condition

    def needs_gradient(self, level: Level) -> bool:
        return False

    def shift(self, state: State) -> Tensor | None:
        return None

    def recurrences(self, level: Level) -> int:
        return 0

    def select(self, state: State) -> Tensor | None:
        return None

    def follow(self, ancestors: Tensor) -> None:
        return

    def stepped(self, state: State, shift: Tensor | None, noise: Tensor, solver: Solver) -> None:
        return

    def finish(self, finals: Finals) -> Finals:
        return finals

    def info(self) -> Mapping[str, Any]:
        return {}


class Plain:
    """Every method of SteerSettings but ``prepare`` at its neutral value."""

    label: ClassVar[str]
    order: ClassVar[int] = 0
    candidates: ClassVar[int] = 1
    starts: ClassVar[bool] = False
    scores: ClassVar[bool] = False
    keeps: ClassVar[bool] = False

    def check(self, setup: Setup) -> None:
        return

    def joint(self, candidates: int) -> bool:
        return False

    def needs_gradient(self, estimators: Mapping[str, EstimatorSettings]) -> bool:
        return False

    def begin(
        self, problem: Problem, estimators: Mapping[str, Estimator], run: Run
    ) -> Finals | None:
        return None

    def course(self, course: Course) -> Course:
        return course

    def price(self, course: Course) -> Calls:
        return Calls()


class Choice(Plain):
    """Settings that name one estimator by ``efr``; None means the only one there is."""

    efr: str | None = None

    def name(self, estimators: Mapping[str, T]) -> str:
        """The chosen estimator's name. Raises ValueError where the choice is open or unknown."""
        key = f"method.steer.{self.label}.efr"
        if not estimators:
            raise ValueError(f"{key}: the method has no estimator; add one under method.efr")
        if self.efr is None and len(estimators) > 1:
            raise ValueError(f"{key} must be one of {', '.join(estimators)}: there are several")
        name = next(iter(estimators)) if self.efr is None else self.efr
        one_of(key, name, list(estimators))
        return name

    def chosen(self, estimators: Mapping[str, T]) -> T:
        """The chosen estimator; raises as ``name``."""
        return estimators[self.name(estimators)]

    def check(self, setup: Setup) -> None:
        self.chosen(setup.estimators)
