"""Every method on a saved pipeline of every family: folder to records, images and report."""

import socket

import pytest
from pipelines import tiny

from bench.config.cell import make_cell
from bench.report.build import build
from bench.report.document import Section
from bench.run.cells import Bench, run_cell
from bench.store.records import read_records
from tests.small import methods_of, small_settings

JUDGED = ["judge=mask2former", "judge.shorter=64", "judge.longer=64"]


@pytest.fixture(scope="module")
def no_network():
    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture(scope="module", params=("sd15", "sdxl", "flux_dev"))
def saved(request, tmp_path_factory, no_network):
    """(family, overrides): a pipeline folder as save_pretrained writes it."""
    folder = tmp_path_factory.mktemp(request.param)
    tiny(request.param).pipeline.save_pretrained(folder)
    judged = JUDGED if request.param == "sd15" else []
    return request.param, [f"backbone={request.param}", f"backbone.weights={folder}", *judged]


def test_every_method_runs_from_a_saved_folder_to_a_report(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(Bench, "warm_up", lambda bench, prompt: None)
    monkeypatch.setattr("bench.run.cells.changed", lambda settings: None)  # composes anew
    none = Section("Figures", ())
    monkeypatch.setattr("bench.report.sections.figure_section", lambda *_: none)
    monkeypatch.setattr("bench.report.sections.cost_figures", lambda *_: [])
    family, base = saved
    for method in methods_of(family):
        folder = run_cell(make_cell(small_settings(family, method, *base)), tmp_path, lambda: None)
        records = read_records(folder / "records.jsonl").by_index
        (record,) = records.values()
        assert record.error is None, (method, record.error)
        assert len(record.images) == 2
        assert all((folder / "images" / name).is_file() for name in record.images)
        assert sum(record.calls["decode"].values()) + record.calls["prepare"]["decode"] > 0
    text = build(tmp_path).read_text()
    for method in methods_of(family):
        assert method.replace("_", "\\_") in text
    if family == "sd15":
        assert "proved nothing" in text, "a detector of random weights is no judge"
    else:
        assert "no GenEval: costs alone" in text
