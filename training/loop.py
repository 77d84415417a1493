"""What every training stage shares: a resumable loop, an EMA, a learning-rate schedule, a log."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

Losses = dict[str, float]


class Ema:
    """Exponential moving average of a module's parameters, with a warm-up of the decay."""

    def __init__(self, modules: Sequence[nn.Module], decay: float):
        self.decay = decay
        self.params: list[Tensor] = [p for m in modules for p in m.parameters()]
        self.shadow = [p.detach().clone() for p in self.params]

    @torch.no_grad()
    def update(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.shadow, self.params, 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the averaged and the raw parameters; call again to undo."""
        for p, s in zip(self.params, self.shadow, strict=True):
            kept = p.detach().clone()
            p.copy_(s)
            s.copy_(kept)


def learning_rate(step: int, steps: int, peak: float, warmup: int, flat: float) -> float:
    """Linear warm-up, flat until the share ``flat`` of all steps, then linear to 2% of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    rest = max(0.0, (step / steps - flat) / (1 - flat))
    return peak * max(0.02, 1 - rest)


def fit(
    name: str,
    folder: Path,
    modules: Sequence[nn.Module],
    loss_of: Callable[[int], tuple[Tensor, Losses]],
    *,
    steps: int,
    lr: float,
    batch: int,
    warmup: int = 200,
    flat: float = 0.5,
    weight_decay: float = 0.01,
    ema_decay: float = 0.999,
    every: int = 200,
    evaluate: Callable[[int], Losses] | None = None,
    evaluate_every: int = 0,
) -> Ema:
    """Minimise ``loss_of(step)`` with AdamW; checkpoint and log every ``every`` steps; resume.

    ``loss_of`` must draw its data from generators keyed by the step, so that a resumed run
    continues as the uninterrupted one would. The log is ``folder/<name>.csv``, one row per
    checkpoint: step, samples seen, seconds, losses and, where due, ``evaluate``'s figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, log = folder / f"{name}.pt", folder / f"{name}.csv"
    params = [p for m in modules for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        params, lr, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True
    )
    ema = Ema(modules, ema_decay)
    start, spent = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        for module, saved in zip(modules, state["modules"], strict=True):
            module.load_state_dict(saved)
        optimizer.load_state_dict(state["optimizer"])
        ema.shadow = state["ema"]
        start, spent = state["step"], state["seconds"]
    sums: Losses = {}
    began, seen = time.monotonic(), 0
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, lr, warmup, flat)
        loss, parts = loss_of(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        ema.update(step)
        for key, value in parts.items():
            sums[key] = sums.get(key, 0.0) + value
        seen += 1
        done = step + 1
        if done % every == 0 or done == steps:
            seconds = spent + time.monotonic() - began
            row: dict[str, float] = {"step": done, "samples": done * batch, "seconds": seconds}
            row |= {key: value / seen for key, value in sums.items()}
            if evaluate and evaluate_every and (done % evaluate_every == 0 or done == steps):
                ema.swap()
                row |= evaluate(done)
                ema.swap()
            append(log, row)
            _save(checkpoint, modules, optimizer, ema, done, seconds)
            print(name, " ".join(f"{k} {v:.5g}" for k, v in row.items()), flush=True)
            sums, seen = {}, 0
    ema.swap()
    return ema


def _save(
    path: Path,
    modules: Sequence[nn.Module],
    optimizer: torch.optim.Optimizer,
    ema: Ema,
    step: int,
    seconds: float,
) -> None:
    state = {
        "modules": [m.state_dict() for m in modules],
        "optimizer": optimizer.state_dict(),
        "ema": ema.shadow,
        "step": step,
        "seconds": seconds,
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def append(path: Path, row: Mapping[str, float]) -> None:
    """Add a row; a new column rewrites the header over the rows already there."""
    rows: list[dict[str, str]] = []
    if path.exists():
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    rows.append({k: f"{v:.6g}" for k, v in row.items()})
    columns = list(dict.fromkeys(k for r in rows for k in r))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def export(module: nn.Module, path: Path) -> None:
    """Write a module's parameters and buffers as float16, readable by all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = module.state_dict()
    save_file({k: v.detach().to(torch.float16).contiguous() for k, v in state.items()}, path)
    path.chmod(0o644)
