"""A reward from outside the package: a function of (images, prompt), or what a factory makes.

``differentiable``, ``digest()`` and ``cut(prompt)`` of it are used where it has them. Where it does
not say whether it is differentiable, a trial on two small images tells.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import BenchError
from bench.outside import TARGET, arguments, called, check_call, digest, load
from bench.rewards.function import Call, FunctionReward, as_reward, name_of

Settings = Mapping[str, Any]
PROMPT = "a photo of a cat"  # of the trial


@dataclass
class OutsideReward(FunctionReward):
    """``source``: the digest of its code."""

    source: str

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B,), finite numbers unless a gradient is asked for."""
        scores = super().__call__(images, prompt)
        if not scores.requires_grad and not torch.isfinite(scores).all():
            raise FloatingPointError(
                f"the reward {self.name} is not finite for the prompt {prompt!r}: {scores.tolist()}"
            )
        return scores

    def digest(self) -> str:
        own = getattr(self.call, "digest", None)
        return f"{self.source} {own()}" if callable(own) else self.source

    def cut(self, prompt: str) -> int:
        own = getattr(self.call, "cut", None)
        return int(own(prompt)) if callable(own) else 0


def check(given: Settings, where: str) -> Any:
    """What ``_target_`` names. BenchError where it is not there, or does not take its arguments."""
    target, own = load(given[TARGET], f"{where}.{TARGET}"), arguments(given)
    if not _scores(target, own):
        try:
            check_call(target, own, where)
        except BenchError as error:
            raise BenchError(
                f"{error} ({given[TARGET]} is no function of (images, prompt), so it is called to "
                "make one)"
            ) from None
    return target


def stated(given: Settings, where: str) -> bool | None:
    """Whether it says, without being made, that it is differentiable; None where it does not."""
    said = getattr(check(given, where), "differentiable", None)
    return said if isinstance(said, bool) else None


def make(given: Settings, where: str, device: torch.device) -> OutsideReward:
    """The reward on ``device``. Raises BenchError where it cannot be made or fails its trial."""
    target, own = check(given, where), arguments(given)
    ready = _scores(target, own)
    call: Call = (
        (partial(target, **own) if own else target) if ready else called(target, own, where)
    )
    if isinstance(call, nn.Module):
        call = call.to(device).eval()
    said = getattr(target if ready else call, "differentiable", None)
    known = isinstance(said, bool)
    tried = None if known else as_reward(call, PROMPT, device=device)
    slope = bool(said) if tried is None else tried.differentiable
    return OutsideReward(call, name_of(call), slope, digest(given[TARGET]))


def _scores(target: Any, own: Settings) -> bool:
    """Whether ``target`` is the reward itself: an object, or a function of two arguments without
    defaults beside those that it is given."""
    if not callable(target) or isinstance(target, type):
        return False
    if not inspect.isroutine(target):
        return not own
    try:
        signature = inspect.signature(target)
        signature.bind(None, None, **own)
    except (TypeError, ValueError):
        return False
    first = list(signature.parameters.values())[:2]
    return len(first) == 2 and all(p.default is p.empty for p in first)
