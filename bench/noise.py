"""The noise ledger: every random draw has a name, and the name decides the draw.

A draw is keyed by (seed, prompt, purpose, image, step, …), so it does not depend on the method,
the batch, the order of prompts, the shard, a resume or the device: x_T and the solver's noise are
the same for every method, and images of a prompt are the same wherever they are made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Ledger:
    """The draws of one (seed, prompt). Float32, on the CPU."""

    seed: int
    prompt: str

    def _generator(self, purpose: str, key: Sequence[int]) -> np.random.Generator:
        # Not torch.Generator: on the CPU it keeps 32 bits of its seed, and the draws of one
        # experiment are numerous enough to meet a birthday collision there.
        name = "\x1f".join([str(self.seed), self.prompt, purpose, *map(str, key)])
        digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "big")))

    def __call__(self, shape: Sequence[int], purpose: str, *key: int) -> Tensor:
        """Standard normal numbers of ``shape``."""
        draw = self._generator(purpose, key).standard_normal(tuple(shape), dtype=np.float32)
        return torch.from_numpy(draw)

    def uniform(self, count: int, purpose: str, *key: int) -> Tensor:
        """``count`` uniform numbers in [0, 1), float64."""
        return torch.from_numpy(self._generator(purpose, key).random(count))
