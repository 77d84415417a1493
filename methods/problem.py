"""One prompt to be sampled: the inputs of a method, which must not change them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from methods.interfaces import Backbone, Condition, Noise, Reward
from methods.kernel import GAUSSIAN, Kernel
from methods.seen import Scored, Seen
from methods.transfer import onto, over

Phase = Callable[[str], AbstractContextManager[Any]]
Drawn = tuple[Tensor, ...]
Reuse = Callable[[Mapping[str, Any], Callable[[], Drawn]], Drawn]


@contextmanager
def no_phase(name: str) -> Iterator[None]:
    """A clock that does not run."""
    yield


def anew(key: Mapping[str, Any], draw: Callable[[], Drawn]) -> Drawn:
    """Draw again whatever is asked for: nothing is reused."""
    return draw()


@contextmanager
def located(where: str) -> Iterator[None]:
    """Say where a reward was not finite."""
    try:
        yield
    except FloatingPointError as error:
        raise FloatingPointError(f"{error}, {where}") from None


@dataclass(frozen=True)
class Problem:
    """One prompt, its prior and reward, and where its noise comes from.

    ``images``: how many to deliver. ``candidates``: particles per image. ``first``: how many of the
    prompt's particles come before these. ``graph``: the most particles that are differentiated at a
    time, None for all; it changes samples by rounding alone. ``phase``: a clock's context, by the
    name of what is being done. ``keep``: whether estimators keep the images that they decoded, for
    a steer to deliver. ``reuse``: gives back what was drawn for the same prompt under the same key,
    such as lookahead samples in a sweep, or draws it. ``children``: names (image, candidate, child)
    of the particles, where they are some of those that a step may lead to. ``part``: how many
    particles these are, where they are not all of its images'. ``seen`` keeps the best that was
    scored on the way; None keeps nothing.
    """

    backbone: Backbone
    reward: Reward
    noise: Noise
    prompt: str
    condition: Condition
    images: int
    solver: str
    steps: int
    candidates: int = 1
    first: int = 0
    graph: int | None = None
    phase: Phase = no_phase
    keep: bool = False
    reuse: Reuse = anew
    children: tuple[tuple[int, ...], ...] | None = None
    part: int | None = None
    seen: Seen | None = None

    @property
    def kernel(self) -> Kernel:
        """The kind of noise: the backbone's ``kernel``, or Gaussian where it says nothing."""
        kernel: Kernel = getattr(self.backbone, "kernel", GAUSSIAN)
        return kernel

    def under(self, solver: str, cfg: float | None = None) -> Problem:
        """The problem with the model to run under this solver, perhaps a distilled denoiser, and
        its condition; ``cfg``: the guidance weight, None for the model's own."""
        backbone, condition = self.backbone.under(solver), self.condition
        if cfg is not None or backbone is not self.backbone:
            condition = backbone.encode(self.prompt, cfg, condition)
        return replace(self, backbone=backbone, condition=condition)

    def names(self, particles: int) -> list[tuple[int, ...]]:
        """(image, candidate) of each particle: the candidates of one image are neighbours.

        Noise is drawn under these names, so candidate 0 of image i meets vanilla's image i's.
        """
        if self.children is not None:
            return list(self.children)
        return [divmod(self.first + p, self.candidates) for p in range(particles)]

    def owners(self, samples: int) -> list[int] | None:
        """The image of each of so many samples, those of one particle being neighbours.

        None where their number is no multiple of the particles' or the images'.
        """
        if self.children is not None or self.part is not None:
            owners = [name[0] for name in self.names(self.part or 0)]
        else:
            owners = [self.first // self.candidates + i for i in range(self.images)]
        each = samples // len(owners)
        return None if samples % len(owners) else [o for o in owners for _ in range(each)]

    def note(self, x0: Tensor, images: Tensor, rewards: Tensor) -> None:
        """Let samples of particles or images that were decoded and scored be seen."""
        owners = None if self.seen is None else self.owners(len(rewards))
        if self.seen is not None and owners is not None:
            self.seen.note(Scored(x0, images, rewards), owners)

    def purpose(self, purpose: str) -> str:
        """What a draw is for; children draw under purposes of their own."""
        return purpose if self.children is None else f"{purpose} ahead"

    def block(self, group: int, size: int) -> int:
        """The number of a group of ``size`` neighbours, whichever images are sampled together."""
        return self.first // size + group

    def normal(self, shape: Sequence[int], purpose: str, *key: int, particles: int) -> Tensor:
        """Standard normal (particles, *shape) on the host, each particle's under its own name."""
        names = [(*name, *key) for name in self.names(particles)]
        return self.noise.stack(shape, self.purpose(purpose), names)

    def normal_like(self, x: Tensor, purpose: str, *key: int) -> Tensor:
        """Standard normal numbers in the shape and type of x (B, …) and on its device."""
        return onto(self.normal(x.shape[1:], purpose, *key, particles=len(x)), x)

    def initial(self, particles: int, purpose: str = "initial") -> Tensor:
        """Standard normal (particles, *latent shape) to start from, on the backbone's device."""
        drawn = self.normal(self.backbone.latent_shape, purpose, particles=particles)
        return over(drawn, self.backbone.device)

    def score(self, x0: Tensor) -> Tensor:
        """Rewards (B,) of clean latents, for the loop: decode, then judge.

        As ``score_images`` on a CPU. On an accelerator nobody looks at them here: at every step
        that would hold up the host. What is not finite then spreads to the samples, which are
        checked after the loop, or stops whoever reads it on the host.
        """
        images = self.backbone.decode(x0)
        on_host = images.device.type == "cpu"
        rewards = self.score_images(images) if on_host else self.reward(images, self.prompt)
        self.note(x0, images, rewards)
        return rewards

    def score_images(self, images: Tensor) -> Tensor:
        """Rewards (B,) of images. Raises FloatingPointError on NaN or infinity."""
        rewards = self.reward(images, self.prompt)
        if not torch.isfinite(rewards.detach()).all():
            name = getattr(self.reward, "name", type(self.reward).__name__)
            raise FloatingPointError(
                f"reward {name} gave a value that is not finite for the prompt {self.prompt!r}"
            )
        return rewards
