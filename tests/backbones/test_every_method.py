"""Every method on a saved pipeline of every family: folder to records, images and report."""

import socket

import pytest
from pipelines import tiny

from bench.config.cell import make_cell
from bench.config.compose import cell_settings, groups
from bench.report.build import build
from bench.report.document import Section
from bench.run.cells import Bench, run_cell
from bench.store.records import read_records

ANALYTIC = ("exact", "exact_smc", "probe")
METHODS = [m for m in groups()["method"] if m not in ANALYTIC]
SMALL = {
    "lookahead": {"n": 6, "steps": 2, "scale": 2.0},
    "rollout": {"n": 2},
    "repel": {"count": 3},
    "noise_search": {"n": 2, "rounds": 2},
    "best_of_n": {"n": 2},
    "search": {"n": 2, "every": 1},
    "smc": {"every": 0.25, "start": 0.25, "stop": 0.75},
    "dno": {"iterations": 1, "shuffles": 1},
    "tfg": {"draws": 2},
}
TOY = ["weights=tiny", "prompts.per_task=1", "prompts.limit=1", "steps=4", "images=2"]
FAMILIES = {
    "sd15": ["judge=mask2former", "judge.shorter=64", "judge.longer=64"],
    "sdxl": ["judge=none", "scores=[]"],
    "flux_dev": ["judge=none", "scores=[]", "backbone.pixels=16", "backbone.tokens=16"],
}


@pytest.fixture(scope="module")
def no_network():
    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture(scope="module", params=FAMILIES)
def saved(request, tmp_path_factory, no_network):
    """(family, overrides): a pipeline folder as save_pretrained writes it."""
    folder = tmp_path_factory.mktemp(request.param)
    tiny(request.param).pipeline.save_pretrained(folder)
    own = [f"backbone={request.param}", f"backbone.weights={folder}", *FAMILIES[request.param]]
    return request.param, [*TOY, *own]


def small(family, base, method):
    """A cell of the method, small enough for a test, with the target solver that it needs."""
    noisy, still = ("ancestral", "euler") if family == "flux_dev" else ("ddpm", "ddim")
    solver = still if method == "noise_search" else noisy
    settings = cell_settings([*base, f"method={method}", f"solver={solver}"], [])
    for parts in (settings["method"]["efr"], settings["method"]["steer"]):
        for kind, options in parts.items():
            assert {*SMALL.get(kind, ())} <= {*options}
            options.update(SMALL.get(kind, {}))
    return make_cell(settings)


def test_every_method_runs_from_a_saved_folder_to_a_report(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(Bench, "warm_up", lambda bench, prompt: None)
    monkeypatch.setattr("bench.run.cells.changed", lambda settings: None)  # composes anew
    none = Section("Figures", ())
    monkeypatch.setattr("bench.report.sections.figure_section", lambda *_: none)
    family, base = saved
    for method in METHODS:
        folder = run_cell(small(family, base, method), tmp_path, lambda: None)
        records = read_records(folder / "records.jsonl").by_index
        (record,) = records.values()
        assert record.error is None, (method, record.error)
        assert len(record.images) == 2
        assert all((folder / "images" / name).is_file() for name in record.images)
        assert sum(record.calls["decode"].values()) + record.calls["prepare"]["decode"] > 0
    text = build(tmp_path).read_text()
    for method in METHODS:
        assert method.replace("_", "\\_") in text
    if family == "sd15":
        assert "proved nothing" in text, "a detector of random weights is no judge"
    else:
        assert "no GenEval: costs alone" in text
