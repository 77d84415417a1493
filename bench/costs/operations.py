"""Floating-point operations and bytes of whatever torch computes, counted on tensors without data.

Shapes alone decide both, so networks of true size need neither weights nor memory nor a device:
under torch's FakeTensorMode every operation runs on tensors that have a shape and a type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

aten: Any = torch.ops.aten
CONVOLUTION, LINEAR, ATTENTION, OTHER = "convolution", "linear", "attention", "other"


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query.shape, key.shape, value.shape))


def _attention_backward(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any
) -> int:
    return int(sdpa_backward_flop_count(gradient.shape, query.shape, key.shape, value.shape))


# torch counts the kernels of GPUs; on a CPU fused attention has another name.
COUNTED: Mapping[Any, Callable[..., int]] = {
    **flop_registry,
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}
PRODUCTS = (aten.mm, aten.addmm, aten.bmm, aten.baddbmm)
CONVOLUTIONS = (aten.convolution, aten.convolution_backward)
# They change how a tensor is read, and read none of it; torch does not mark them as views.
FREE = (aten._unsafe_view, aten.empty, aten.empty_like, aten.empty_strided)


class Operation(NamedTuple):
    """One operation: its kind, the type of its result, floating-point operations (a multiplication
    and an addition are two), bytes of the weights that it reads, and bytes of all else that it
    reads and writes."""

    kind: str
    dtype: str
    flops: int
    weights: int
    moved: int


Operations = Counter[Operation]


class Counting(TorchDispatchMode):
    """Counts every operation while it is active. ``inputs``: what is computed on; any other tensor
    that is read before it was made here is a weight."""

    def __init__(self, *inputs: Tensor):
        super().__init__()
        self.found: Operations = Counter()
        self._made = {_place(tensor) for tensor in inputs}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        out = func(*args, **given)
        name = getattr(func, "overloadpacket", func)
        read = [a for a in tree_leaves((args, given)) if isinstance(a, Tensor)]
        made = [a for a in tree_leaves(out) if isinstance(a, Tensor)]
        if not made or name in FREE or {*map(_place, made)} <= {*map(_place, read)}:
            return out  # a view moves nothing
        held = [a for a in read if _place(a) not in self._made]
        self._made |= {*map(_place, made)}
        flops = COUNTED[name](*args, **given, out_val=out) if name in COUNTED else 0
        weights = sum(map(_bytes, held))
        moved = sum(map(_bytes, [*read, *made])) - weights
        kind = _kind(name, bool(held)) if flops else OTHER
        dtype = str(made[0].dtype).removeprefix("torch.")
        self.found[Operation(kind, dtype, flops, weights, moved)] += 1
        return out


def _kind(name: Any, weighted: bool) -> str:
    if name in CONVOLUTIONS:
        return CONVOLUTION
    return LINEAR if name in PRODUCTS and weighted else ATTENTION


def _place(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _bytes(tensor: Tensor) -> int:
    """Of the elements that are there: an expanded tensor holds each of them once."""
    sizes = [n for n, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride]
    return prod(sizes) * tensor.element_size()
