"""The noise ledger: every random draw has a name, and the name decides the draw.

A draw is keyed by (seed, prompt, purpose, image, step, …), so it does not depend on the method,
the batch, the order of prompts, the shard, a resume or the device: x_T and the solver's noise are
the same for every method, and images of a prompt are the same wherever they are made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


def _rewind(bits: np.random.Philox, state: Any, digest: bytes) -> None:
    """Bring ``bits`` to the beginning of the stream that a 16-byte key names."""
    state["state"]["key"][:] = np.frombuffer(digest[::-1], dtype="<u8")
    bits.state = state


@dataclass(frozen=True)
class Ledger:
    """The draws of one (seed, prompt). Float32, on the CPU."""

    seed: int
    prompt: str

    def _digest(self, purpose: str, key: Sequence[int]) -> bytes:
        name = "\x1f".join([str(self.seed), self.prompt, purpose, *map(str, key)])
        return hashlib.blake2b(name.encode(), digest_size=16).digest()

    def __call__(self, shape: Sequence[int], purpose: str, *key: int) -> Tensor:
        """Standard normal numbers of ``shape``."""
        return self.stack(shape, purpose, [key])[0]

    def stack(self, shape: Sequence[int], purpose: str, keys: Sequence[Sequence[int]]) -> Tensor:
        """(len(keys), *shape): the draws of one purpose under several keys, each as if alone."""
        # Not torch.Generator: on the CPU it keeps 32 bits of its seed, and the draws of one
        # experiment are numerous enough to meet a birthday collision there. One Philox is set to
        # each key in turn: making it anew costs three times as much.
        bits = np.random.Philox(key=0)
        state, generator = bits.state, np.random.Generator(bits)
        drawn = np.empty((len(keys), *shape), dtype=np.float32)
        for place, key in enumerate(keys):
            _rewind(bits, state, self._digest(purpose, key))
            generator.standard_normal(dtype=np.float32, out=drawn[place : place + 1])
        return torch.from_numpy(drawn)

    def uniform(self, count: int, purpose: str, *key: int) -> Tensor:
        """``count`` uniform numbers in [0, 1), float64."""
        bits = np.random.Philox(key=int.from_bytes(self._digest(purpose, key), "big"))
        return torch.from_numpy(np.random.Generator(bits).random(count))
