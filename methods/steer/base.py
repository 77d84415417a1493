"""A steer that does nothing, for others to override, and the choice of a steer's estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from torch import Tensor

from methods.interfaces import EstimatorSettings, Finals, Level, State
from methods.settings import one_of

T = TypeVar("T")


class NoSteer:
    """Every hook of the Steer protocol at its neutral value."""

    def start(self) -> Finals | None:
        return None

    def needs_gradient(self, level: Level) -> bool:
        return False

    def shift(self, state: State) -> Tensor | None:
        return None

    def select(self, state: State) -> Tensor | None:
        return None

    def finish(self, finals: Finals) -> Finals:
        return finals

    def info(self) -> Mapping[str, Any]:
        return {}


class Choice:
    """Settings that name one estimator by ``efr``; None means the only one there is."""

    label: ClassVar[str]
    candidates: ClassVar[int] = 1
    efr: str | None = None

    def chosen(self, estimators: Mapping[str, T]) -> T:
        """The chosen estimator. Raises ValueError where the choice is open or unknown."""
        key = f"method.steer.{self.label}.efr"
        if not estimators:
            raise ValueError(f"{key}: the method has no estimator; add one under method.efr")
        if self.efr is None and len(estimators) > 1:
            raise ValueError(f"{key} must be one of {', '.join(estimators)}: there are several")
        name = next(iter(estimators)) if self.efr is None else self.efr
        one_of(key, name, list(estimators))
        return estimators[name]

    def check(
        self, estimators: Mapping[str, EstimatorSettings], images: int, particles: int
    ) -> None:
        self.chosen(estimators)

    def needs_gradient(self, estimators: Mapping[str, EstimatorSettings]) -> bool:
        return False
