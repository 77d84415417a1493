"""The meter: one clock, and exact counts of calls, by phase.

Seconds run from the prompt's text to the decoded images on the host, the device synchronised at
both ends of every phase; model load and judging lie outside. Counts are samples, not batches: a
denoiser call on 4 latents under classifier-free guidance counts 8, and 4 passes. A backward count
is added when autograd really passes through the wrapped call. Peaks of memory are read while the
clock stands.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from bench.run.memory import Peaks
from bench.store.schema import KINDS, PHASES
from methods.interfaces import Backbone, Condition, Level, Reward, Solver
from methods.kernel import GAUSSIAN

OTHER = "other"
PASSES = "passes"  # counted beside KINDS: posterior means, classifier-free guidance or not


def synchronize(device: torch.device) -> None:
    """Wait for the device's queued work, so that the host clock sees it."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


@dataclass(frozen=True)
class Call:
    """A call of a part (of KINDS) with ``rows`` samples, each evaluated ``each`` times in it."""

    part: str
    rows: int
    each: int = 1


@dataclass
class Meter:
    """Seconds, calls and memory of one prompt; ``other`` is what lies between the phases.

    ``reused``: those of the calls, by phase, that were not made. ``largest`` calls of the backbone,
    by part, and the call that is ``under_way``: they tell what to make smaller where memory runs
    out.
    """

    device: torch.device
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys((*PHASES, OTHER), 0.0))
    calls: dict[str, Counter[str]] = field(
        default_factory=lambda: {p: Counter(dict.fromkeys(KINDS, 0)) for p in PHASES}
    )
    memory: dict[str, int] | None = None
    reused: dict[str, dict[str, int]] = field(default_factory=dict)
    largest: dict[str, Call] = field(default_factory=dict)
    under_way: Call | None = None
    _phase: str = OTHER
    _since: float = 0.0
    _peaks: Peaks = field(init=False)

    def __post_init__(self) -> None:
        self._peaks = Peaks(self.device)

    def _switch(self, name: str) -> None:
        """Let the time since the last switch belong to the phase until now."""
        synchronize(self.device)
        self.seconds[self._phase] += time.perf_counter() - self._since
        self._peaks.switch(self._phase, name)
        self._phase, self._since = name, time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A phase; inside another one it interrupts that one's clock."""
        outer = self._phase
        self._switch(name)
        try:
            yield
        finally:
            self._switch(outer)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """The boundary of the clock around one prompt."""
        synchronize(self.device)
        self._peaks.begin()
        self._since = time.perf_counter()
        yield
        self._switch(OTHER)
        self.seconds["total"] = sum(self.seconds[p] for p in (*PHASES, OTHER))
        self.memory = self._peaks.summary()

    def reuse(self, calls: Mapping[str, Mapping[str, int]]) -> None:
        """Count the calls, by phase, behind something that is reused, and note that they were not
        made."""
        for phase, counts in calls.items():
            self.calls[phase].update(counts)
            if counts:
                self.reused[phase] = dict(Counter(self.reused.get(phase, {})) + Counter(counts))

    def begin(self, part: str, rows: int, each: int = 1) -> None:
        """Note a call of the backbone before it is made."""
        self.under_way = call = Call(part, rows, each)
        known = self.largest.get(part)
        if known is None or rows * each > known.rows * known.each:
            self.largest[part] = call

    def passes(self, samples: int) -> None:
        """Count posterior means."""
        self.calls[self._phase][PASSES] += samples

    def count(self, kind: str, samples: int, output: Tensor) -> Tensor:
        """Count a forward call now, and its backward call when a gradient reaches ``output``."""
        self.under_way = None
        self.calls[self._phase][kind] += samples
        if output.requires_grad:
            phase = self._phase

            def backward(gradient: Tensor) -> None:
                self.calls[phase][f"{kind}_backward"] += samples

            output.register_hook(backward)
        return output


class MeteredBackbone:
    """A backbone whose calls are counted."""

    def __init__(self, backbone: Backbone, meter: Meter):
        self._backbone, self._meter = backbone, meter
        self.latent_shape, self.device = backbone.latent_shape, backbone.device
        self.kernel = getattr(backbone, "kernel", GAUSSIAN)

    def under(self, solver: str) -> Backbone:
        inner = self._backbone.under(solver)
        return self if inner is self._backbone else MeteredBackbone(inner, self._meter)

    def encode(
        self, prompt: str, guidance: float | None = None, known: Condition | None = None
    ) -> Condition:
        return self._backbone.encode(prompt, guidance, known)

    def posterior_mean(self, x: Tensor, level: Level, condition: Condition) -> Tensor:
        self._meter.begin("denoiser", len(x), condition.evaluations)
        output = self._backbone.posterior_mean(x, level, condition)
        self._meter.passes(len(x))
        return self._meter.count("denoiser", len(x) * condition.evaluations, output)

    def unconditional(self, x: Tensor, level: Level, condition: Condition) -> Tensor | None:
        self._meter.begin("denoiser", len(x))
        output = self._backbone.unconditional(x, level, condition)
        return None if output is None else self._meter.count("denoiser", len(x), output)

    def decode(self, x0: Tensor) -> Tensor:
        self._meter.begin("decode", len(x0))
        return self._meter.count("decode", len(x0), self._backbone.decode(x0))

    def solver(self, name: str, steps: int) -> Solver:
        return self._backbone.solver(name, steps)

    def level(self, fraction: float) -> Level:
        return self._backbone.level(fraction)


class MeteredReward:
    """A reward whose calls are counted."""

    def __init__(self, reward: Reward, meter: Meter):
        self._reward, self._meter = reward, meter
        self.name, self.differentiable = reward.name, reward.differentiable

    def closed_form(self, prompt: str, prior: Any) -> Any:
        """An analytic reward's closed form on a prior, which costs no call."""
        reward: Any = self._reward
        return reward.closed_form(prompt, prior)

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        return self._meter.count("reward", len(images), self._reward(images, prompt))
