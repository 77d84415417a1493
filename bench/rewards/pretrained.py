"""What every pretrained reward shares: settings, where weights come from, batches, a head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import torch
from torch import Tensor, nn

from bench.device import DTYPES
from bench.errors import BenchError
from bench.weights.files import PICKLED, digest, read_tensors
from bench.weights.source import Source, locate, mark_of, matching
from methods.settings import one_of, whole

M = TypeVar("M", bound=nn.Module)
NAMED = ("pretrained", "random", "tiny")
SOURCE_KEYS = ("repo", "revision", "files", "gb")


def check_source(key: str, given: Any) -> None:
    """Raise ValueError unless ``given`` is a mapping with the keys of a pinned source."""
    if not isinstance(given, Mapping) or sorted(given) != sorted(SOURCE_KEYS):
        raise ValueError(f"{key} must have the keys {', '.join(SOURCE_KEYS)}, got {given!r}")


def check_place(key: str, given: str) -> None:
    """Raise ValueError unless ``given`` is a name in NAMED or a path to something."""
    if given not in NAMED and not Path(given).expanduser().exists():
        raise ValueError(
            f"{key} must be {', '.join(NAMED)}, or the path of a checkpoint or of its folder; "
            f"there is nothing at {given!r}"
        )


@dataclass(frozen=True)
class Pretrained:
    """``weights``: "pretrained" (``source``, on the hub), "random" (the true sizes, to measure
    cost), "tiny" (random and small, to try the harness), or a checkpoint's or its folder's path.

    ``tokenizer``: a pinned source, a folder, or None for the weights' own folder. ``batch``: most
    pictures in one call. ``dtype``: what the network computes in.
    """

    weights: str = "pretrained"
    source: Any = None
    tokenizer: Any = None
    batch: int = 16
    dtype: str = "float32"

    def __post_init__(self) -> None:
        check_place("weights", self.weights)
        if self.weights == "pretrained":
            check_source("source", self.source)
        if isinstance(self.tokenizer, str):
            if not Path(self.tokenizer).expanduser().is_dir():
                raise ValueError(f"tokenizer: there is no folder {self.tokenizer!r}")
        elif self.tokenizer is not None:
            check_source("tokenizer", self.tokenizer)
        whole("batch", self.batch, 1)
        one_of("dtype", self.dtype, [name for name in DTYPES if name != "auto"])


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's tensors by key, the folder it lies in, and what tells it from others."""

    tensors: dict[str, Tensor]
    file: Path
    digest: str


def read(weights: str, source: Any, what: str) -> Checkpoint:
    """The checkpoint of ``weights``, "pretrained" or a path. BenchError where it is not whole."""
    if weights == "pretrained":
        pinned = Source.of(source)
        folder = locate(pinned, what)
        file = _only(matching(pinned, folder), what, folder)
        tensors = read_tensors(file, pinned.remedy())
        return Checkpoint(tensors, file, mark_of(pinned, folder))
    place = Path(weights).expanduser()
    file = _only(sorted(place.iterdir()), what, place) if place.is_dir() else place
    tensors = read_tensors(file, f"point the weights of {what} at a whole file")
    return Checkpoint(tensors, file, digest([file]))


def _only(files: Sequence[Path], what: str, folder: Path) -> Path:
    """The one checkpoint among ``files``; safetensors where the same lies there in both forms."""
    for suffixes in ((".safetensors",), PICKLED):
        found = [f for f in files if f.suffix in suffixes]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(f.name for f in found)
            raise BenchError(f"{folder} holds several checkpoints ({names}): name one for {what}")
    raise BenchError(f"{folder} holds no checkpoint for {what} (*.safetensors, *.pt, *.bin …)")


def tokenizer_folder(given: Any, weights: Path, what: str) -> Path:
    """The folder of a ``tokenizer`` setting; None is the folder of ``weights``, a file."""
    if given is None:
        return weights.parent
    if isinstance(given, str):
        return Path(given).expanduser()
    return locate(Source.of(given), f"{what}'s tokenizer")


def check_vocabulary(tokenizer: Any, size: int, what: str) -> None:
    """Raise BenchError unless a tokenizer has as many tokens as its network's table."""
    if len(tokenizer) != size:
        raise BenchError(
            f"the tokenizer of {what} has {len(tokenizer)} tokens, its network {size}: they do "
            "not belong together"
        )


@contextmanager
def building(device: torch.device, what: str) -> Iterator[None]:
    """Make networks on ``device``: their random weights are seeded by ``what``, and torch's own
    random state is left alone."""
    cards = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cards), device:
        torch.manual_seed(crc32(what.encode()))
        yield


def frozen(module: M, dtype: torch.dtype) -> M:
    """``module`` in ``dtype`` and eval mode; no gradient reaches its weights."""
    return module.to(dtype).eval().requires_grad_(False)


def five_linear(width: int) -> nn.Sequential:
    """Five linear layers ``width``-1024-128-64-16-1 without activations, numbered 0, 2, 4, 6, 7.

    ImageReward's head and LAION's improved aesthetic predictor are of this form. In training a
    dropout follows each of the first three, of which nothing is left here but the numbers.
    """
    layers = [nn.Linear(a, b) for a, b in pairwise((width, 1024, 128, 64, 16, 1))]
    spaced = [part for layer in layers[:3] for part in (layer, nn.Identity())]
    return nn.Sequential(*spaced, *layers[3:])


class Weighted:
    """A reward whose weights are told apart by a digest, and that reads the whole prompt."""

    _digest: str

    def digest(self) -> str:
        """What tells its weights from others: repo@revision, a content hash, or a name."""
        return self._digest

    def cut(self, prompt: str) -> int:
        """How many tokens of the prompt lie beyond what it reads."""
        return 0


def in_batches(score: Callable[[Tensor], Tensor], images: Tensor, batch: int) -> Tensor:
    """``score`` on at most ``batch`` images at a time, put together in float32."""
    return torch.cat([score(part).float() for part in images.split(batch)])
