"""The harness: configuration, measurement, GenEval and reports around ``methods``.

For notebooks: ``bench.load(folder)``, a results folder as a data frame with a row an image.
"""

from importlib import import_module
from typing import Any

_LAZY = {"load": "bench.store.load"}  # a public name -> the module that has it: imported on use


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
