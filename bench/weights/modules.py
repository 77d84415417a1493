"""A network of diffusers or transformers from local files, no weight of it drawn at random."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from bench.errors import BenchError

# Buffers of older checkpoints that transformers now computes.
COMPUTED = ("relative_position_index", "position_ids")
VERBS = {"missing": "lacks", "unexpected": "has unknown", "mismatched": "has misshapen"}


def quieted() -> Any:
    """diffusers, with its and transformers' notices off: what they warn of is refused here."""
    import diffusers
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
    return diffusers


def whole_module(
    cls: Any, folder: Path, refused: Collection[str] = ("missing",), **options: Any
) -> Any:
    """The network of the class ``cls`` in ``folder``.

    Both libraries draw at random what a file does not hold, and say so in a log alone. ``refused``:
    which kinds of keys are errors (missing, unexpected, mismatched). Raises BenchError, naming the
    first of them.
    """
    module, report = cls.from_pretrained(
        folder, local_files_only=True, output_loading_info=True, **options
    )
    for kind in refused:
        keys = sorted(str(key) for key in report[f"{kind}_keys"])
        if keys := [key for key in keys if not key.endswith(COMPUTED)]:
            shown = ", ".join(keys[:4]) + (" …" if len(keys) > 4 else "")
            raise BenchError(
                f"{folder} {VERBS[kind]} {len(keys)} weights of its {cls.__name__}: {shown}"
            )
    return module
