"""``python -m bench.costs FOLDER``: ratios that were measured beside those that are predicted.

FOLDER is a results folder of pictures, such as experiment=cost makes. Of each cell that was timed
beside vanilla: its seconds over vanilla's, and the same ratio by the roofline of the device that
its records name (an A100's peaks where that device is unknown), from its recorded calls and the
true architecture.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from bench.costs.devices import DEVICES, Device
from bench.costs.model import Assumptions, Calls, by_part, total_seconds
from bench.costs.parts import of_pipeline, of_true_reward, true_sizes
from bench.costs.predicted import Costed
from bench.errors import BenchError, explained
from bench.store.frames import Frames, read
from bench.store.schema import KINDS, PHASES


def device_of(name: str) -> Device:
    """The known device that ``name``, as torch calls it, is one of."""
    plain = name.lower().replace(" ", "")
    return next((own for key, own in DEVICES.items() if key in plain), DEVICES["a100"])


def beside(frames: Frames) -> pd.DataFrame:
    """One row for each timed cell: label, device, measured, predicted, error."""
    config = frames.cells.config.iloc[0]
    sizes = true_sizes(config["backbone"])
    parts = {
        **of_pipeline(sizes),
        **of_true_reward(config["reward"], config["rewards"], sizes.pixels),
    }
    calls = {cell: _calls(frames, str(cell)) for cell in frames.cells.index}
    vanilla = {
        (row.solver, row.steps): calls[cell]
        for cell, row in frames.cells.iterrows()
        if row.method == "vanilla"
    }
    rows = []
    for cell, row in frames.cells.iterrows():
        timed = frames.of(str(cell)).dropna(subset=["yardstick.vanilla", "yardstick.method"])
        base = vanilla.get((row.solver, row.steps))
        if timed.empty or base is None:
            continue
        one = Costed(row.label, row.config, calls[cell], base, row.images)
        device = device_of(timed.device.iloc[0])
        given = Assumptions(together=row.images)
        own, usual = (
            total_seconds(parts, by_part(made, one.texts), device, given)
            for made in (one.calls, base)
        )
        measured = timed["yardstick.method"].sum() / timed["yardstick.vanilla"].sum()
        predicted = own / usual
        rows.append((row.label, device.name, measured, predicted, predicted / measured - 1))
    return pd.DataFrame(rows, columns=["method", "peaks of", "measured", "predicted", "error"])


def _calls(frames: Frames, cell: str) -> Calls:
    """Mean calls of a prompt, by phase and kind."""
    means = frames.of(cell)[[f"calls.{p}.{k}" for p in PHASES for k in KINDS]].mean()
    return {p: {k: round(means[f"calls.{p}.{k}"]) for k in KINDS} for p in PHASES}


def main(arguments: list[str] | None = None) -> int:
    """0 when something could be told, 2 when not."""
    parser = argparse.ArgumentParser(prog="python -m bench.costs", description=__doc__)
    parser.add_argument("folder", type=Path)
    try:
        with explained():
            frames = read(parser.parse_args(arguments).folder)
            if frames.cells.config.iloc[0]["backbone"].get("weights") == "tiny":
                raise BenchError(
                    "measured at toy size: the model is of the true one, weights=random"
                )
            found = beside(frames)
        if found.empty:
            raise BenchError("no cell was timed beside vanilla, or there is no vanilla cell")
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    forms = {
        "measured": "{:.2f}×".format,
        "predicted": "{:.2f}×".format,
        "error": "{:+.0%}".format,
    }
    print(found.to_string(index=False, formatters=forms))
    return 0


if __name__ == "__main__":
    sys.exit(main())
