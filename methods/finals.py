"""Clean latents at the end of sampling, decoded and scored at most once each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from methods.problem import Problem
from methods.seen import Scored, Seen
from methods.state import NOBODY, Prepared


class Finals:
    """Clean latents at the end of sampling, decoded and scored at most once each."""

    def __init__(
        self,
        problem: Problem,
        latents: Tensor,
        images: Tensor | None = None,
        rewards: Tensor | None = None,
        info: dict[str, Any] | None = None,
        prepared: Prepared = NOBODY,
    ):
        self.problem, self.latents, self.prepared = problem, latents, prepared
        self.info: dict[str, Any] = {} if info is None else info
        self._images, self._rewards = images, rewards

    def images(self) -> Tensor:
        if self._images is None:
            self._images = self.problem.backbone.decode(self.latents)
        return self._images

    def rewards(self) -> Tensor:
        """(B,) by the guiding reward."""
        if self._rewards is None:
            self._rewards = self.problem.score_images(self.images())
            self.problem.note(self.latents, self.images(), self._rewards)
        return self._rewards

    def value(self, efr: str | None = None) -> Tensor:
        """V of what is finished, λ r(x_0), (B,), with the λ of the estimator of this name."""
        return self.prepared.estimators[self.prepared.name(efr)].scale * self.rewards()

    def select(self, index: Tensor) -> Finals:
        """The samples at these places of the batch."""

        def picked(values: Tensor | None) -> Tensor | None:
            return None if values is None else values[index]

        images, rewards = picked(self._images), picked(self._rewards)
        latents = self.latents[index]
        return Finals(self.problem, latents, images, rewards, self.info, self.prepared)

    def or_better(self, seen: Seen) -> Finals:
        """These samples, or the best seen of their images where it scores higher."""
        own = Scored(self.latents, self.images(), self.rewards())
        best = seen.better(own, self.problem.first // self.problem.candidates)
        return Finals(self.problem, best.latents, best.images, best.rewards, self.info)

    def better(self, other: Finals) -> Finals:
        """Of each two samples the one of the higher reward, these where they are equal."""
        higher = other.rewards() > self.rewards()
        index = torch.arange(len(higher), device=higher.device)
        return self.joined(other).select(index + len(higher) * higher)

    def joined(self, other: Finals) -> Finals:
        """These samples and then the other ones, all decoded and scored."""
        pairs = [
            (self.latents, other.latents),
            (self.images(), other.images()),
            (self.rewards(), other.rewards()),
        ]
        latents, images, rewards = (torch.cat(pair) for pair in pairs)
        return Finals(self.problem, latents, images, rewards, self.info, self.prepared)
