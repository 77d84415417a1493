"""``guidance-bench profile``: the operations of one prompt."""

import gzip
import json

from bench.__main__ import command

TINY = ["method=lidar", "steps=2", "images=1", "method.efr.lookahead.n=2"]
TINY += ["method.efr.lookahead.steps=2"]


def test_a_profile_lists_the_dearest_operations_and_the_phases(tmp_path, capsys):
    assert command(["profile", *TINY, f"results={tmp_path}"]) == 0
    said = capsys.readouterr().out
    assert "convolution" in said and "denoise" in said
    folder = tmp_path / "profile_lidar_miniature"
    assert "convolution" in (folder / "operations.txt").read_text()
    trace = json.loads(gzip.decompress((folder / "trace.json.gz").read_bytes()))
    assert any("convolution" in str(event.get("name")) for event in trace["traceEvents"])


def test_a_profile_of_what_cannot_be_is_refused_in_one_line(tmp_path, capsys):
    assert command(["profile", "method=lidarr", f"results={tmp_path}"]) == 2
    assert "did you mean" in capsys.readouterr().err
