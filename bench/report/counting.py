"""How the papers count what a method costs, as a function of what was counted here.

Where a paper or its code says how it counts evaluations, they are passes of the denoiser, whatever
else a method needs. A count that leaves decodes, rewards and derivatives out is not wrong, but it
flatters methods that need many, so exact calls and seconds stand beside it in every report.
"""

from __future__ import annotations

import pandas as pd

RULE = (
    "samples at which the denoiser was asked, a distilled one's as its teacher's; "
    "classifier-free guidance counts once; decodes, rewards and all backward passes count nothing"
)
ASSUMED = "not stated; passes assumed"
FMRG = "github.com/jrrhuang/fmrg at be485ba, experiments/geneval_nfe_sweep"
FLOW = "github.com/KAIST-Visual-AI-Group/Flow-Inference-Time-Scaling at b65bb07, main.py"
LIDAR = "seconds in LiDAR's paper (arXiv 2602.03211); passes assumed"
# Where the rule was read, by a method's name.
SOURCES = {
    **dict.fromkeys(("vanilla", "vanilla_more_steps", "best_of_n", "fmrg_j", "fmrg_e"), FMRG),
    "reno": f"{FMRG}; iterations and seconds in its own paper (arXiv 2406.04312)",
    "rbf": FLOW,
    **dict.fromkeys(("sop", "svdd", "svdd_best", "code"), f"{FLOW}, for its baselines"),
    "fk_smc": f"{FLOW}, for its baselines; numbers of particles in its own repository",
    **dict.fromkeys(("lidar", "date", "ug"), LIDAR),
}


def source(method: str) -> str:
    """Where it is written that the method of this name is counted so, or that it is not."""
    return SOURCES.get(method, ASSUMED)


def column(prompts: pd.DataFrame) -> str:
    """The column of a folder's prompts that tells passes. Records of earlier versions did not count
    them: where there are any, the denoiser's samples stand in, where guidance counts twice."""
    return "calls.denoiser" if prompts["passes"].isna().any() else "passes"


def evaluations(prompts: pd.DataFrame, passes: str) -> float:
    """Those of ``passes`` (`column`) for each delivered image, by `RULE`; NaN where there are
    none."""
    images = prompts["images"].sum()
    return float(prompts[passes].sum() / images) if images else float("nan")


def calls(prompts: pd.DataFrame) -> float:
    """Of the denoiser, forward and backward, for each delivered image; NaN where there are none."""
    images = prompts["images"].sum()
    spent = prompts[["calls.denoiser", "calls.denoiser_backward"]].to_numpy(float).sum()
    return float(spent / images) if images else float("nan")
