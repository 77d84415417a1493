"""What tuning chose, from a folder of trials."""

from pathlib import Path

import pandas as pd
import pytest
import synthetic

from bench.report.tuned import frame, main

PROMPTS = 24
RIGHT = {1: 0.2, 3: 0.9, 8: 0.5}  # by guidance scale: how many images are right


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


def test_a_choice_at_the_edge_of_its_grid_is_told(trials):
    trial(trials, "lidar", 20, 1.0)
    rows = frame(trials)
    assert rows.value[rows.edge].tolist() == [20]


def test_methods_with_unequal_effort_are_told(trials, capsys):
    for scale in (1, 2):
        trial(trials, "ug", scale, 0.3)
    assert main([str(trials)]) == 0
    assert "not an equal effort" in capsys.readouterr().out


def test_trials_that_differ_in_two_settings_are_refused(trials, capsys):
    trial(trials, "lidar", 5, 0.3, clip=1.0)
    assert main([str(trials)]) == 2
    assert "trials differ in one setting" in capsys.readouterr().err
