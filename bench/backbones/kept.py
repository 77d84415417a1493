"""What was loaded last is kept, and let go before another is loaded: memory holds but one."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from bench.device import release

P = ParamSpec("P")
R = TypeVar("R")


class OneAtATime(Generic[P, R]):
    """A function that loads something large, with a cache of one."""

    def __init__(self, load: Callable[P, R]):
        self.load = load
        self.kept: dict[Any, R] = {}

    def __call__(self, *key: P.args, **options: P.kwargs) -> R:
        if not self.keeps(*key):
            self.let_go()
            self.kept[key] = self.load(*key, **options)
        return self.kept[key]

    def keeps(self, *key: Any) -> bool:
        return key in self.kept

    def let_go(self) -> None:
        """Forget what is kept, and free its memory unless somebody still holds it."""
        if self.kept:
            self.kept.clear()
            gc.collect()
            release()
