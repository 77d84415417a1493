"""From a published checkpoint's key layout to a network's own, every key accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch

from torch import Tensor

from bench.weights.files import complain


@dataclass(frozen=True)
class Piece:
    """Where a network's tensor lies in a checkpoint: a key, or a third of its rows, or turned.

    ``third``: 0, 1, 2 for the query's, key's and value's rows of a joint projection.
    """

    key: str
    third: int | None = None
    transposed: bool = False

    def take(self, state: Mapping[str, Tensor]) -> Tensor:
        tensor = state[self.key]
        if self.third is not None:
            rows = len(tensor) // 3
            tensor = tensor[self.third * rows : (self.third + 1) * rows]
        return tensor.T if self.transposed else tensor


def translate(
    state: Mapping[str, Tensor],
    keys: Iterable[str],
    piece: Callable[[str], Piece],
    ignored: Iterable[str],
    where: str,
) -> dict[str, Tensor]:
    """``state`` under the network's own ``keys``, each found by ``piece``.

    Checkpoint keys that match a pattern of ``ignored`` are left out. Raises BenchError, naming the
    checkpoint's keys, where one is missing or is neither used nor ignored.
    """
    pieces = {key: piece(key) for key in keys}
    wanted = {p.key for p in pieces.values()}
    unknown = [k for k in state if k not in wanted and not any(fnmatch(k, i) for i in ignored)]
    complain(where, missing=wanted - state.keys(), unknown=unknown)
    return {key: p.take(state) for key, p in pieces.items()}
