"""Any callable (images, prompt) -> (B,) as a reward: tried once, and checked at each call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.errors import BenchError

Call = Callable[[Tensor, str], Any]


def name_of(call: Any) -> str:
    """What messages call it: its ``name``, the function's name, or its class's."""
    given = getattr(call, "name", None) or getattr(call, "__name__", None)
    return str(given or type(call).__name__)


@dataclass
class FunctionReward:
    """A callable as a reward; ``call`` may return a tensor, an array or a list of B numbers."""

    call: Call
    name: str
    differentiable: bool

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B,) float32 on the images' device. Raises ValueError for any
        other shape."""
        scores = torch.as_tensor(self.call(images, prompt))
        if scores.shape != (len(images),):
            raise ValueError(
                f"the reward {self.name} must return one number for each image, shape "
                f"({len(images)},), got {tuple(scores.shape)}"
            )
        return scores.to(images.device, torch.float32)


def as_reward(
    call: Any, prompt: str, pixels: int = 64, device: torch.device | str = "cpu"
) -> FunctionReward:
    """``call`` as a reward, after one trial on two random images of ``pixels`` × ``pixels``.

    The trial tells whether the scores have a derivative in the images; an attribute
    ``differentiable`` of ``call`` can only deny it. Raises BenchError where ``call`` cannot be
    called so, raises, or returns scores of another shape or that are not finite.
    """
    if not callable(call):
        raise BenchError(
            f"a reward must be a function (images, prompt) -> (B,), got {type(call).__name__}"
        )
    reward = FunctionReward(call, name_of(call), bool(getattr(call, "differentiable", True)))
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, pixels, pixels, generator=generator).to(device)
    try:
        with torch.enable_grad():
            scores = reward(images.requires_grad_(), prompt)
            reward.differentiable &= _reaches(scores, images)
    except BenchError:
        raise
    except Exception as error:
        said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise BenchError(
            f"the reward {reward.name} failed when it was tried on images {tuple(images.shape)} in "
            f"[0, 1] and the prompt {prompt!r}: {said}"
        ) from error
    if not torch.isfinite(scores).all():
        raise BenchError(
            f"the reward {reward.name} is not finite on random images and the prompt {prompt!r}: "
            f"{scores.tolist()}"
        )
    return reward


def _reaches(scores: Tensor, images: Tensor) -> bool:
    """Whether a gradient passes from the scores back to the images."""
    if not scores.requires_grad:
        return False
    (gradient,) = torch.autograd.grad(scores.sum(), images, allow_unused=True)
    return gradient is not None
