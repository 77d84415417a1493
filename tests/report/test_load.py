"""``bench.load``: a results folder as one data frame, a row an image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import synthetic

import bench
from bench.errors import BenchError


def test_every_image_is_a_row_with_its_prompt_its_scores_and_its_cost(folder: Path) -> None:
    images = bench.load(folder)
    assert len(images) == 3 * 24 * 4 and not images.duplicated(["cell", "index", "image"]).any()
    path, records = synthetic.records_of(folder, "lidar")
    own = images[(images.cell == path.name) & (images["index"] == 5)].set_index("image")
    record = records[5]
    assert list(own.index) == [0, 1, 2, 3] and set(own.label) == set(own.method) == {"lidar"}
    assert set(own.prompt) == {record["prompt"]} and set(own.tag) == {record["tag"]}
    assert own.geneval.tolist() == record["geneval"]
    assert own["score.clip"].tolist() == pytest.approx(record["scores"]["clip"])
    assert own.reasons.tolist() == ["; ".join(reasons) for reasons in record["reasons"]]
    assert set(own.seconds) == {record["seconds"]["total"]}
    assert set(own["calls.denoiser"]) == {1300} and set(own["calls.decode"]) == {54}
    assert all(Path(path).is_file() for path in own.path)


def test_settings_are_columns_where_they_vary(tmp_path: Path) -> None:
    for n in (9, 50):
        synthetic.cell(tmp_path, "lidar", name=f"lidar-{n}", method=synthetic.lidar(n=n))
    synthetic.cell(tmp_path, "vanilla", name="vanilla-0")
    images = bench.load(tmp_path)
    n = images.groupby("cell")["set.method.efr.lookahead.n"].first()
    assert (n["lidar-9"], n["lidar-50"]) == (9, 50) and n.isna()["vanilla-0"]
    assert "set.steps" not in images and set(images.label) >= {"lidar (n 9)", "lidar (n 50)"}


def test_fields_of_a_prompt_come_back_and_prompts_need_no_verdict(folder: Path) -> None:
    path, records = synthetic.records_of(folder, "ug")
    for record in records:
        record["fields"] = {"style": f"style {record['index'] % 2}"}
        del record["geneval"], record["reasons"]
    synthetic.write(path, records)
    images = bench.load(folder)
    own = images[images.method == "ug"]
    assert set(own["field.style"]) == {"style 0", "style 1"} and own.geneval.isna().all()
    assert images[images.method == "lidar"]["field.style"].isna().all()


def test_one_cell_s_folder_is_enough_and_another_folder_is_refused(folder: Path) -> None:
    assert len(bench.load(folder / "cells" / "ug0123456789")) == 96
    with pytest.raises(BenchError, match="no cells in"):
        bench.load(folder / "cells" / "ug0123456789" / "images")


def test_importing_bench_is_cheap() -> None:
    code = "import sys, bench; assert not {'pandas', 'numpy', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        bench.lode  # noqa: B018
