"""``guidance-bench gradient [key=value …]``: is the gradient of a reward worth following?

From vanilla's finished latents of each prompt, along the gradient of every differentiable reward in
``scores``: single steps of several sizes, and a climb of 30 steps of 1 % of the latents' norm.
Reported are the gain that the slope promises and the gain that comes, and what GenEval and every
other score say before and after. A reward whose climb breaks more images than it repairs is no fair
test of methods that follow gradients. Beside them stands a random direction, as long as the climb.

    python -m bench gradient scores=[preference,taste,clip]           24 prompts, 4 images each

Writes images.csv, a report and a figure to RESULTS/reward_gradients.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from bench.backbones import load_backbone
from bench.config.cell import make_cell
from bench.config.compose import cell_settings, composed
from bench.config.overrides import check_command_line, written_out
from bench.device import resolve_device
from bench.errors import BenchError
from bench.judge.judges import DETECTORS, Judge, load_judge
from bench.noise import Ledger
from bench.prompts.choice import Prompt
from bench.report import files, gradients
from bench.rewards import LoadedReward, differentiable, load_reward
from bench.run.ascent import Score, ascend, gains
from bench.run.job import results_folder
from bench.run.measure import Task
from bench.store.disk import check_writable
from methods.method import Method
from methods.problem import Problem
from methods.sample import sample

SIZES = (0.001, 0.003, 0.01, 0.03, 0.1)
STEPS, STEP = 30, 0.01
FOLDER = "reward_gradients"


def main(arguments: Sequence[str]) -> int:
    """0 done, 2 it cannot be done as things are."""
    try:
        arguments = written_out(arguments)
        check_command_line(arguments)
        print(measure(arguments))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def measure(overrides: Sequence[str]) -> Path:
    """Measure and report; the path of report.md. Raises BenchError."""
    settings = cell_settings(overrides, [])
    cell = make_cell(settings)
    if cell.judge["kind"] not in DETECTORS:
        raise BenchError(
            f"gradient asks GenEval's judge before and after, and judge={cell.judge['kind']} is "
            f"none: choose from {', '.join(DETECTORS)}"
        )
    names = [n for n in cell.scores if differentiable(n, settings["rewards"])]
    if not names:
        raise BenchError(f"none of scores={list(cell.scores)} has a derivative: name one that has")
    folder = results_folder(composed(overrides)) / FOLDER
    check_writable(folder)
    device = resolve_device(cell.device)
    judge = load_judge(cell.judge, settings, device)
    backbone, _ = load_backbone(cell.backbone, cell.device, cell.solvers)
    rewards = {name: load_reward(name, settings["rewards"], device) for name in names}
    task = Task(backbone, rewards[names[0]], cell.solver, cell.steps, cell.images, cell.seed)
    rows: list[dict[str, Any]] = []
    for number, prompt in enumerate(cell.prompts, start=1):
        rows += Place.vanilla(task, judge, prompt).rows(rewards)
        print(f"{number}/{len(cell.prompts)} {prompt.text}", flush=True)
    frame = pd.DataFrame(rows)
    frame.to_csv(folder / "images.csv", index=False, float_format="%.6g")
    return files.write(gradients.report(frame, STEPS, STEP), folder)[1]


@dataclass(frozen=True)
class Place:
    """Where the climbs of a prompt begin: vanilla's latents, and how they are judged."""

    task: Task
    judge: Judge
    prompt: Prompt
    z: Tensor

    @classmethod
    def vanilla(cls, task: Task, judge: Judge, prompt: Prompt) -> Place:
        problem = Problem(
            backbone=task.backbone,
            reward=task.reward,
            noise=Ledger(task.seed, prompt.text),
            prompt=prompt.text,
            condition=task.backbone.encode(prompt.text),
            images=task.images,
            solver=task.solver,
            steps=task.steps,
        )
        with torch.no_grad():
            return cls(task, judge, prompt, sample(problem, Method("vanilla")).latents)

    def rows(self, rewards: Mapping[str, LoadedReward]) -> Iterator[dict[str, Any]]:
        """One row for each reward and image."""
        before = self.judged(self.z)
        noise = Ledger(self.task.seed, self.prompt.text)(self.z.shape, "gradient")
        scores: dict[str, Score] = {n: partial(self.score, r) for n, r in rewards.items()}
        scores[gradients.RANDOM] = lambda z: (z * noise.to(z)).flatten(1).sum(1)
        for name, score in scores.items():
            found = gains(score, self.z, SIZES)
            after = self.judged(ascend(score, self.z, STEPS, STEP))
            columns = {
                **{f"promised.{s:g}": v for s, v in zip(SIZES, found.promised, strict=True)},
                **{f"actual.{s:g}": v for s, v in zip(SIZES, found.actual, strict=True)},
                **{f"before.{key}": v for key, v in before.items()},
                **{f"after.{key}": v for key, v in after.items()},
            }
            for image in range(len(self.z)):
                yield {
                    "reward": name,
                    "index": self.prompt.index,
                    "prompt": self.prompt.text,
                    "tag": self.prompt.tag,
                    "image": image,
                    **{key: float(values[image]) for key, values in columns.items()},
                }

    def score(self, reward: LoadedReward, z: Tensor) -> Tensor:
        return reward(self.task.backbone.decode(z), self.prompt.text)

    @torch.no_grad()
    def judged(self, z: Tensor) -> dict[str, list[float]]:
        """GenEval's verdict and every score of each image."""
        found = self.judge.judge(self.prompt.metadata, self.task.backbone.decode(z).cpu())
        return {"geneval": found["geneval"], **found["scores"]}
