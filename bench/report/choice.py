"""Which cells are compared: the typical cell of a method, its settings varied, its budget swept.

Nothing here looks at a result: a cell chosen by its outcome would owe its rank to luck.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import pandas as pd

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(\.\d+)?(e[-+]?\d+)?(?![\w.])")
TARGET = ["seed", "steps", "solver"]  # what a cell shares with the vanilla that it is compared with
# Settings that buy more of something. What is left is a matter of taste or tuning.
BUDGET = frozenset(
    "n steps particles rounds repeats inner perturbations draws every steps_factor".split()
)
# Methods that pay for every step that they guide: the part of the schedule is their budget too.
PER_STEP = frozenset("ug ug_full lgd rollout rollout_glass".split())
# The same method with more of its budget, under a name of its own.
FAMILY = {"vanilla_more_steps": "vanilla"}


def family(method: str) -> str:
    """The method whose budget sweep a cell of ``method`` belongs to."""
    return FAMILY.get(method, method)


def settings(row: pd.Series) -> dict[str, str]:
    """All settings of a cell by dotted key, the target solver's included."""
    target = {f"target.{key}": str(row[key]) for key in ("seed", "steps", "solver", "images")}
    return {**row.settings, **target}


def differing(one: pd.Series, other: pd.Series) -> set[str]:
    """Keys in which two cells differ."""
    a, b = settings(one), settings(other)
    return {key for key in {*a, *b} if spelled(a.get(key)) != spelled(b.get(key))}


def apart(one: pd.Series, other: pd.Series) -> set[str]:
    """What two cells differ in outside their methods: target, backbone, images, reward, code."""
    found = {k for k in (*TARGET, "images", "code") if str(one[k]) != str(other[k])}
    a, b = (
        {k: spelled(v) for k, v in row.settings.items() if k.startswith(("backbone.", "reward."))}
        for row in (one, other)
    )
    return found | {key for key in {*a, *b} if a.get(key) != b.get(key)}


def agree(one: pd.Series, other: pd.Series) -> bool:
    """Whether two cells of different methods are equal in every setting that both have.

    Their names apart, and which of its estimates a steer goes by: that goes without saying where
    there is one alone.
    """
    a, b = settings(one), settings(other)
    shared = {key for key in {*a} & {*b} if key.rsplit(".", 1)[-1] not in ("name", "efr")}
    return all(spelled(a[key]) == spelled(b[key]) for key in shared)


def enough(cells: pd.DataFrame) -> pd.Series:
    """Which cells have at least half as many finished prompts as the one with the most.

    Comparisons are over the prompts that all their cells finished: one that has hardly begun would
    leave nothing of the others. Of `twins` one alone counts: they are no sweep.
    """
    return (cells.done > 0) & (2 * cells.done >= cells.done.max()) & ~cells.twin


def twins(cells: pd.DataFrame) -> pd.Series:
    """Which cells repeat the settings of another: of one setting, run by several versions of the
    code, all but the one with the most finished prompts, of equals the last in order."""
    alike: dict[str, list[str]] = {}
    for cell, row in cells.iterrows():
        own = {"method": str(row.method), **settings(row)}
        key = repr(sorted((k, spelled(v)) for k, v in own.items()))
        alike.setdefault(key, []).append(str(cell))
    kept = {max(group, key=lambda c: (cells.done[c], group.index(c))) for group in alike.values()}
    return pd.Series([cell not in kept for cell in cells.index], cells.index)


def same_target(cells: pd.DataFrame, one: str, other: str) -> bool:
    """Whether costs relative to vanilla are in one unit: that of equal target solver and steps."""
    return bool(
        (cells.loc[one, ["steps", "solver"]] == cells.loc[other, ["steps", "solver"]]).all()
    )


def typical(cells: pd.DataFrame, method: str) -> str | None:
    """The cell whose settings are the most common ones among the method's cells.

    In sweeps that leave from one point it is that point. Of equals those whose target solver, steps
    and seed are most common among all cells, of these those that stray least from the method's own
    settings (`defaults.strays`), and of these the middle one, in the order of their labels. None
    where the method has no cell with `enough` prompts.
    """
    own = cells[(cells.method == method) & enough(cells)]
    if own.empty:
        return None
    rows = [row for _, row in own.iterrows()]
    apart = [sum(len(differing(row, other)) for other in rows) for row in rows]
    equals = own[[count == min(apart) for count in apart]]
    targets = cells[TARGET]
    shared = [(targets == row).all(axis=1).sum() for _, row in targets.loc[equals.index].iterrows()]
    usual = equals[[count == max(shared) for count in shared]]
    plain = usual.index[usual.strays == usual.strays.min()]
    return str(plain[(len(plain) - 1) // 2])


def typicals(cells: pd.DataFrame) -> list[str]:
    """The typical cell of every method, in the order of ``cells``."""
    found = {typical(cells, str(method)) for method in cells.method.unique()}
    return [str(cell) for cell in cells.index if cell in found]


def varied(cells: pd.DataFrame, method: str, key: str) -> pd.Series:
    """Cells that differ from the typical one in ``key`` alone, and that one: cell id -> value.

    In order of the value; empty where there are fewer than two.
    """
    base = typical(cells, method)
    if base is None or key not in cells.settings[base]:
        return pd.Series(dtype=float)
    own = cells[(cells.method == method) & enough(cells)]
    values = {
        cell: float(row.settings[key])
        for cell, row in own.iterrows()
        if differing(row, cells.loc[base]) <= {key} and number(row.settings[key])
    }
    if len(values) < 2:
        return pd.Series(dtype=float)
    return pd.Series(values).sort_values()


def budget(cells: pd.DataFrame, method: str) -> list[str]:
    """Cells of the method's family that differ from its typical one in budget settings alone."""
    base = typical(cells, method)
    if base is None:
        return []
    alike = cells.method.map(family) == family(method)
    own = cells[alike & enough(cells)]
    known = BUDGET | {"interval"} if family(method) in PER_STEP else BUDGET
    return [str(c) for c, row in own.iterrows() if _more(differing(row, cells.loc[base]), known)]


def short(cells: pd.DataFrame, cell: str) -> str:
    """The method's name for its typical cell, else what tells a cell from that one: "n 9"."""
    row = cells.loc[cell]
    base = typical(cells, str(row.method))
    if base is None or base == cell:
        return str(row.method)
    own = settings(row)
    keys = sorted(differing(row, cells.loc[base]))
    return ", ".join(f"{key.rsplit('.', 1)[-1]} {own.get(key, 'none')}" for key in keys)


def reward(row: pd.Series) -> dict[str, str]:
    """The settings of a cell's guiding reward."""
    return {key: text for key, text in row.settings.items() if key.startswith("reward.")}


def number(text: str) -> bool:
    """Whether ``text`` is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def spelled(text: str | None) -> str | None:
    """A setting in one spelling: 3 as 3.0, [0, 1] as [0.0, 1.0]."""
    return None if text is None else NUMBER.sub(lambda found: str(float(found[0])), text)


def _more(keys: set[str], known: Collection[str]) -> bool:
    """Whether these settings are all a budget's; the target's own steps are the yardstick's too."""
    return all(
        key == "name" or (key.rsplit(".", 1)[-1] in known and not key.startswith("target."))
        for key in keys
    )
