"""Two cells on disk held against each other: how they were made, and their results by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import stats
from bench.errors import BenchError
from bench.report.summary import draws, marks
from bench.store.config import differences, read_config
from bench.store.frames import image_rows, prompt_rows
from bench.store.records import Records, read_records
from bench.store.schema import Record, canonical

Pair = tuple[Any, Any]
SURROUNDINGS = ("torch", "threads", "precision", "device", "yardstick_every")
NOT_SETTINGS = (
    *(*SURROUNDINGS, "cell", "experiment", "code", "weights", "load_seconds", "changed"),
    *("judged_by", "seal"),
)
JUDGED = ("score.", "distance.", "diversity")


@dataclass(frozen=True)
class Run:
    """A cell's folder, read."""

    folder: Path
    config: Mapping[str, Any]
    records: Records

    @property
    def method(self) -> str:
        return str(self.config["method"]["name"])

    @property
    def settings(self) -> dict[str, Any]:
        """What a user chose, but for where it ran."""
        return {key: value for key, value in self.config.items() if key not in NOT_SETTINGS}

    @property
    def surroundings(self) -> dict[str, Any]:
        """Where it ran, the devices as its records name them."""
        found = {key: self.config.get(key) for key in SURROUNDINGS}
        for key in ("device", "torch"):
            if own := sorted({str(getattr(r, key)) for r in self.records}):
                found[key] = ", ".join(own)
        return found


@dataclass(frozen=True)
class Changed:
    """A prompt whose results differ: per image verdicts, and each score's mean, of A and of B."""

    index: int
    prompt: str
    correct: Pair
    scores: Mapping[str, Pair]


@dataclass(frozen=True)
class Comparison:
    """B against A. Counts are of prompts, ``common`` ones where nothing else is said.

    ``identical``: images equal byte for byte (None where a record has no digests). ``largest``:
    the largest absolute difference of each judged quantity over prompts and images. ``means``: of
    each judged quantity, of the seconds and of the denoiser samples. ``changes``: B less A,
    paired by prompt, of GenEval's headline where all was judged, and of each judged quantity.
    """

    a: str
    b: str
    settings: dict[str, Pair]
    code: Pair
    weights: dict[str, Pair]
    surroundings: dict[str, Pair]
    prompts: Pair
    failed: Pair
    only: Pair
    common: int
    identical: int | None
    verdicts: int
    calls: int
    records: int
    largest: dict[str, float]
    means: dict[str, Pair]
    changes: dict[str, stats.Interval]
    changed: Sequence[Changed]

    @property
    def causes(self) -> list[str]:
        """Names of everything that may decide a result and differs."""
        code = ["code"] if self.code[0] != self.code[1] else []
        return [*self.settings, *code, *(f"weights.{key}" for key in self.weights)]

    @property
    def same(self) -> bool:
        """Made alike, of the same prompts, with the same images and records."""
        whole = self.common == self.records == self.identical and self.only == (0, 0)
        return not self.causes and whole and self.common > 0


def read_run(folder: Path) -> Run:
    """A cell's folder. Raises BenchError where it is none, damaged or changed."""
    config = read_config(folder / "config.yaml")
    try:
        str(config["method"]["name"])
    except (KeyError, TypeError):
        raise BenchError(f"{folder / 'config.yaml'} names no method: no cell's settings") from None
    return Run(folder, config, read_records(folder / "records.jsonl"))


def paired(a: Run, b: Run) -> list[tuple[Record, Record]]:
    """The prompts that both finished, of the same text, in order."""
    one, two = a.records.finished, b.records.finished
    shared = sorted(i for i in one if i in two and one[i].prompt == two[i].prompt)
    return [(one[i], two[i]) for i in shared]


def rows(pairs: Sequence[tuple[Record, Record]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`prompt_rows` of both sides, in one order."""
    one, two = (prompt_rows([pair[side] for pair in pairs]) for side in (0, 1))
    return one, two


def compare(a: Run, b: Run, most: int = 10) -> Comparison:
    """B against A on their common finished prompts; the ``most`` changed ones are named."""
    pairs = paired(a, b)
    one, two = rows(pairs)
    finished = len(a.records.finished), len(b.records.finished)
    known = all(r.sha256 for pair in pairs for r in pair)
    return Comparison(
        a=str(a.folder),
        b=str(b.folder),
        settings=differences(a.settings, b.settings),
        code=(a.config.get("code"), b.config.get("code")),
        weights=differences(a.config.get("weights"), b.config.get("weights")),
        surroundings=differences(a.surroundings, b.surroundings),
        prompts=finished,
        failed=(len(a.records.by_index) - finished[0], len(b.records.by_index) - finished[1]),
        only=(finished[0] - len(pairs), finished[1] - len(pairs)),
        common=len(pairs),
        identical=sum(r.sha256 == s.sha256 for r, s in pairs) if known else None,
        verdicts=sum(r.geneval != s.geneval for r, s in pairs),
        calls=sum(r.calls != s.calls for r, s in pairs),
        records=sum(_told(r) == _told(s) for r, s in pairs),
        largest=_largest(pairs, one, two),
        means=_means(one, two),
        changes=changes(one, two),
        changed=_changed(pairs, one, two)[:most],
    )


def geneval(one: pd.DataFrame, two: pd.DataFrame) -> stats.Interval | None:
    """GenEval of the second less that of the first; None where not all of it was judged."""
    if one.empty or one.correct.isna().any() or two.correct.isna().any():
        return None
    return stats.geneval_difference(marks(two), marks(one), one.tag.to_numpy(), draws(one.tag))


def change(name: str, one: pd.DataFrame, two: pd.DataFrame) -> stats.Interval:
    """A column of the second less that of the first, paired by prompt."""
    return stats.mean((two[name] - one[name]).to_numpy(float), draws(one.tag))


def changes(one: pd.DataFrame, two: pd.DataFrame) -> dict[str, stats.Interval]:
    """GenEval's headline, if all was judged, and each judged number: the second less the first."""
    headline = geneval(one, two)
    found = {} if headline is None else {"geneval": headline}
    return found | {n.removeprefix("score."): change(n, one, two) for n in judged(one, two)}


def judged(one: pd.DataFrame, two: pd.DataFrame) -> list[str]:
    """Columns of judged numbers, the verdicts apart, that every prompt of both has."""
    found = [column for column in one if column.startswith(JUDGED) and column in two]
    return [c for c in found if len(one) and (one[c].notna() & two[c].notna()).all()]


def _told(record: Record) -> dict[str, Any]:
    return {key: value for key, value in canonical(record).items() if key != "yardstick"}


def _largest(
    pairs: Sequence[tuple[Record, Record]], one: pd.DataFrame, two: pd.DataFrame
) -> dict[str, float]:
    gaps = {name: (one[name] - two[name]).abs().max() for name in judged(one, two)}
    images = [image_rows([pair[side] for pair in pairs]) for side in (0, 1)]
    if len(images[0]) == len(images[1]):
        scores = [c for c in images[0] if c.startswith("score.") and c in images[1]]
        gaps |= {name: (images[0][name] - images[1][name]).abs().max() for name in scores}
    return {name.removeprefix("score."): float(gap) for name, gap in gaps.items()}


def _means(one: pd.DataFrame, two: pd.DataFrame) -> dict[str, Pair]:
    if one.empty:
        return {}
    names = {name: name.removeprefix("score.") for name in judged(one, two)}
    names |= {"seconds.total": "seconds", "calls.denoiser": "denoiser samples"}
    known = {name: one[name].notna() & two[name].notna() for name in names}
    return {
        said: (float(one[n][known[n]].mean()), float(two[n][known[n]].mean()))
        for n, said in names.items()
        if known[n].any()
    }


def _changed(
    pairs: Sequence[tuple[Record, Record]], one: pd.DataFrame, two: pd.DataFrame
) -> list[Changed]:
    """Prompts whose verdicts or scores differ, by the change of verdicts, then of scores."""
    keys = ("geneval", "scores", "diversity", "distance")
    at = [k for k, (r, s) in enumerate(pairs) if any(getattr(r, n) != getattr(s, n) for n in keys)]
    names = judged(one, two)
    one, two = one.iloc[at], two.iloc[at]
    spread = pd.concat([one[names], two[names]]).std(ddof=0).replace(0, 1)
    gaps = ((one[names] - two[names]).abs() / spread).max(axis=1).fillna(0)
    verdicts = (one.correct / one.images - two.correct / two.images).abs().fillna(0)
    found = []
    for k in np.lexsort([-gaps, -verdicts]):
        record, other = pairs[at[k]]
        scores = {name.removeprefix("score."): (float(one[name].iloc[k]), float(two[name].iloc[k]))
                  for name in names}  # fmt: skip
        correct = record.geneval or [], other.geneval or []
        found.append(Changed(record.index, record.prompt, correct, scores))
    return found
