"""A judge from outside the package.

It is an object with ``judge(metadata, images) -> dict``, whose verdicts go into the record as
``geneval`` and ``reasons`` and the rest as ``judged``, or a detector with ``examine(images)``,
whose detections GenEval's protocol judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from bench.errors import BenchError
from bench.geneval.detector import Detections
from bench.judge.clutter import judged
from bench.outside import TARGET, arguments, called, check_call, digest, load
from bench.prompts.choice import Metadata

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class OutsideJudge:
    """``made``: the user's object, with ``judge`` or ``examine``. ``source``: its code's digest."""

    made: Any
    source: str

    @property
    def thresholds(self) -> Mapping[str, Any]:
        return getattr(self.made, "thresholds", {})

    def examine(self, images: Tensor) -> Sequence[Detections]:
        found: Sequence[Detections] = self.made.examine(images)
        return found

    def prove(self) -> None:
        if hasattr(self.made, "prove"):
            self.made.prove()

    def digest(self) -> str:
        own = getattr(self.made, "digest", None)
        return f"{self.source} {own()}" if callable(own) else self.source

    def judge(self, metadata: Metadata, images: Tensor) -> dict[str, Any]:
        """The judge's part of a record: "geneval", true or false for each image; "reasons", what
        was wrong with each; and under "judged" whatever else it says."""
        if not hasattr(self.made, "judge"):
            return judged(self, metadata, images)
        said = self.made.judge(metadata, images)
        if not isinstance(said, dict):
            raise TypeError(f"the judge must return a dict, got {type(said).__name__}")
        more = {key: value for key, value in said.items() if key not in ("geneval", "reasons")}
        record: dict[str, Any] = {"judged": more} if more else {}
        if "geneval" not in said:
            return record
        if len(said["geneval"]) != len(images):
            raise ValueError(
                f"the judge must give a verdict for each of {len(images)} images, got "
                f"{len(said['geneval'])}"
            )
        reasons = said.get("reasons", [[] for _ in images])
        return record | {"geneval": [*map(bool, said["geneval"])], "reasons": reasons}


def check(settings: Settings) -> None:
    """Raise BenchError where the class or function is not there, or takes no such arguments."""
    check_call(load(settings.get(TARGET), f"judge.{TARGET}"), arguments(settings), "judge")


def make(settings: Settings) -> OutsideJudge:
    """The judge of a configuration with a ``_target_``, put to its own self-test if it has one."""
    made = called(load(settings[TARGET], f"judge.{TARGET}"), arguments(settings), "judge")
    if not (hasattr(made, "judge") or hasattr(made, "examine")):
        raise BenchError(
            f"judge.{TARGET}: {settings[TARGET]} gave an object of type {type(made).__name__}, "
            "which has neither judge(metadata, images) nor examine(images)"
        )
    judge = OutsideJudge(made, digest(settings[TARGET]))
    judge.prove()
    return judge
