"""The harness: configuration, measurement, GenEval and reports around ``methods``.

For notebooks: ``bench.sample(pipeline, prompt, method, reward)``, one prompt on one's own pipeline.
"""

from importlib import import_module
from typing import Any

_LAZY = {"sample": "bench.run.own_pipeline"}  # a public name -> its module, imported on use


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
