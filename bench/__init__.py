"""The harness: configuration, measurement, GenEval and reports around ``methods``.

For notebooks: ``bench.sample(pipeline, prompt, method, reward)``, one prompt on one's own pipeline,
and ``bench.load(folder)``, a results folder as a data frame with one row for each image.
"""

from importlib import import_module
from typing import Any

# A public name -> the module that has it, imported on use.
_LAZY = {"load": "bench.store.load", "sample": "bench.run.own_pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
