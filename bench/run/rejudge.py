"""A results folder judged again: its images as they are on disk, each cell by its own judge.

For images that an earlier version judged, or scored by fewer rewards. Of a record only what a judge
says changes. A cell's records are replaced at once when all of them are judged, and its config.yaml
then tells by which code, under ``judged``: a command that is killed goes on with the cell that it
was at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from bench.config.cell import code_digest, outside_sources
from bench.config.compose import cell_settings
from bench.device import resolve_device
from bench.errors import BenchError, explained
from bench.judge.judges import MOLECULES, TRUTH, Judge, load_judge, names_used
from bench.prompts.choice import Metadata
from bench.rewards import load_reward
from bench.store.config import read_config, write_config
from bench.store.disk import replace_text, sha256, writing
from bench.store.images import from_bytes, read
from bench.store.locks import holding
from bench.store.records import encode, read_records
from bench.store.schema import JUDGED, Record

Config = dict[str, Any]


def rejudge(folder: Path, added: Sequence[str], console: Console | None = None) -> list[str]:
    """Judge every cell below ``folder`` again, by the scores ``added`` too; what went wrong.

    Cells that this code has judged by these scores are left alone, and so are those whose samples
    are no pictures. Raises BenchError where there is nothing to judge.
    """
    paths = [folder / "config.yaml", *sorted(folder.glob("cells/*/config.yaml"))]
    paths = [path for path in paths if path.is_file()]
    if not paths:
        raise BenchError(f"no cells in {folder}: expected {folder}/cells/<cell>/config.yaml")
    problems = []
    for path in paths:
        try:
            _cell(path, added, console)
        except BenchError as error:
            problems.append(f"{path.parent.name}: {error}")
    return problems


def _cell(path: Path, added: Sequence[str], console: Console | None) -> None:
    config = read_config(path)
    if config["judge"]["kind"] in (TRUTH, MOLECULES):
        return
    wanted = with_scores(config, added)
    if wanted == config and _is_current(config, path.with_name("records.jsonl")):
        return
    folder, device = path.parent, resolve_device(config["device"])
    with holding(folder / ".locks", (0, 1)), explained():
        judge = load_judge(wanted["judge"], wanted, device)
        weights = {"judge": judge.digest()} | {
            name: load_reward(name, wanted["rewards"], device).digest()
            for name in names_used(wanted)
        }
        _check_weights(config, weights)
        found = read_records(folder / "records.jsonl")
        if found.unsealed:
            raise BenchError(
                f"lines of its records without a seal: {found.unsealed}; nothing tells whether "
                "they were changed since an earlier version wrote them"
            )
        shown = track(
            list(found), config["cell"], console=console, disable=console is None, transient=True
        )
        lines = [
            encode(record if record.error is not None else judged(folder, record, judge))
            for record in shown
        ]
        if lines:
            with writing(folder / "records.jsonl"):
                replace_text(folder / "records.jsonl", b"".join(lines).decode())
        known = {key: value for key, value in wanted.items() if key != "seal"}
        known["weights"] = {**config["weights"], **weights}
        write_config(path, known | {"judged_by": code_digest()})


def _is_current(config: Config, records: Path) -> bool:
    """Whether this code has judged the cell, and every record has the scores: a run that went on
    after scores were added has written records without them."""
    every = {*config["scores"]}
    return config.get("judged_by", config["code"]) == code_digest() and all(
        every <= {*(record.scores or {})} for record in read_records(records).finished.values()
    )


def with_scores(config: Config, added: Sequence[str]) -> Config:
    """A cell's settings with further scores: rewards of the backbone, or import paths."""
    new = [name for name in added if name not in config["scores"]]
    if not new:
        return config
    scores = [*config["scores"], *new]
    overrides = [f"backbone={config['backbone']['name']}", f"scores=[{','.join(scores)}]"]
    settings: Config = {**config, "scores": scores}
    settings["rewards"] = {**cell_settings(overrides, [])["rewards"], **config["rewards"]}
    sources = outside_sources(settings)
    return settings | {"sources": {**(config.get("sources") or {}), **sources}}


def _check_weights(config: Config, weights: Mapping[str, str]) -> None:
    """Raise BenchError where a judge or a reward is not the one that the cell was made with."""
    there = config["weights"]
    for name, digest in weights.items():
        if name in there and there[name] != digest:
            raise BenchError(
                f"the weights of {name} are not those that the cell was made with ({digest}, were "
                f"{there[name]}): its images stay as they were judged"
            )


def judged(folder: Path, record: Record, judge: Judge) -> Record:
    """A record with what the judge says now of its images. Raises BenchError where a file is not
    as it was recorded."""
    paths = [folder / "images" / name for name in record.images]
    for path, digest in zip(paths, record.sha256, strict=True):
        if not path.is_file() or sha256(path) != digest:
            what = "not the image that was recorded" if path.is_file() else "missing"
            raise BenchError(f"{path} is {what}: the command that sampled this cell makes it anew")
    where = folder / "images" / f"{record.index:05d}" / "metadata.jsonl"
    try:
        metadata: Metadata = json.loads(where.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BenchError(f"{where} is missing or damaged") from None
    if (metadata.get("prompt"), metadata.get("tag")) != (record.prompt, record.tag):
        raise BenchError(f"{where} is not the prompt that was recorded")
    said = judge.judge(metadata, from_bytes(read(paths)))
    changed: dict[str, Any] = {key: said.get(key) for key in JUDGED}
    return replace(record, **changed)
