"""Two GPUs that a build of torch without CUDA pretends to have.

A tensor there says that it lies on cuda:0 or cuda:1 and keeps real values on the host, so control
flow goes where it would on a GPU. Operations on tensors of different devices are refused, and what
matters to a GPU's user is noted: copies between host and device, and whatever makes the host wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

COUNT = 2
HOST = torch.device("cpu")
aten = torch.ops.aten
COPYING = (aten._to_copy, aten.copy_)
INDEXING = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)
# What reads a value on the host, or has a result whose size is known from a value alone.
WAITING = (
    aten._local_scalar_dense,
    aten.equal,
    aten.nonzero,
    aten.masked_select,
    aten.repeat_interleave,
    aten.bincount,
    aten._unique2,
    aten._linalg_check_errors,
    aten._linalg_svd,  # it looks whether it converged
    aten._linalg_eigvals,
    aten.linalg_eigvals,
)


class OnDevice(Tensor):
    """A tensor on a pretended device; ``held``: its values."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor, device: torch.device) -> OnDevice:
        made: OnDevice = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=device,
        )
        made.held = held
        return made

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"OnDevice({self.held!r}, {self.device})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func} on a pretended device, outside of `with pretended()`")


class Pretended(TorchDispatchMode):
    """The devices, and in ``events`` what was noted: pairs of a kind and what it was.

    Kinds: "wait"; "copy" from host to device while the host goes on, "blocking copy" where it does
    not; "synchronize", asked for by name; "context", what a device's random state is asked from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, str]] = []
        self.pinned = WeakIdKeyDictionary()

    def note(self, kind: str, what: str) -> None:
        self.events.append((kind, what))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, packet = dict(kwargs or {}), func.overloadpacket
        if packet is aten._pin_memory:
            pinned = args[0].clone()
            self.pinned[pinned] = True
            return pinned
        if packet is aten.is_pinned:
            return args[0] in self.pinned
        given: list[Tensor] = []
        held: dict[int, OnDevice] = {}  # by the values that an operation may return as they are

        def inside(tensor: Tensor) -> Tensor:
            given.append(tensor)
            if not isinstance(tensor, OnDevice):
                return tensor
            held[id(tensor.held)] = tensor
            return tensor.held

        real, options = _mapped(inside, args), _mapped(inside, kwargs)
        device = self._device(func, args, kwargs, given)
        if options.get("device") is not None:
            options["device"] = HOST
        if packet is aten._to_copy:
            options.pop("non_blocking", None)
        found = func(*real, **options)
        if device.type == "cpu":
            return found
        return _mapped(lambda t: held[id(t)] if id(t) in held else OnDevice(t, device), found)

    def _device(self, func: Any, args: Any, kwargs: Any, given: list[Tensor]) -> torch.device:
        """Where the result lies; notes what is to be noted of the operation, and refuses it where
        its arguments lie apart."""
        packet, asked = func.overloadpacket, kwargs.get("device")
        devices = {t.device for t in given if isinstance(t, OnDevice)}
        if asked is not None:
            asked = torch.device(asked)
            asked = torch.device("cuda", 0) if str(asked) == "cuda" else asked
        if packet is aten._to_copy:
            to = given[0].device if asked is None else asked
            self._copied(given[0], to, bool(kwargs.get("non_blocking")))
            return to
        if packet is aten.copy_:
            self._copied(given[1], given[0].device, bool(args[2:] and args[2]))
            return given[0].device
        if not devices:
            return asked or HOST
        if packet in WAITING:
            self.note("wait", str(func))
        apart = [t for t in given if t.ndim and not isinstance(t, OnDevice)]
        if packet in INDEXING:
            indices = [t for t in args[1] if t is not None]
            if any(t.dtype in (torch.bool, torch.uint8) for t in indices):
                self.note("wait", f"{func} by a mask")
            for t in indices:
                if not isinstance(t, OnDevice):
                    self.note("blocking copy", f"{func} by indices {tuple(t.shape)} of the host")
            apart = [t for t in apart if not any(t is i for i in indices)]
        if len(devices) > 1 or apart:
            where = ", ".join(f"{tuple(t.shape)} on {t.device}" for t in given)
            raise RuntimeError(f"{func}: its tensors lie apart: {where}")
        return asked or devices.pop()

    def _copied(self, source: Tensor, to: torch.device, goes_on: bool) -> None:
        what = f"{tuple(source.shape)} {source.device} -> {to}"
        if source.device.type == "cuda" and to.type == "cpu":
            self.note("wait", what)
        elif source.device.type == "cpu" and to.type == "cuda":
            self.note("copy" if goes_on and source in self.pinned else "blocking copy", what)


def _mapped(function: Callable[[Tensor], Tensor], thing: Any) -> Any:
    """``thing`` with every tensor in its lists and mappings replaced; torch's own pytree takes ten
    times as long."""
    if isinstance(thing, Tensor):
        return function(thing)
    if isinstance(thing, list | tuple):
        return type(thing)([_mapped(function, each) for each in thing])
    if isinstance(thing, dict):
        return {key: _mapped(function, each) for key, each in thing.items()}
    return thing


@contextmanager
def pretended() -> Iterator[Pretended]:
    """Two GPUs; what is asked of torch.cuda is answered as if they were there."""
    mode, generator = Pretended(), torch.default_generator

    def state(device: Any = "cuda:0") -> Tensor:
        mode.note("context", f"cuda:{device}" if isinstance(device, int) else str(device))
        return generator.get_state()

    answers: dict[str, Any] = {
        "cuda._lazy_init": lambda: None,
        "cuda.is_available": lambda: True,
        "cuda.device_count": lambda: COUNT,
        "cuda.get_device_name": lambda device=None: f"pretended {device}",
        "cuda.mem_get_info": lambda device=None: (2**36, 2**36),
        "cuda.get_rng_state": state,
        "cuda.set_rng_state": lambda state, device=None: generator.set_state(state),
        "cuda.reset_peak_memory_stats": lambda device=None: None,
        "cuda.memory_allocated": lambda device=None: 0,
        "cuda.max_memory_allocated": lambda device=None: 0,
        "cuda.max_memory_reserved": lambda device=None: 0,
        "inference_mode": torch.no_grad,  # no tensor of a class of one's own can be made in it
        "accelerator.synchronize": lambda device=None: mode.note("synchronize", str(device)),
    }
    switches = (
        torch._C._set_only_lift_cpu_tensors,  # torch.tensor(…, device=) is made here, then copied
        torch.__future__.set_overwrite_module_params_on_conversion,  # .to() makes new parameters
    )
    with ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(patch(f"torch.{name}", answer))
        for switch in switches:
            switch(True)
            stack.callback(switch, False)
        stack.enter_context(mode)
        yield mode
