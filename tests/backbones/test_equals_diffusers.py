"""Vanilla through the loop is diffusers' own pipeline, for every family and scheduler."""

import pytest
import torch
from pipelines import ours, problem, theirs, tiny

OTHERS = {
    "ancestral": {"scheduler": "EulerAncestralDiscreteScheduler", "stochastic": True},
    "ddpm_own": {"scheduler": "DDPMScheduler", "stochastic": True, "clip_sample": False},
    "sde": {
        "scheduler": "DPMSolverMultistepScheduler",
        "algorithm_type": "sde-dpmsolver++",
        "stochastic": True,
    },
    "karras": {"scheduler": "DPMSolverMultistepScheduler", "use_karras_sigmas": True},
    "unipc": {"scheduler": "UniPCMultistepScheduler"},
    "deis": {"scheduler": "DEISMultistepScheduler"},
    "lms": {"scheduler": "LMSDiscreteScheduler"},
    "tcd": {"scheduler": "TCDScheduler", "stochastic": True, "eta": 0.3},
}
FLOW = {
    "renoised": {
        "scheduler": "FlowMatchEulerDiscreteScheduler",
        "stochastic": True,
        "stochastic_sampling": True,
    }
}
CASES = [
    *[("sd15", solver, 6) for solver in ("ddpm", "ddim", "dpm", "euler", *OTHERS)],
    *[("sd21", solver, 6) for solver in ("ddpm", "ddim", "dpm", "euler", "karras", "tcd")],
    *[("sdxl", solver, 6) for solver in ("ddpm", "ddim", "dpm", "euler")],
    *[("sdxl", "lcm", 4), ("sdxl", "lightning", 4), ("sdxl", "dmd2", 1), ("sdxl", "hyper", 1)],
    *[("flux_dev", solver, 5) for solver in ("euler", "hyper", "renoised")],
    ("flux_schnell", "euler", 4),
]


@pytest.mark.parametrize(("family", "solver", "steps"), CASES)
def test_vanilla_equals_the_pipeline_on_the_same_noise(family, solver, steps):
    given = problem(tiny(family, OTHERS | FLOW), solver, steps)
    torch.testing.assert_close(ours(given), theirs(given), atol=1e-4, rtol=0)
