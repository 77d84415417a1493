"""Every method on pretended GPUs, and what was seen.

For a process of its own, in which autograd knows such devices (``guard.cpp``).
"""

import json
import tempfile
import traceback
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch

from bench.config.cell import make_cell
from bench.rewards import load_reward
from bench.run.cells import prepare
from bench.run.measure import measure
from methods.base import Steer
from methods.method import Method
from tests.gpu.pretended import pretended
from tests.small import FAMILIES, methods_of, small_method, small_settings, target_solver

# Methods on a device, and how many particles they differentiate at a time.
RUNS = {"cuda:1": (methods_of, None), "cuda:0": (lambda family: ("vanilla", "das"), 1)}


class Broken:
    """A reward that is no number."""

    name, differentiable = "broken", True

    def __call__(self, images, prompt):
        return images.mean(dim=(1, 2, 3)) * float("nan")


@dataclass(frozen=True)
class Waiting(Steer):
    """Waits at every step."""

    def shift(self, step, memory):
        return step.x * float(step.x.sum())


@dataclass(frozen=True)
class Astray(Steer):
    """Adds what lies on the host."""

    def shift(self, step, memory):
        return torch.zeros(step.x.shape)


def sampled(mode, ready, method):
    """What one measurement showed: what was noted from each step to the next, and where."""
    marks, where = [], set()

    def observe(step):
        marks.append(len(mode.events))
        where.update((str(t.device), str(t.dtype)) for t in (step.x, step.x0))

    measured = measure(ready.task, method, ready.cell.prompts[0].text, observe)
    between = [mode.events[a:b] for a, b in pairwise(marks)]
    return {
        # Where the host synchronizes by name, a phase of the clock ends: that is no step.
        "steps": [e for e in between if not any(kind == "synchronize" for kind, _ in e)],
        "latents": sorted(where),
        "images": measured.delivered.shape,
    }


def places(backbone):
    """Where the pipeline's networks lie, in which types, and how their convolutions are laid out.

    Each network's name -> [devices, types, whether one is channels_last]."""
    networks = {n: m for n, m in backbone.pipeline.components.items() if hasattr(m, "parameters")}
    networks |= {"denoiser": backbone.denoiser}
    return {
        name: [
            sorted({str(t.device) for t in [*network.parameters(), *network.buffers()]}),
            sorted({str(t.dtype) for t in network.parameters()}),
            any(
                t.is_contiguous(memory_format=torch.channels_last) and not t.is_contiguous()
                for t in network.parameters()
                if t.ndim == 4
            ),
        ]
        for name, network in networks.items()
    }


def scored(mode, name, settings, device):
    """What was noted when a reward was called the second time, forward and backward."""
    reward = load_reward(name, settings, device)
    for _ in range(2):
        images = torch.rand(2, 3, 64, 64, device=device, requires_grad=True)
        before = len(mode.events)
        reward(images, "a photo of a cat").sum().backward()
    return {"steps": [mode.events[before:]]}


def judged(ready):
    """What the judge and the scores, on the device, say of two images."""
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return ready.judge.judge(ready.cell.prompts[0].metadata, images)


def attempted(call, *given):
    """What ``call`` returns, or its error."""
    try:
        return call(*given)
    except Exception:
        return {"error": traceback.format_exc(limit=-8)}


def main(out):
    """Run it all, and write to ``out`` what was seen, as JSON."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, pretended() as mode:

        def run(ready, family, name, graph):
            method = small_method(name, ready.cell.method.estimators["lookahead"].solver)
            task = replace(ready.task, solver=target_solver(family, name), graph=graph)
            return sampled(mode, replace(ready, task=task), method)

        for device, (methods, graph) in RUNS.items():
            began = len(mode.events)
            for family in FAMILIES:
                own = (f"backbone={family}", f"device={device}")
                ready = prepare(
                    make_cell(small_settings(family, "lidar", *own)), Path(folder), print
                )
                at = ready.task.backbone.device
                # Constants and the prompt's tokens are copied at a reward's first call.
                ready.task.reward(torch.zeros(1, 3, 16, 16, device=at), ready.cell.prompts[0].text)
                for name in methods(family):
                    found[f"{device} {family} {name}"] = attempted(run, ready, family, name, graph)
                found[f"{device} {family} places"] = places(ready.task.backbone)
                found[f"{device} {family} judged"] = attempted(judged, ready)
            asked = {what for kind, what in mode.events[began:] if kind == "context"}
            found[f"{device} contexts"] = sorted(asked)
        settings = {**ready.cell.settings["rewards"], "preference": {"kind": "preference"}}
        for name in settings:
            if name != "jpeg":
                found[f"reward {name}"] = attempted(scored, mode, name, settings, at)
        broken = replace(ready, task=replace(ready.task, reward=Broken()))
        for name in ("ug", "fk_smc", "svdd", "rollout", "lidar", "best_of_n"):
            found[f"broken {name}"] = attempted(run, broken, family, name, None)
        for steer in (Waiting(), Astray()):
            own = Method("own", {}, {"own": steer})
            found[type(steer).__name__] = attempted(sampled, mode, ready, own)
    Path(out).write_text(json.dumps(found))
