"""Components from outside the package, named by ``_target_``: an import path, and its arguments.

They are looked for on Python's path, which the current directory is part of. What is wrong with one
is a BenchError of one line, raised before a model is loaded.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench.errors import BenchError
from bench.settings import check_keys, nearest, settings

TARGET = "_target_"
OUTSIDE = "outside"  # the kind of what comes from outside
OURS = ("bench", "conf", "methods")  # an edit there changes the code's own digest


def load(path: Any, where: str) -> Any:
    """What an import path such as my_module.my_reward names. ``where``: the setting it is in."""
    module, _, name = str(path).rpartition(".")
    if not isinstance(path, str) or not all(part.isidentifier() for part in path.split(".")[:2]):
        module = ""
    if not module:
        raise BenchError(f"{where} must be an import path such as my_module.name, got {path!r}")
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise BenchError(f"{where}: {module} cannot be imported: {error}") from None
        raise BenchError(_no_module(error.name, where)) from None
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise BenchError(f"{where}: {module} cannot be imported: {reason}") from None
    if not hasattr(found, name):
        raise BenchError(f"{where}: {module} has no {name!r}{nearest(name, dir(found))}")
    return getattr(found, name)


def _no_module(name: str, where: str) -> str:
    """That there is no such module, with the nearest of those that are the user's own."""
    own = [os.getcwd(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    hint = nearest(name, [module.name for module in pkgutil.iter_modules(filter(None, own))])
    hint = hint or "; its folder must be the current one or on PYTHONPATH"
    return f"{where}: there is no module {name!r}{hint}"


def arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a component itself receives."""
    return {k: v for k, v in given.items() if k not in (TARGET, "kind", "name")}


def check_call(call: Any, given: Mapping[str, Any], where: str) -> None:
    """Raise BenchError unless ``call`` can be called with these keyword arguments."""
    if not callable(call):
        raise BenchError(f"{where}.{TARGET} is of type {type(call).__name__} and cannot be called")
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError):  # of C code; the call itself will tell
        return
    parameters = signature.parameters.values()
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        check_keys(where, given, [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL])
    try:
        signature.bind(**given)
    except TypeError as error:
        raise BenchError(f"{where}: {error}") from None


def accepts(call: Any, name: str) -> bool:
    """Whether ``call`` has a parameter of this name."""
    try:
        return name in inspect.signature(call).parameters
    except (TypeError, ValueError):
        return False


def called(call: Callable[..., Any], given: Mapping[str, Any], where: str) -> Any:
    """``call(**given)``, whose failure is a BenchError."""
    check_call(call, given, where)
    try:
        return call(**given)
    except BenchError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise BenchError(f"{where}: {reason}") from error


def made(given: Mapping[str, Any], where: str) -> Any:
    """The component of a ``_target_`` and its arguments; a dataclass has its fields checked."""
    target, own = load(given[TARGET], f"{where}.{TARGET}"), arguments(given)
    if isinstance(target, type) and is_dataclass(target):
        try:
            OmegaConf.structured(target)
        except OmegaConfBaseException:  # a type of field that OmegaConf does not know
            return called(target, own, where)
        return settings(target, own, where)
    return called(target, own, where)


def targets(node: Any, where: str) -> Iterator[tuple[str, str]]:
    """(dotted key, import path) of every ``_target_`` in nested settings."""
    if not isinstance(node, Mapping):
        return
    if TARGET in node:
        yield where, node[TARGET]
    for key, child in node.items():
        yield from targets(child, f"{where}.{key}")


@cache
def digest(path: str) -> str:
    """sha256 of a component's source: its module's file, and the files beside it that this imports,
    directly or not. A folder of installed packages is followed within the component's own package.
    """
    load(path, TARGET)
    name = path.rpartition(".")[0]
    file = getattr(sys.modules[name], "__file__", None)
    if file is None:
        return "no file"
    depth = name.count(".") + (Path(file).stem == "__init__")
    root = Path(file).resolve().parents[depth]
    installed = root.name in ("site-packages", "dist-packages")
    within = name.split(".")[0] if installed else ""
    found = {Path(file).resolve()}
    todo = list(found)
    while todo:
        new = set(_imported(todo.pop(), root, within)) - found
        found |= new
        todo += new
    total = hashlib.sha256()
    for source in sorted(found):
        total.update(source.relative_to(root).as_posix().encode() + source.read_bytes())
    return total.hexdigest()[:16]


def _imported(file: Path, root: Path, within: str) -> Iterator[Path]:
    """The files below ``root`` that a Python file imports."""
    if file.suffix != ".py":
        return
    package = file.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(file.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            names = [base, *(f"{base}.{alias.name}".lstrip(".") for alias in node.names)]
        for parts in (name.split(".") for name in names):
            if parts[0] in OURS or (within and parts[0] != within):
                continue
            for depth in range(1, len(parts) + 1):
                place = root.joinpath(*parts[:depth])
                yield from filter(Path.is_file, (place.with_suffix(".py"), place / "__init__.py"))
