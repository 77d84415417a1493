"""Which cells are compared: the typical cell of a method, its settings varied, its budget swept.

Nothing here looks at a result: a cell chosen by its outcome would owe its rank to luck. ``cells``
is that of `load.Results`, with the columns that `prepare` adds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from typing import Any

import pandas as pd

from bench.store.cells import TARGET, said

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(\.\d+)?(e[-+]?\d+)?(?![\w.])")
# Settings that buy more of something. What is left is a matter of taste or tuning.
BUDGET = frozenset(
    "n steps particles rounds repeats inner perturbations draws every steps_factor".split()
)
# Methods that pay for every step that they guide: the part of the schedule is their budget too.
PER_STEP = frozenset("ug ug_full lgd rollout rollout_glass".split())
# The same method with more of its budget, under a name of its own.
FAMILY = {"vanilla_more_steps": "vanilla"}


def prepare(cells: pd.DataFrame) -> None:
    """Add the columns ``every`` (all settings, the target's included, in one spelling), ``strays``
    (how many are not the method's own), ``twin`` (whether another cell has the same settings, and
    more prompts), and ``base`` (the typical cell of the method, None where there is none)."""
    cells["every"] = [
        {k: spelled(v) for k, v in row.settings.items()}
        | {f"target.{key}": spelled(str(getattr(row, key))) for key in (*TARGET, "images")}
        for row in cells.itertuples()
    ]
    cells["strays"] = [len(config.get("changed") or ()) for config in cells.config]
    alike: dict[Any, list[str]] = {}
    for cell, row in cells.iterrows():
        alike.setdefault((row.method, frozenset(row.every.items())), []).append(str(cell))
    kept = {max(group, key=lambda c: (cells.done[c], group.index(c))) for group in alike.values()}
    cells["twin"] = [cell not in kept for cell in cells.index]
    cells["base"] = bases(cells)


def bases(cells: pd.DataFrame) -> pd.Series:
    """For each cell the typical one of its method among ``cells``."""
    return cells.method.map({m: typical(cells, m) for m in cells.method.unique()})


def family(method: str) -> str:
    """The method whose budget sweep a cell of ``method`` belongs to."""
    return FAMILY.get(method, method)


def differing(one: pd.Series, other: pd.Series) -> set[str]:
    """Keys in which two cells differ."""
    return {key for key, _ in one.every.items() ^ other.every.items()}


def apart(one: pd.Series, other: pd.Series) -> set[str]:
    """What two cells differ in outside their methods: target, backbone, images, reward, code."""
    parts = ("backbone.", "reward.", "target.")
    found = {k.removeprefix("target.") for k in differing(one, other) if k.startswith(parts)}
    return found | ({"code"} if one.code != other.code else set())


def agree(one: pd.Series, other: pd.Series) -> bool:
    """Whether two cells of different methods are equal in every setting that both have.

    Their names apart, what buys more of something, and which of its estimates a steer goes by: that
    goes without saying where there is one alone.
    """
    apart = differing(one, other) & {*one.every} & {*other.every}
    free = BUDGET | {"name", "efr"}
    return all(key.rsplit(".", 1)[-1] in free and not key.startswith("target.") for key in apart)


def enough(cells: pd.DataFrame) -> pd.Series:
    """Which cells have at least half as many finished prompts as the one with the most.

    Comparisons are over the prompts that all their cells finished: one that has hardly begun would
    leave nothing of the others. Of twins one alone counts: they are no sweep.
    """
    return (cells.done > 0) & (2 * cells.done >= cells.done.max()) & ~cells.twin


def same_target(cells: pd.DataFrame, one: str, other: str) -> bool:
    """Whether costs relative to vanilla are in one unit: that of equal target solver and steps."""
    return all(bool(cells[key][one] == cells[key][other]) for key in ("steps", "solver"))


def typical(cells: pd.DataFrame, method: str) -> str | None:
    """The cell whose settings are the most common ones among the method's cells.

    In sweeps that leave from one point it is that point. Of equals those whose target solver, steps
    and seed are most common among all cells, of these those that stray least from the method's own
    settings, and of these the middle one, in the order of their labels. None where the method has
    no cell with `enough` prompts.
    """
    own = cells[(cells.method == method) & enough(cells)]
    if own.empty:
        return None
    keys = {key for every in own.every for key in every}
    pairs = [{(key, every.get(key)) for key in keys} for every in own.every]
    common = Counter(pair for row in pairs for pair in row)
    # In how many settings a cell differs from each of the others, summed over these.
    far = [sum(len(pairs) - common[pair] for pair in row) for row in pairs]
    equals = own[[count == min(far) for count in far]]
    targets = cells[TARGET]
    shared = [(targets == row).all(axis=1).sum() for _, row in targets.loc[equals.index].iterrows()]
    usual = equals[[count == max(shared) for count in shared]]
    plain = usual.index[usual.strays == usual.strays.min()]
    return str(plain[(len(plain) - 1) // 2])


def typicals(cells: pd.DataFrame) -> list[str]:
    """The typical cell of every method, in the order of ``cells``."""
    return [str(cell) for cell in cells.index[cells.index == cells.base]]


def base_of(cells: pd.DataFrame, method: str) -> str | None:
    """The typical cell of a method, as `prepare` found it."""
    own = cells.base[cells.method == method]
    return None if own.dropna().empty else str(own.iloc[0])


def varied(cells: pd.DataFrame, method: str, key: str) -> pd.Series:
    """Cells that differ from the typical one in ``key`` alone, and that one: cell id -> value.

    In order of the value; empty where there are fewer than two.
    """
    base = base_of(cells, method)
    if base is None or key not in cells.settings[base]:
        return pd.Series(dtype=float)
    own = cells[(cells.method == method) & enough(cells)]
    alike = [differing(row, cells.loc[base]) <= {key} for _, row in own.iterrows()]
    texts = pd.Series({cell: row.settings[key] for cell, row in own[alike].iterrows()}, dtype=str)
    values = pd.to_numeric(texts, errors="coerce").dropna().astype(float).sort_values()
    return values if len(values) > 1 else pd.Series(dtype=float)


def budget(cells: pd.DataFrame, method: str) -> list[str]:
    """Cells of the method's family that differ from its typical one in budget settings alone."""
    base = base_of(cells, method)
    if base is None:
        return []
    own = cells[(cells.method.map(family) == family(method)) & enough(cells)]
    known = BUDGET | {"interval"} if family(method) in PER_STEP else BUDGET
    return [str(c) for c, row in own.iterrows() if _more(differing(row, cells.loc[base]), known)]


def short(cells: pd.DataFrame, cell: str) -> str:
    """The method's name for its typical cell, else what tells a cell from that one: "n 9"."""
    row = cells.loc[cell]
    if pd.isna(row.base) or row.base == cell:
        return str(row.method)
    own = row.settings | {f"target.{key}": row[key] for key in (*TARGET, "images")}
    keys = sorted(differing(row, cells.loc[row.base]))
    return ", ".join(said(key.rsplit(".", 1)[-1], own.get(key, "none")) for key in keys)


def spelled(text: str) -> str:
    """A setting in one spelling: 3 as 3.0, [0, 1] as [0.0, 1.0]."""
    return NUMBER.sub(lambda found: str(float(found[0])), text)


def _more(keys: set[str], known: Collection[str]) -> bool:
    """Whether these settings are all a budget's; the target's own steps are the yardstick's too."""
    return all(
        key == "name" or (key.rsplit(".", 1)[-1] in known and not key.startswith("target."))
        for key in keys
    )
