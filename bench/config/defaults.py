"""Where a cell strays from its method's own settings: written beside them, for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.config.compose import cell_settings, groups
from bench.store.config import differences


def changed(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Dotted key -> the method's own value on this backbone, of the settings that differ from it.

    None where no file of conf/ describes the method or the backbone.
    """
    method, backbone = settings["method"], str(settings["backbone"]["name"])
    known = groups()
    if method["name"] not in known["method"] or backbone not in known["backbone"]:
        return None
    own = cell_settings([f"backbone={backbone}", f"method={method['name']}"], [])["method"]
    return {key: pair[1] for key, pair in differences(method, own).items()}
