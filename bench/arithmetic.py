"""``python -m bench.arithmetic``: LiDAR's guidance as two matrix products against the naive form.

The naive form broadcasts x_t (B, 1, D) against the samples (1, n, D). Milliseconds: the median of
repeated calls; memory is how far a call raises the process's peak, each form in a process of its
own (on Linux, which says so in /proc).
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from methods.efr.lookahead import Lookahead

SIZES = ((4, 50, 1024), (4, 50, 16384), (4, 800, 16384), (4, 100, 65536))
ALPHA, SIGMA, SCALE = 0.8, 0.6, 5000.0


def naive(x: Tensor, samples: Tensor, rewards: Tensor) -> Tensor:
    """Σ_i (softmax(λ r − d)_i − softmax(−d)_i) x̂_0^i with every difference written out."""
    d = (x[:, None] - ALPHA * samples[None]).square().sum(dim=-1) / (2 * SIGMA**2)
    weights = torch.softmax(SCALE * rewards - d, dim=-1) - torch.softmax(-d, dim=-1)
    return (weights[..., None] * samples[None]).sum(dim=1)


def drawn(batch: int, n: int, dimension: int) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    samples = torch.randn(n, dimension, generator=g)
    x = ALPHA * samples[:batch] + SIGMA * torch.randn(batch, dimension, generator=g)
    return x, samples, torch.randn(n, generator=g) / SCALE


def resident(field: str) -> float:
    """VmRSS, the resident memory, or VmHWM, its peak since the last reset, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no {field} in /proc/self/status")


def reset_peak() -> None:
    """Give free memory back to the system and let VmHWM begin anew at VmRSS."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def measured(form: str, batch: int, n: int, dimension: int) -> dict[str, float]:
    """Median milliseconds of a call, and MiB by which one raises the peak."""
    x, samples, rewards = drawn(batch, n, dimension)
    estimate = Lookahead(samples, rewards, SCALE)
    forms: dict[str, Callable[[], Tensor]] = {
        "naive": lambda: naive(x, samples, rewards),
        "products": lambda: estimate.shift(x, ALPHA, SIGMA),
    }
    forms[form]()  # wakes the library
    reset_peak()
    before = resident("VmRSS")
    forms[form]()
    rise = resident("VmHWM") - before
    seconds: list[float] = []
    until = time.perf_counter() + 2
    while time.perf_counter() < until or len(seconds) < 5:
        began = time.perf_counter()
        forms[form]()
        seconds.append(time.perf_counter() - began)
    return {"ms": 1000 * median(seconds), "mib": rise}


def apart(form: str, *size: int) -> dict[str, float]:
    """``measured`` in a process of its own."""
    command = [sys.executable, "-m", "bench.arithmetic", "--form", form, *map(str, size)]
    found: dict[str, float] = json.loads(subprocess.check_output(command, text=True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.arithmetic", description=__doc__)
    parser.add_argument("--form", choices=("naive", "products"), help="this form alone, as JSON")
    parser.add_argument("size", type=int, nargs="*", help="B n D; without, a table of sizes")
    options = parser.parse_args()
    if options.form:
        print(json.dumps(measured(options.form, *options.size)))
        return
    print("| B | n | D | naive ms | products ms | faster | naive MiB | products MiB | less |")
    print("| --: | --: | --: | --: | --: | --: | --: | --: | --: |")
    for size in [tuple(options.size)] if options.size else SIZES:
        a, b = apart("naive", *size), apart("products", *size)
        less = f"{a['mib'] / max(b['mib'], 0.1):.0f}×"  # below 0.1 MiB a page is all there is
        print(
            f"| {' | '.join(map(str, size))} | {a['ms']:.2f} | {b['ms']:.3f} "
            f"| {a['ms'] / b['ms']:.1f}× | {a['mib']:.1f} | {b['mib']:.1f} | {less} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
