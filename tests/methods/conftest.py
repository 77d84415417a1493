"""Problems on the mixture, where the truth is known, and on a tiny random pipeline."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.mixture import flow_map
from bench.mixture.backbone import MixtureBackbone
from bench.mixture.reward import MixtureReward
from bench.noise import Ledger
from methods.problem import Problem

sys.path.insert(0, str(Path(__file__).parent))  # states.py and named.py

PROMPT = "overlapping mixture 0 of seed 0"


def mixture_problem(path="vp", reward="quadratic", prompt=PROMPT, components=3, **changes):
    backbone = MixtureBackbone(2, components, path)
    made = Problem(
        backbone=backbone,
        reward=MixtureReward(reward),
        noise=Ledger(0, prompt),
        prompt=prompt,
        condition=backbone.encode(prompt),
        images=4,
        solver="ddpm",
        steps=10,
    )
    return replace(made, **changes)


@pytest.fixture(autouse=True)
def rough_student(monkeypatch):
    """The mixture's student, right to 1e-3 or so, and fast; tests/truth has it exact."""
    monkeypatch.setattr(flow_map, "INTERVALS", 2)


@pytest.fixture
def on_mixture():
    """``mixture_problem``, to be called with what is to differ."""
    return mixture_problem
