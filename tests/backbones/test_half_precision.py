"""Networks in half precision: latents and steering stay float32, every kind of method runs."""

import pytest
import torch
from pipelines import PROMPT, settings

from bench.backbones import load_backbone
from bench.config.build import build_method
from bench.config.compose import cell_settings
from bench.rewards import load_reward
from bench.run.measure import Task, measure

REWARDS = {"imagereward": {"kind": "imagereward", "weights": "tiny"}}


def task(family, **changes):
    own = settings(family, **changes)
    solver = "ancestral" if family == "flux_dev" else "ddpm"
    backbone, _ = load_backbone(own, "cpu", ())
    return Task(backbone, load_reward("imagereward", REWARDS), solver, 3, 2, 0)


def method(name):
    given = cell_settings([f"method={name}"], [])["method"]
    if "lookahead" in given["efr"]:
        given["efr"]["lookahead"] |= {"n": 4, "steps": 2, "scale": 5.0}
    return build_method(given)


@pytest.mark.parametrize("family", ["sd15", "sdxl", "flux_dev"])
@pytest.mark.parametrize("name", ["vanilla", "lidar", "ug", "date", "rollout"])
def test_a_method_runs_and_its_arithmetic_stays_float32(family, name):
    made = task(family, dtype="bfloat16")
    made.backbone.solvers = {**made.backbone.solvers}
    if name == "lidar" and family == "flux_dev":
        made.backbone.solvers["dpm"] = made.backbone.solvers["euler"]
    assert made.backbone.teacher.dtype == torch.bfloat16
    expected = torch.float32 if family == "sdxl" else torch.bfloat16
    assert made.backbone.vae.dtype == expected
    seen = []
    delivered = measure(made, method(name), PROMPT, lambda s: seen.append((s.x.dtype, s.x0.dtype)))
    assert set(seen) == {(torch.float32, torch.float32)} and len(seen) == 3
    assert delivered.delivered.std() > 0


def test_half_precision_is_near_single():
    """Vanilla's images differ by the rounding of eight bits of mantissa, not by more."""
    half, single = (
        measure(task("sd15", dtype=dtype), method("vanilla"), PROMPT).delivered.astype(float)
        for dtype in ("bfloat16", "float32")
    )
    assert 0 < abs(half - single).mean() < 5
