"""``guidance-bench gradient``: what a slope promises, what comes of it, and the report of both."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from bench.__main__ import command
from bench.report import gradients
from bench.run.ascent import ascend, gains, lengths

SIZES = (0.01, 0.1)


def latents(count: int = 3) -> Tensor:
    return torch.randn(count, 4, 5, 5, generator=torch.Generator().manual_seed(0))


def total(z: Tensor) -> Tensor:
    return 3 * z.flatten(1).sum(1)


def saw(z: Tensor) -> Tensor:
    """Rises steeply and falls back: no gain beyond 0.001, wherever one stands."""
    return torch.remainder(1000 * total(z), 1)


def test_a_linear_score_keeps_all_that_its_slope_promises() -> None:
    found = gains(total, latents(), SIZES)
    torch.testing.assert_close(found.actual, found.promised, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.promised[1], 10 * found.promised[0])


def test_a_saw_tooth_keeps_next_to_nothing() -> None:
    found = gains(saw, latents(), SIZES)
    assert (found.actual.abs() < 0.01 * found.promised).all()


def test_a_climb_is_as_long_as_its_steps_together_and_leads_uphill() -> None:
    z = latents()
    there = ascend(total, z, steps=5, size=0.02)
    torch.testing.assert_close(lengths(there - z), 0.1 * lengths(z), rtol=1e-4, atol=1e-5)
    assert (total(there) > total(z)).all()


def test_where_there_is_no_slope_a_climb_stays() -> None:
    z = latents()
    assert torch.equal(ascend(lambda x: 0 * total(x), z, 3, 0.1), z)


def rows(after: float, name: str = "taste", keeps: float = 0.5) -> pd.DataFrame:
    """Eight prompts of two tasks with four images, half of them right before the climb and the
    share ``after`` right after it, the same of those that were right and of the others."""
    rng = np.random.default_rng(0)
    made = []
    for index in range(8):
        right = np.array([0, 0, 1, 1])
        now = (rng.permutation(4) < 4 * after).astype(float)
        for image in range(4):
            promised = rng.uniform(1, 2)
            made.append(
                {"reward": name, "index": index, "prompt": "a cat", "tag": "ab"[index % 2],
                 "image": image, "promised.0.01": promised, "actual.0.01": keeps * promised,
                 "before.geneval": right[image], "after.geneval": now[image],
                 f"before.{name}": 0.0, f"after.{name}": 1.5}
            )  # fmt: skip
    return pd.DataFrame(made)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (1.0, "repairs images, so"),
        (0.0, "breaks more than it repairs"),
        (0.5, "not shown to repair"),
    ],
)
def test_the_verdict_follows_what_the_climb_does_to_geneval(after: float, said: str) -> None:
    row = pd.Series(gradients.summary(rows(after), "taste", 0.01))
    assert said in gradients.verdict(row)


def test_the_estimates_are_the_shares_that_were_planted() -> None:
    row = gradients.summary(rows(1.0, keeps=0.25), "taste", 0.01)
    assert row["kept"] == pytest.approx(0.25)
    assert (row["repaired"], row["broken"]) == (1.0, 0.0)
    assert row["geneval.change"] == pytest.approx(0.5)
    assert row["taste.change"] == pytest.approx(1.5)
    broken = gradients.summary(rows(0.0), "taste", 0.01)
    assert (broken["repaired"], broken["broken"]) == (0.0, 1.0)


def test_the_command_measures_every_differentiable_score_and_a_random_direction(
    tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr("bench.run.gradient.STEPS", 2)
    small = ["steps=2", "images=2", "prompts.limit=1", f"results={tmp_path}"]
    assert command(["gradient", "scores=[preference,jpeg]", *small]) == 0
    frame = pd.read_csv(tmp_path / "reward_gradients" / "images.csv")
    assert frame.reward.tolist() == ["preference"] * 2 + [gradients.RANDOM] * 2
    random = frame[frame.reward == gradients.RANDOM]
    np.testing.assert_allclose(random["actual.0.01"], random["promised.0.01"], rtol=0.01)
    assert "after.jpeg" in frame
    report = (tmp_path / "reward_gradients" / "report.md").read_text()
    assert "preference: its gradient" in report
    assert f"{gradients.RANDOM}: its gradient" not in report


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["scores=[jpeg]", "reward=jpeg"], r"none of scores=\['jpeg'\] has a derivative"),
        (["judge=none"], "gradient asks GenEval's judge"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(given, said, capsys) -> None:
    assert command(["gradient", *given]) == 2
    captured = capsys.readouterr().err
    assert captured.count("\n") == 1
    assert re.search(said, captured)
