"""README's findings are those of the committed records."""

import re

import pandas as pd
import pytest

import bench
from bench.config.compose import CONF

ROOT = CONF.parent
README = (ROOT / "README.md").read_text()
CELLS = {  # README's words -> the cell's label
    "vanilla": "vanilla (solver ddpm)",
    "LiDAR, 25 lookahead samples": "lidar (n 25, steps 5, scale 3.0, solver ddpm)",
    "LiDAR, the same, stronger (s = 8)": "lidar (n 25, steps 5, scale 8, solver ddpm)",
    "LiDAR's own best lookahead samples, delivered": "best_of_lookahead (n 25)",
    "Best-of-2": "best_of_n (n 2)",
    "universal guidance": "ug (scale 2.0, solver ddpm)",
    "DATE": "date (every 2, solver ddpm)",
    "FK steering, 4 particles": "fk_smc",
}


@pytest.fixture(scope="module")
def images():
    return bench.load(ROOT / "results" / "measured" / "evidence")


@pytest.mark.parametrize("named", CELLS)
def test_a_row_of_the_findings_is_recomputed_from_the_committed_records(named, images):
    row = re.search(rf"^\| {re.escape(named)} \|(.*)\|$", README, re.MULTILINE)[1]
    told = [cell.strip() for cell in row.split("|")]
    label = CELLS[named]
    mine = images[images.label == label]
    if mine.empty:  # a population has as many particles as images
        mine = images[images.label.str.startswith(label) & ~images.label.str.contains("2")]
    assert len(mine) == 96 * 4 and mine.groupby("tag").size().nunique() == 1
    assert told[0] == f"{mine.geneval.mean():.3f}"
    assert told[2] == f"{mine['score.clip'].mean():.3f}"
    assert told[3] == f"{mine.diversity.mean():.2f}"
    if told[1] != "–":
        vanilla = images[images.label == CELLS["vanilla"]]
        change = mine.geneval.mean() - vanilla.geneval.mean()
        assert told[1].startswith(f"{change:+.3f}".replace("-", "−"))


def test_the_cost_model_is_as_near_to_the_paper_as_readme_says():
    folders = (ROOT / "results" / "measured").glob("cost_model_sd*")
    tables = [pd.read_csv(folder / "tables" / "predicted.csv") for folder in folders]
    found = pd.concat(tables)
    error = (found.roofline / found.paper - 1).abs()
    words = " ".join(README.split())
    near, count, percent = map(
        int,
        re.search(
            r"(\d+) of the (\d+) cost ratios that the paper measured within (\d+) %", words
        ).groups(),
    )
    assert len(found) == count and (error <= percent / 100).sum() == near
    assert (error <= 0.055).sum() > near / 2, "most within 5 %"
    assert set(found.method[error > percent / 100]) == {"date"}
