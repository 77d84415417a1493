"""The record of one prompt: a typed line of a cell's records.jsonl, documented here.

A line is a JSON object whose keys are the fields of `Record` that have a value, and at its end
``seal``, a digest of everything before it. Of several lines of one index the last counts. "The same
bytes" means: ``canonical`` records are equal, and with them, through sha256, the images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from operator import itemgetter
from typing import Any

PHASES = ("prepare", "annotate", "denoise", "decode")
KINDS = tuple(
    f"{kind}{way}" for kind in ("denoiser", "decode", "reward") for way in ("", "_backward")
)
MEASURED = ("seconds", "memory", "judge_seconds", "device", "torch", "batch", "reused")
# What a judge of pictures says.
JUDGED = (
    *("geneval", "reasons", "detections", "extras", "strict", "doubt"),
    *("distinct", "scores", "diversity", "cut", "judged"),
)
NULLABLE = ("memory", "yardstick", "diversity")  # written as null where they were not measured


@dataclass(frozen=True, kw_only=True)
class Record:
    """One prompt of a cell, sampled or failed. Lists over images are in the order of ``images``.

    index, prompt, tag    the prompt's place in the experiment's list, its text, its task
    fields                other entries of the prompt's metadata, where it has any
    seed                  of the noise ledger
    device, torch         what it ran on
    seconds               by phase: prepare (text encoding, lookahead samples), annotate (their
                          rewards), denoise, decode, other (between the phases), and their sum total
    calls                 by phase and kind, in samples; classifier-free guidance counts two
    passes                by phase, where there are any: posterior means asked of the denoiser, in
                          samples; classifier-free guidance counts one. None in earlier versions
    reused                those of the calls that were not made, because another cell had drawn the
                          same lookahead samples; the seconds are then not the method's
    memory                bytes: allocated, the peak; target, the peak of target sampling (denoise
                          and decode); resident, what was in use before the method began, every
                          model of the cell included, and part of both peaks. On CUDA of tensors,
                          and reserved, the peak of what the allocator keeps; on a CPU under Linux
                          of the whole process. None elsewhere. Where vanilla was timed beside the
                          method also vanilla, its target less its resident
    batch                 images sampled together, and the most samples in a call of the denoiser
                          and of the decoder (None: no limit); smaller where memory ran out
    yardstick             seconds of vanilla and of the method, timed one after the other on this
                          prompt; None where they were not
    judge_seconds         outside the clock
    images                paths below the cell's ``images``
    sha256                digests of these files; a run that goes on holds the files against them
    geneval, reasons      per image: correct or not, and what was wrong. None where nothing judged;
                          by a random or unproven detector where the config's weights.judge begins
                          with "untested"
    detections            per image what a detector saw above GenEval's threshold (0.3), the most
                          confident first: [class, x0, y0, x1, y1, score], pixels, y downwards. None
                          without a detector, and in earlier versions; so are the four that follow
    extras                per image how many detections there are beyond the objects asked for: of
                          the classes "asked" for, and of any "other" class
    strict                per image: correct by GenEval's protocol with the counting threshold (0.9)
                          for every task, and without extras
    doubt                 per image: how many of what it saw the detector expects to be wrong about,
                          the sum of min(p, 1 - p) over scores p from 0.05 on
    distinct              how many of the images are correct and no copies of one another in the
                          features of the reward named clip
    scores                per reward and image; the config's ``reward`` guided
    diversity             mean squared distance between the images' normalised features in the
                          reward named clip; None where there is none
    cut                   where a prompt was too long for a score: {score: tokens not read}
    strings               on molecules, of the whole set: the shares that are valid and unique (of
                          distinct valid strings), how many are novel, the novel ones' mean reward
    distance              where the target is known, to it, with its floor between exact sets
                          and a perfect sampler's: w2, mmd and modes on the mixture, tv and letters
                          on strings; on molecules tv between the reward's histogram and its law
    target                where there is a distance: the target's expectation of each score
    target_diversity      likewise: the target's diversity
    judged                what a judge from outside says beyond ``geneval`` and ``reasons``
    info                  the method's own diagnostics
    error                 None, or why the prompt failed; nothing was measured then
    log                   file of the failure's traceback, below the cell's folder
    """

    index: int
    prompt: str
    tag: str
    fields: Mapping[str, Any] | None = None
    seed: int | None = None
    device: str = "unknown"
    torch: str = "unknown"
    seconds: Mapping[str, float] | None = None
    calls: Mapping[str, Mapping[str, int]] | None = None
    passes: Mapping[str, int] | None = None
    reused: Mapping[str, Mapping[str, int]] | None = None
    memory: Mapping[str, int] | None = None
    batch: Mapping[str, int | None] | None = None
    yardstick: Mapping[str, float] | None = None
    judge_seconds: float | None = None
    images: Sequence[str] = ()
    sha256: Sequence[str] = ()
    geneval: Sequence[bool] | None = None
    reasons: Sequence[Sequence[str]] | None = None
    detections: Sequence[Sequence[Sequence[Any]]] | None = None
    extras: Mapping[str, Sequence[int]] | None = None
    strict: Sequence[bool] | None = None
    doubt: Sequence[float] | None = None
    distinct: int | None = None
    scores: Mapping[str, Sequence[float]] | None = None
    strings: Mapping[str, float] | None = None
    diversity: float | None = None
    cut: Mapping[str, int] | None = None
    distance: Mapping[str, float] | None = None
    target: Mapping[str, float] | None = None
    target_diversity: float | None = None
    judged: Mapping[str, Any] | None = None
    info: Mapping[str, Any] | None = None
    error: str | None = None
    log: str | None = None

    @property
    def beyond(self) -> list[int] | None:
        """Per image, how many detections there are beyond those asked for, of any class."""
        return None if self.extras is None else [*map(sum, zip(*self.extras.values(), strict=True))]

    @property
    def bundled(self) -> bool:
        """Whether a file holds all of a prompt's samples: points, or strings."""
        return self.distance is not None or self.strings is not None

    def plain(self) -> dict[str, Any]:
        """The record as a JSON object."""
        kept = ("error",) if self.error is not None else ("error", *NULLABLE)
        found = {name: getattr(self, name) for name in NAMES}
        return {k: v for k, v in found.items() if k in kept or (v is not None and v != ())}


NAMES = tuple(field.name for field in fields(Record))
_seconds_of = itemgetter(*PHASES, "total")
_phases_of, _kinds_of = itemgetter(*PHASES), itemgetter(*KINDS)


def canonical(record: Record) -> dict[str, Any]:
    """A record without what the clock and the machine decide; which prompts are timed remains.

    Equal for the same cell however often it was interrupted, and in however many shards it ran.
    """
    kept = {key: value for key, value in record.plain().items() if key not in MEASURED}
    return kept | ({"yardstick": bool(record.yardstick)} if record.error is None else {})


def parse(found: Mapping[str, Any]) -> Record:
    """A JSON object as a record. Raises ValueError for what makes no sense, and says what."""
    try:
        # Earlier versions wrote "1 threads".
        device = str(found.get("device", "unknown")).replace(", 1 threads", ", 1 thread")
        record = Record(**{**found, "device": device})
        if record.error is None:
            _check(record)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"missing or malformed field {error}") from None
    return record


def _check(record: Record) -> None:
    """Raise for a finished record that lacks a measurement, or holds one that cannot be."""
    timed = record.yardstick
    sum(_seconds_of(record.seconds or {}))
    for counts in _phases_of(record.calls or {}):
        sum(_kinds_of(counts))
    if timed and not all(0 < timed[side] < float("inf") for side in ("vanilla", "method")):
        raise ValueError(f"yardstick seconds must be positive, got {timed}")
    if record.bundled:
        return
    lengths = {name: len(values) for name, values in (record.scores or {}).items()}
    if record.geneval is not None:
        if record.scores is None:
            raise KeyError("scores")
        lengths |= {"geneval": len(record.geneval), "reasons": len(record.reasons or ())}
    for name in ("detections", "strict", "doubt"):
        if (values := getattr(record, name)) is not None:
            lengths[name] = len(values)
    lengths |= {f"extras {kind}": len(values) for kind, values in (record.extras or {}).items()}
    count = len(record.images)
    if not count or any(length != count for length in lengths.values()):
        raise ValueError(f"{count} images, but values for {lengths}")
    for name, values in (record.scores or {}).items():
        if not _finite(values):
            raise ValueError(f"the scores {name} hold something that is not a number")


def _finite(values: Sequence[Any]) -> bool:
    try:
        return all(map(isfinite, values))
    except TypeError:
        return False
