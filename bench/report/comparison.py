"""Two cells on disk held against each other: how they were made, and their results by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import stats
from bench.errors import BenchError
from bench.store.config import differences, read_config
from bench.store.records import read_records
from bench.store.schema import PHASES, canonical

Pair = tuple[Any, Any]
SURROUNDINGS = ("torch", "threads", "device", "yardstick_every")
NOT_SETTINGS = (*SURROUNDINGS, "cell", "experiment", "code", "weights", "load_seconds")


@dataclass(frozen=True)
class Run:
    """A cell's folder, read. ``records`` by index, ``finished`` those without an error."""

    folder: Path
    config: Mapping[str, Any]
    records: Mapping[int, Mapping[str, Any]]

    @property
    def method(self) -> str:
        return str(self.config["method"]["name"])

    @property
    def settings(self) -> dict[str, Any]:
        """What a user chose, but for where it ran."""
        return {key: value for key, value in self.config.items() if key not in NOT_SETTINGS}

    @property
    def finished(self) -> dict[int, Mapping[str, Any]]:
        return {index: r for index, r in self.records.items() if r["error"] is None}

    @property
    def surroundings(self) -> dict[str, Any]:
        """Where it ran, the devices as its records name them."""
        found = {key: self.config.get(key) for key in SURROUNDINGS}
        for key in ("device", "torch"):
            if own := sorted({str(r[key]) for r in self.records.values() if key in r}):
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
    each judged quantity, of the seconds and of the denoiser samples. ``geneval``: headline of B
    less that of A, None where nothing was judged or no prompt is common.
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
    geneval: stats.Interval | None
    changed: Sequence[Changed] = field(default_factory=tuple)

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
    """A cell's folder. Raises BenchError where it is none, or damaged."""
    config = read_config(folder / "config.yaml")
    try:
        str(config["method"]["name"])
    except (KeyError, TypeError):
        raise BenchError(f"{folder / 'config.yaml'} names no method: no cell's settings") from None
    records, _ = read_records(folder / "records.jsonl")
    for index, record in records.items():
        measured = () if record.get("error") else ("calls", "seconds", "images")
        if missing := {"prompt", "tag", "error", *measured} - set(record):
            raise BenchError(
                f"{folder / 'records.jsonl'}, prompt {index}: {', '.join(sorted(missing))} missing"
            )
    return Run(folder, config, records)


def quantities(record: Mapping[str, Any]) -> dict[str, list[float]]:
    """Every judged number of a record, by name, but for the verdicts."""
    found = {name: [float(v) for v in values] for name, values in record.get("scores", {}).items()}
    for name, value in record.get("distance", {}).items():
        found[f"distance.{name}"] = [float(value)]
    if record.get("diversity") is not None:
        found["diversity"] = [float(record["diversity"])]
    return found


def compare(a: Run, b: Run, most: int = 10) -> Comparison:
    """B against A on their common finished prompts; the ``most`` changed ones are named."""
    one, two = a.finished, b.finished
    common = sorted(i for i in one if i in two and one[i]["prompt"] == two[i]["prompt"])
    pairs = [(one[i], two[i]) for i in common]
    known = all("sha256" in r for pair in pairs for r in pair)
    return Comparison(
        a=str(a.folder),
        b=str(b.folder),
        settings=differences(a.settings, b.settings),
        code=(a.config.get("code"), b.config.get("code")),
        weights=differences(a.config.get("weights"), b.config.get("weights")),
        surroundings=differences(a.surroundings, b.surroundings),
        prompts=(len(one), len(two)),
        failed=(len(a.records) - len(one), len(b.records) - len(two)),
        only=(len(one) - len(common), len(two) - len(common)),
        common=len(common),
        identical=sum(r["sha256"] == s["sha256"] for r, s in pairs) if known else None,
        verdicts=sum(r.get("geneval") != s.get("geneval") for r, s in pairs),
        calls=sum(r["calls"] != s["calls"] for r, s in pairs),
        records=sum(_told(r) == _told(s) for r, s in pairs),
        largest=_largest(pairs),
        means=_means(pairs),
        geneval=_geneval(pairs),
        changed=_changed(pairs)[:most],
    )


def _told(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in canonical(record).items() if key != "yardstick"}


def _largest(pairs: Sequence[Pair]) -> dict[str, float]:
    found: dict[str, float] = {}
    for record, other in pairs:
        a, b = quantities(record), quantities(other)
        for name in a:
            if len(b.get(name, ())) == len(a[name]):
                gap = float(np.max(np.abs(np.subtract(a[name], b[name]))))
                found[name] = max(found.get(name, 0.0), gap)
    return found


def _means(pairs: Sequence[Pair]) -> dict[str, Pair]:
    def measured(record: Mapping[str, Any]) -> dict[str, float]:
        found = {name: float(np.mean(values)) for name, values in quantities(record).items()}
        found["seconds"] = record["seconds"]["total"]
        found["denoiser samples"] = sum(record["calls"][p]["denoiser"] for p in PHASES)
        return found

    rows = [(measured(r), measured(s)) for r, s in pairs]
    names = [n for n in (rows[0][0] if rows else {}) if all(n in r and n in s for r, s in rows)]
    return {
        n: (float(np.mean([r[n] for r, _ in rows])), float(np.mean([s[n] for _, s in rows])))
        for n in names
    }


def _geneval(pairs: Sequence[Pair]) -> stats.Interval | None:
    if not pairs or any("geneval" not in record for pair in pairs for record in pair):
        return None
    tasks = [record["tag"] for record, _ in pairs]

    def counts(side: int) -> tuple[stats.Array, stats.Array]:
        marks = [pair[side]["geneval"] for pair in pairs]
        return np.array([float(sum(m)) for m in marks]), np.array([float(len(m)) for m in marks])

    draws = stats.resample(tasks, stats.DRAWS, np.random.default_rng(0))
    return stats.geneval_difference(counts(1), counts(0), tasks, draws)


def _changed(pairs: Sequence[Pair]) -> list[Changed]:
    """Prompts whose verdicts or scores differ, by the change of verdicts, then of scores."""
    found = []
    for record, other in pairs:
        marks = record.get("geneval", []), other.get("geneval", [])
        a, b = quantities(record), quantities(other)
        if marks[0] != marks[1] or a != b:
            scores = {n: (float(np.mean(a[n])), float(np.mean(b[n]))) for n in a if n in b}
            found.append(Changed(record["index"], record["prompt"], marks, scores))
    spread = {
        n: float(np.std([s for c in found for s in c.scores.get(n, ())])) or 1.0
        for c in found
        for n in c.scores
    }

    def size(changed: Changed) -> tuple[float, float]:
        gaps = [abs(p - q) / spread[n] for n, (p, q) in changed.scores.items()]
        verdict = abs(np.mean(changed.correct[0] or [0]) - np.mean(changed.correct[1] or [0]))
        return float(verdict), max(gaps, default=0.0)

    return sorted(found, key=size, reverse=True)
