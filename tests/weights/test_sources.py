"""Pinned weights: what a configuration needs, found without a network."""

import json
from dataclasses import replace

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from bench.config.compose import cell_settings
from bench.errors import BenchError
from bench.judge.judges import names_used
from bench.weights.__main__ import main, wanted
from bench.weights.files import check_file, fill, read_tensors
from bench.weights.needs import needs, sources
from bench.weights.source import Source, found, locate, mark_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SOURCE = Source("someone/model", COMMIT, ("*.safetensors", "config.json"), 1.5)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def stored(hub, *names):
    folder = hub / "models--someone--model" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    for name in names:
        if name.endswith(".safetensors"):
            save_file({"a": torch.ones(3)}, folder / name)
        else:
            (folder / name).write_text("{}")
    return folder


def test_what_is_stored_is_found_with_every_file(hub):
    assert found(SOURCE) is None
    folder = stored(hub, "model.safetensors")
    assert found(SOURCE) is None, "the config is missing"
    (folder / "config.json").write_text("{}")
    assert found(SOURCE) == folder == locate(SOURCE, "it")
    assert mark_of(SOURCE, folder) == f"someone/model@{COMMIT}"


def test_a_branch_leads_to_the_commit_that_is_there(hub):
    folder = stored(hub, "model.safetensors", "config.json")
    refs = folder.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text(COMMIT)
    assert found(replace(SOURCE, revision="main")) == folder


def test_a_checkpoint_in_several_files_needs_each_of_them(hub):
    folder = stored(hub, "model-00001-of-00002.safetensors", "config.json")
    files = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    source = replace(SOURCE, files=("*.safetensors", "*.json"))
    assert found(source) is None
    save_file({"b": torch.ones(1)}, folder / files["b"])
    assert found(source) == folder


def test_missing_weights_are_explained_with_size_and_place(hub):
    message = r"of it are not on this machine: .*bench.weights fetch.* \(1.5 GB of "
    with pytest.raises(BenchError, match=message) as error:
        locate(SOURCE, "it")
    assert str(hub) in str(error.value)


def test_a_file_cut_short_is_named(hub):
    folder = stored(hub, "model.safetensors", "config.json")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(
        BenchError, match=r"model.safetensors is cut short or damaged .*: fetch them"
    ):
        locate(SOURCE, "it")


def test_a_checkpoint_is_read_without_running_what_is_in_it(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("ran",))

    good, bad = tmp_path / "good.pt", tmp_path / "bad.pt"
    torch.save({"state_dict": {"a": torch.ones(2)}}, good)
    torch.save({"a": Evil()}, bad)
    assert list(read_tensors(good, "-")) == ["a"]
    with pytest.raises(BenchError, match="holds more than tensors, or is damaged"):
        read_tensors(bad, "make it anew")
    good.write_bytes(good.read_bytes()[:50])
    with pytest.raises(BenchError, match="cut short or no checkpoint"):
        check_file(good, "-")


def test_keys_that_do_not_fit_are_named():
    module = torch.nn.Linear(2, 3)
    state = {"weight": torch.zeros(3, 5), "scale": torch.zeros(1)}
    message = r"1 key missing: bias; 1 key unknown: scale; 1 key of other shape: weight"
    with pytest.raises(BenchError, match=message):
        fill(module, state, "the file")


def test_what_a_backbone_needs_follows_from_its_config():
    config = cell_settings(["backbone=sdxl"], [])
    every = {need.what: need for need in needs(config)}
    assert every["sdxl"].source.repo == "stabilityai/stable-diffusion-xl-base-1.0"
    assert every["sdxl.students.dmd2"].optional and not every["sdxl"].optional
    flux = {n.what: n for n in needs(cell_settings(["backbone=flux_dev"], []))}
    assert not flux["flux_dev.students.hyper"].optional, "its lookahead samples come from it"
    assert any(what.startswith("rewards.imagereward") for what in every)
    assert needs(cell_settings(["backbone=sdxl", "weights=random"], [])) == []
    assert needs(cell_settings([], [])) == [], "the miniature brings its own"
    own = cell_settings(["backbone=sdxl", "backbone.weights=.", "solver=dmd2"], [])
    every = {need.what: need for need in needs(own)}
    assert "sdxl" not in every and not every["sdxl.students.dmd2"].optional


@pytest.mark.parametrize("judge", ["none", "mask2former"])
@pytest.mark.parametrize("scores", ["", "hps", "jpeg,aesthetic"])
def test_the_rewards_that_are_needed_are_those_that_a_cell_loads(judge, scores):
    config = cell_settings(["backbone=sd15", f"judge={judge}", f"scores=[{scores}]"], [])
    used = {need.source for need in needs(config) if need.what.startswith("rewards.")}
    loaded = [config["rewards"][name] for name in names_used(config)]
    assert used == {source for own in loaded for _, source in sources(own, "")}


def test_every_pinned_revision_is_a_commit_or_says_that_it_is_not():
    for need in wanted([], ["all"]):
        assert len(need.source.revision) == 40 or need.source.revision == "main"
        assert need.source.gb > 0 and need.source.files


def test_the_command_lists_checks_and_explains(hub, capsys):
    assert main(["list", "sd15"]) == 0
    text = capsys.readouterr().out
    assert "sd15" in text and "missing" in text and str(hub)[:20] in text.replace("\n", "")
    assert main(["check", "sd15"]) == 1
    assert "not on this machine" in capsys.readouterr().out.replace("\n", " ")
    assert main(["list", "sdx"]) == 2
    assert "did you mean 'sdxl'" in capsys.readouterr().err
