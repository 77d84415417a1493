"""The record: one JSON line a prompt in a cell's records.jsonl; of an index the last line counts.

index, prompt, tag    the prompt's place in its source's whole list, its text, its task or category
fields                only where its source says more of it: every other column of a user's file
seed                  of the noise ledger
device, torch         what it ran on
seconds               by phase: prepare (encoding, lookahead samples), annotate (their rewards),
                      denoise, decode, "other" (between the phases), and their sum "total"
memory                peak bytes of the method on an accelerator: allocated, reserved (what the
                      allocator kept from earlier work included), and resident (allocated before
                      it began: every model of the cell, judges too); null on a CPU
batch                 images sampled together, and the most samples in a call of denoiser and
                      decoder (null where there is no such limit): less than asked for where memory
                      ran out
calls                 by phase and kind, in samples; CFG counts two denoiser samples
yardstick             null, or {"vanilla", "method"}: seconds of vanilla and of the method,
                      timed one after the other on this prompt
judge_seconds         outside the clock
images                paths below the cell's ``images``, in the order of every list below
sha256                of the images' files, in that order; resume holds the files against them
geneval, reasons      per image: correct or not, and what failed
scores                per reward and image; the config's ``reward`` guided
diversity             mean squared distance between normalised features of the reward named clip
                      over the pairs; null where there is none
cut                   only where a prompt was too long for a score: {score: tokens not read}
info                  the method's own diagnostics
with judge=none there are no geneval and reasons, and with scores=[] no scores and diversity either;
where the config's weights.judge begins with "untested" the verdicts are a random or unproven
detector's
on the mixture, in place of geneval and reasons:
distance              to the exact target: w2, mmd, and their floors between two exact sets
target                the target's expectation of each score; target_diversity likewise
error                 null, or why the prompt failed; then the measurements are absent, and
log                   names the traceback's file below the cell's folder

"The same bytes" means: ``canonical`` records are equal, and with them, through sha256, the images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PHASES = ("prepare", "annotate", "denoise", "decode")
KINDS = tuple(
    f"{kind}{way}" for kind in ("denoiser", "decode", "reward") for way in ("", "_backward")
)
MEASURED = ("seconds", "memory", "judge_seconds", "device", "torch", "batch")


def canonical(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record without what the clock and the machine decide; which prompts are timed remains.

    Equal for the same cell however often it was interrupted, and in however many shards it ran.
    """
    kept = {key: value for key, value in record.items() if key not in MEASURED}
    return kept | ({"yardstick": bool(record["yardstick"])} if "yardstick" in record else {})
