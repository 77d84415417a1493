"""What estimators share: flags at their usual values, and a memory of the last x_t."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from torch import Tensor

from methods.interfaces import Estimator, EstimatorSettings, Problem

T = TypeVar("T")


class Flags:
    """What EstimatorSettings usually are: no flag set, and prepared in no time."""

    gradient: ClassVar[bool] = False
    analytic: ClassVar[bool] = False
    conditional: ClassVar[bool] = False
    shared: ClassVar[bool] = False

    def again(self: EstimatorSettings, prepared: Estimator, problem: Problem) -> Estimator:
        return self.prepare(problem)


class Memory(Generic[T]):
    """What was found at one x_t and step, so that guidance and SMC do not pay for it twice.

    The tensor itself is kept, so its address cannot come to mean another.
    """

    def __init__(self) -> None:
        self._at: tuple[int, Tensor] | None = None
        self._found: T | None = None

    def recall(self, x: Tensor, step: int) -> T | None:
        if self._at is None or self._at[0] != step:
            return None
        same = self._at[1].data_ptr() == x.data_ptr() and self._at[1].shape == x.shape
        return self._found if same else None

    def keep(self, x: Tensor, step: int, found: T) -> T:
        self._at, self._found = (step, x.detach()), found
        return found
