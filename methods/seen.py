"""The best that a method has decoded and scored on its way, for each delivered image.

Nothing of it costs a call: what is kept was decoded and scored for the method's own purposes. On
an accelerator the host waits for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from methods.transfer import over


@dataclass(frozen=True)
class Scored:
    """Clean latents (n, …), their decoded images (n, …) and rewards (n,)."""

    latents: Tensor
    images: Tensor
    rewards: Tensor

    def settled(self) -> Scored:
        """Without a graph."""
        return Scored(self.latents.detach(), self.images.detach(), self.rewards.detach())

    def at(self, index: Tensor | slice) -> Scored:
        return Scored(self.latents[index], self.images[index], self.rewards[index])

    def joined(self, other: Scored) -> Scored:
        return Scored(
            torch.cat([self.latents, other.latents]),
            torch.cat([self.images, other.images]),
            torch.cat([self.rewards, other.rewards]),
        )

    def or_better(self, other: Scored) -> Scored:
        """Place by place the one of the higher reward; this one where they are equal."""
        better = other.rewards > self.rewards

        def chosen(own: Tensor, others: Tensor) -> Tensor:
            return torch.where(better.reshape(-1, *[1] * (own.ndim - 1)), others, own)

        return Scored(
            chosen(self.latents, other.latents.to(self.latents)),
            chosen(self.images, other.images),
            chosen(self.rewards, other.rewards),
        )


class Seen:
    """What has been seen of a prompt's images so far.

    A sample that was scored for a particle belongs to that particle's image. Samples of the prompt
    as a whole, such as lookahead samples, belong to none: the best of them are dealt out, the i-th
    best to image i, so that no two images get the same one.
    """

    def __init__(self, images: int):
        self.images = images
        self._own: Scored | None = None
        self._shared: Scored | None = None

    def note(self, scored: Scored, owners: Sequence[int]) -> None:
        """Samples that belong to the images ``owners`` (n,)."""
        scored = _settled(scored)
        if self._own is None:
            self._own = Scored(
                scored.latents.new_zeros(self.images, *scored.latents.shape[1:]),
                scored.images.new_zeros(self.images, *scored.images.shape[1:]),
                scored.rewards.new_full((self.images,), -torch.inf),
            )
        low, count, rewards = min(owners), max(owners) - min(owners) + 1, scored.rewards
        owner = over(torch.tensor(owners) - low, rewards.device)
        top = rewards.new_full((count,), -torch.inf).scatter_reduce(0, owner, rewards, "amax")
        n = len(rewards)
        rows = torch.arange(n, device=rewards.device)
        rows = torch.where(rewards == top[owner], rows, n)
        row = owner.new_full((count,), n).scatter_reduce(0, owner, rows, "amin")
        found = scored.at(row.clamp(max=n - 1))  # an image without a row stands at -inf
        part = slice(low, low + count)
        better = self._own.at(part).or_better(Scored(found.latents, found.images, top))
        self._own.latents[part], self._own.images[part] = better.latents, better.images
        self._own.rewards[part] = better.rewards

    def share(self, scored: Scored) -> None:
        """Samples that belong to no image."""
        scored = _settled(scored)
        both = scored if self._shared is None else self._shared.joined(scored)
        order = both.rewards.argsort(descending=True, stable=True)
        self._shared = both.at(order[: self.images])

    def better(self, own: Scored, first: int) -> Scored:
        """Of each image, ``first`` and on, ``own``, or the best seen where it scores higher."""
        part = slice(first, first + len(own.rewards))
        if self._own is not None:
            own = own.or_better(self._own.at(part))
        if self._shared is not None:
            dealt = self._shared.at(part)
            some = len(dealt.rewards)
            own = own.at(slice(some)).or_better(dealt).joined(own.at(slice(some, None)))
        return own


def _settled(scored: Scored) -> Scored:
    """Without a graph; what has no finite reward is never the best."""
    scored = scored.settled()
    rewards = torch.where(torch.isfinite(scored.rewards), scored.rewards, -torch.inf)
    return replace(scored, rewards=rewards)
