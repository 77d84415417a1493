"""Self-recurrence (universal guidance, arXiv 2302.07121, section 3.3; RePaint, arXiv 2201.09865).

Before the step that counts, k times: step down to the next level, guided, and be noised up again.
The way down is an ancestral step with the target solver's η, whatever the solver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from methods.interfaces import Estimator, Level, Problem
from methods.settings import interval, whole
from methods.steer.base import NoSteer, Plain
from methods.steer.guidance import active
from methods.steering import Course


@dataclass(frozen=True)
class Recurrence(NoSteer):
    settings: RecurrenceSettings

    def recurrences(self, level: Level) -> int:
        return self.settings.repeats if active(self.settings.interval, level) else 0


@dataclass(frozen=True)
class RecurrenceSettings(Plain):
    """``repeats`` k >= 0 while t/T lies in ``interval``: all that a step costs, k times more."""

    label: ClassVar[str] = "recurrence"
    repeats: int = 1
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        whole("repeats", self.repeats, 0)
        interval("interval", self.interval)

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> Recurrence:
        return Recurrence(self)

    def course(self, course: Course) -> Course:
        levels = [
            level
            for level in course.levels
            for _ in range(1 + (self.repeats if active(self.interval, level) else 0))
        ]
        return replace(course, levels=levels)
