"""torch.compile for a denoiser: few graphs, and an error where it would silently run without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bench.errors import BenchError

# Of teacher and students together, which share code: each with and without gradients, of the
# latents and of the text, for one sample and for more. Torch's own limit of 8 is below that.
GRAPHS = 64


def compiled(denoiser: Any) -> Any:
    """``denoiser`` under torch.compile. A call raises BenchError where torch gives up compiling: it
    would go on uncompiled, and its seconds would be taken for compiled ones."""
    import torch._dynamo as dynamo

    dynamo.config.recompile_limit = GRAPHS
    dynamo.config.fail_on_recompile_limit_hit = True
    made: Any = torch.compile(denoiser)
    forward = made.forward

    def call(*inputs: Any, **named: Any) -> Any:
        try:
            return forward(*(_alike(i) for i in inputs), **{k: _alike(v) for k, v in named.items()})
        except dynamo.exc.FailOnRecompileLimitHit:
            raise BenchError(
                f"torch.compile has made {dynamo.config.recompile_limit} graphs of "
                f"{type(denoiser).__name__} and gives up, so that it would run uncompiled: set "
                "backbone.compile=false (TORCH_LOGS=recompiles says why it compiles so often)"
            ) from None

    made.forward = call
    return made


def _alike(value: Any) -> Any:
    """An input as every batch size brings it: dense, where a text that all samples share has no
    strides of its own, and with a first dimension that may be of any size."""
    if isinstance(value, Mapping):
        return {key: _alike(inner) for key, inner in value.items()}
    if isinstance(value, Tensor) and value.ndim > 0:
        value = value.contiguous()
        torch._dynamo.maybe_mark_dynamic(value, 0)
    return value
