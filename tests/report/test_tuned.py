"""What tuning chose, from a folder of trials."""

from pathlib import Path

import pandas as pd
import pytest
import synthetic

from bench.report.load import load
from bench.report.tuned import frame, main

PROMPTS = 24
RIGHT = {1: 0.2, 3: 0.8, 8: 0.5}  # by guidance scale: how many images are right


def trial(folder: Path, method: str, scale: float | None, right: float, **steer) -> None:
    settings = {} if scale is None else {"steer": {"guidance": {"scale": scale, **steer}}}
    path = synthetic.cell(
        folder, "vanilla", name=f"{method}-{scale}", pictures=False, total=PROMPTS,
        method={"name": method} | settings,
    )  # fmt: skip
    records = synthetic.read(path)
    for one in records:
        number = int(one["index"])
        one["geneval"] = [(number * 4 + k) % 10 < 10 * right for k in range(4)]
        one["scores"]["preference"] = [float(scale or 0)] * 4  # the strongest guides best
        one["scores"]["preference"][0] += 0.1
        one["scores"]["jpeg"] = [float(scale or 0)] * 4
    synthetic.write(path, records)


def spelled(capsys) -> str:
    return " ".join(capsys.readouterr().out.split())


@pytest.fixture
def trials(tmp_path: Path) -> Path:
    trial(tmp_path, "vanilla", None, 0.2)
    for scale, right in RIGHT.items():
        trial(tmp_path, "lidar", scale, right)
    return tmp_path


def test_the_setting_of_the_best_geneval_is_chosen_whatever_guides(trials, capsys):
    assert main([str(trials)]) == 0
    assert "←" in capsys.readouterr().out
    rows = pd.read_csv(trials / "tuning.csv")
    assert rows.value.tolist() == [1, 3, 8]
    assert rows.value[rows.chosen].tolist() == [3]
    assert not rows.edge.any()
    assert set(rows.setting) == {"steer.guidance.scale"}


def test_where_the_choice_lies_at_the_edge_the_next_value_is_named(trials, capsys):
    trial(trials, "lidar", 20, 1.0)
    assert main([str(trials)]) == 0
    assert "lidar: the choice, 20, lies at the edge of its 4 trials; try 50 too" in spelled(capsys)
    trial(trials, "lidar", 40, 1.0)
    rows = frame(load(trials))
    assert rows.value[rows.chosen].tolist() == [20]  # as good as 40, and weaker
    assert not rows.edge.any()


def test_of_a_grid_that_is_used_up_no_value_is_named(trials, capsys):
    for scale, right in ((20, 0.9), (40, 1.0)):
        trial(trials, "lidar", scale, right)
    assert main([str(trials)]) == 0
    assert "lies at the edge of its 5 trials; 5 are the most" in spelled(capsys)


def test_a_method_with_an_unfinished_trial_is_left_out(trials, capsys):
    for scale in (1, 2):
        trial(trials, "ug", scale, 0.3)
    path = next(trials.glob("cells/*ug-2*"))
    synthetic.write(path, synthetic.read(path)[:-1])
    assert main([str(trials)]) == 0
    assert "left out, with fewer than two finished trials: ug, vanilla" in spelled(capsys)


def test_calls_are_those_of_one_delivered_image(trials):
    cells = load(trials)
    rows = frame(load(trials))
    own = cells.prompts[cells.prompts.cell == "lidar-1"]
    spent = own["calls.denoiser"] + own["calls.denoiser_backward"]
    assert rows.calls[0] == pytest.approx(spent.sum() / own.images.sum())


def test_trials_that_differ_in_two_settings_are_refused(trials, capsys):
    trial(trials, "lidar", 5, 0.3, clip=1.0)
    assert main([str(trials)]) == 2
    assert "trials differ in one setting" in capsys.readouterr().err
