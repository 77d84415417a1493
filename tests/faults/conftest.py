"""A cell that runs in a tenth of a second: a tiny random pipeline, a reward and a judge of pixels.

Tests beside this file can import interrupted.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

import bench.run.cells
from bench.config.cell import Cell, make_cell
from bench.config.compose import cell_settings

sys.path.insert(0, str(Path(__file__).parent))

LIDAR = ("method=lidar", "method.efr.lookahead.n=2", "method.efr.lookahead.steps=1")
TOY = ("prompts.per_task=1", "steps=2", "images=2", "yardstick_every=3")


class Brightness:
    """Mean pixel value, blind to the prompt."""

    name = "preference"
    differentiable = True

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        return images.mean(dim=(1, 2, 3))

    def digest(self) -> str:
        return "brightness"


class PixelJudge:
    """Whatever follows from the pixels, in the shape of a record."""

    def digest(self) -> str:
        return "pixels"

    def judge(self, metadata: Mapping[str, Any], images: Tensor) -> dict[str, Any]:
        red, green = images[:, 0].mean(dim=(1, 2)), images[:, 1].mean(dim=(1, 2))
        return {
            "geneval": (red > green).tolist(),
            "reasons": [[] for _ in images],
            "scores": {"preference": [round(v, 6) for v in images.mean(dim=(1, 2, 3)).tolist()]},
            "diversity": round(float(images.var(dim=0).mean()), 6),
        }


@pytest.fixture(scope="module")
def toy(backbone: Any) -> Iterator[Callable[..., Cell]]:
    """Cells of the toy, by overrides; what it loads is put in place of the miniature."""

    def make(*overrides: str) -> Cell:
        method = () if any(o.startswith("method=") for o in overrides) else LIDAR
        return make_cell(cell_settings([*TOY, *method, *overrides], []))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.run.cells, "load_backbone", lambda *at: (backbone, "tiny"))
        patch.setattr(bench.run.cells, "load_reward", lambda *at: Brightness())
        patch.setattr(bench.run.cells, "load_judge", lambda *at: PixelJudge())
        yield make
