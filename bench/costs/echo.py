"""Models that compute next to nothing: a method that runs on them calls what it always calls."""

from __future__ import annotations

from copy import copy
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from bench.backbones.latent import LatentDiffusion

LITTLE = 0.1


class Network:
    """In a network's place; its type, sizes and settings."""

    def __init__(self, model: Any):
        self.config, self.dtype = model.config, model.dtype


class Denoiser(Network):
    """Returns some of its input, by a function whose derivative needs what was computed: where a
    method computes that again for its gradient, it is called again.

    A UNet's middle block, which perturbed-attention guidance changes, is there and never called.
    """

    def __init__(self, model: Any):
        super().__init__(model)
        self.mid_block = getattr(model, "mid_block", None)

    def __call__(self, *given: Any, **named: Any) -> Any:
        x = given[0] if given else named["hidden_states"]
        text = given[2] if given else named["encoder_hidden_states"]
        seen = text.mean(dim=(1, 2)).reshape(-1, *[1] * (x.ndim - 1))
        return SimpleNamespace(sample=LITTLE * torch.tanh(x + seen))


class Decoder(Network):
    """Enlarges the latent's first three channels."""

    def __init__(self, model: Any, side: int):
        super().__init__(model)
        self.side = side

    def decode(self, z: Tensor) -> Any:
        return SimpleNamespace(sample=interpolate(z[:, :3], (self.side, self.side)))


class Brightness:
    """A reward with a derivative, if the one in whose place it stands has one."""

    def __init__(self, differentiable: bool):
        self.name, self.differentiable = "brightness", differentiable

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        found = images.mean(dim=(1, 2, 3))
        return found if self.differentiable else found.detach()


def echoing(backbone: LatentDiffusion) -> LatentDiffusion:
    """The backbone with such networks: text encoders, solvers and batches stay."""
    made = copy(backbone)
    made.vae = Decoder(backbone.vae, 8)
    made.teacher = made.denoiser = Denoiser(backbone.teacher)
    made.students = dict.fromkeys(backbone.students, made.teacher)
    made.device = torch.device("cpu")
    return made
