"""Clean latents at the end of sampling, decoded and scored at most once each."""

from __future__ import annotations

from typing import Any

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

    def scored(self) -> Scored:
        """The samples with their images and rewards."""
        return Scored(self.latents, self.images(), self.rewards())

    def or_better(self, seen: Seen) -> Finals:
        """These samples, or the best seen of their images where it scores higher."""
        return self._of(seen.better(self.scored(), self.problem.first // self.problem.candidates))

    def better(self, other: Finals) -> Finals:
        """Of each two samples the one of the higher reward, these where they are equal."""
        return self._of(self.scored().or_better(other.scored()))

    def _of(self, found: Scored) -> Finals:
        parts = (found.latents, found.images, found.rewards)
        return Finals(self.problem, *parts, self.info, self.prepared)
