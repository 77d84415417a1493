"""The harness: configuration, measurement, GenEval and reports around ``methods``.

``bench.sample`` samples one prompt on the user's own diffusers pipeline.
"""

from importlib import import_module
from typing import Any

# Loaded when they are asked for: importing bench must stay cheap.
_HERE = {"sample": "bench.run.own_pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _HERE:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    return getattr(import_module(_HERE[name]), name)
