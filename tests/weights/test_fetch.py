"""Downloads from a hub on this machine: whole, resumed, damaged, refused; and loaded at last."""

import errno
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants, file_download
from local_hub import Repo, running
from safetensors.torch import save

import bench.device
from bench.backbones import load_backbone
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.errors import BenchError
from bench.run.cells import prepare
from bench.weights.__main__ import main
from bench.weights.source import Source

PUBLISHED = ("sd15", "sd15_dpo", "sd21", "sdxl", "flux_dev")
ALONE = ("reward=jpeg", "scores=[]", "judge=none")  # a backbone without rewards to fetch
COMMIT = "c" * 40
REPO = "stable-diffusion-v1-5/stable-diffusion-v1-5"
UNET = "unet/diffusion_pytorch_model.fp16.safetensors"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that huggingface_hub asks, an empty cache, and no waiting between its attempts."""
    with running() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        yield hub


def settings(name, weights="pretrained"):
    return cell_settings([f"backbone={name}", f"weights={weights}", *ALONE], [])["backbone"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """name -> the folder of a tiny pipeline in the layout in which it is published."""
    made = {}

    def saved(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            pipeline = load_backbone(settings(name, "tiny"), "cpu", ())[0].pipeline
            if name == "flux_dev":
                pipeline.save_pretrained(made[name])
                for part in ("transformer", "text_encoder_2"):  # published in several files
                    shutil.rmtree(made[name] / part)
                    getattr(pipeline, part).save_pretrained(
                        made[name] / part, max_shard_size="99KB"
                    )
            else:
                pipeline.save_pretrained(made[name], variant="fp16")
            (made[name] / "unwanted.safetensors").write_bytes(b"of another program")
        return made[name]

    return saved


def publish(hub, name, folder):
    """The pipeline and its parts from elsewhere, where the configuration pins them."""
    own = settings(name)
    source = Source.of(own["source"])
    hub.repos[source.repo] = Repo.of(folder, source.revision)
    for part, where in own["parts"].items():
        moved = folder.parent / f"{name}_{part}"
        shutil.copytree(folder / part, moved / part, dirs_exist_ok=True)
        for path in (moved / part).glob("*.fp16.*"):  # that part is published in one precision
            path.rename(path.with_name(path.name.replace(".fp16", "")))
        hub.repos[where["repo"]] = Repo.of(moved, COMMIT)
    if name == "flux_dev":
        pinned = Source.of(own["students"]["hyper"]["source"])
        hub.repos[pinned.repo] = Repo({pinned.files[0]: low_rank(name)}, pinned.revision)
    return hub.repos[source.repo]


def low_rank(name):
    """The bytes of a student's file: a low-rank update of the transformer."""
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    transformer = load_backbone(settings(name, "tiny"), "cpu", ())[0].teacher
    adapted = type(transformer).from_config(transformer.config)
    adapted.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False))
    state = get_peft_model_state_dict(adapted)
    return save({f"transformer.{key}": value.contiguous() for key, value in state.items()})


def run(capsys, *arguments):
    """Exit code, output and errors of ``python -m bench.weights``."""
    capsys.readouterr()
    code = main([*arguments, *ALONE])
    return code, *(text.replace("\n", " ") for text in capsys.readouterr())


def tensors(pipeline):
    modules = {k: v for k, v in pipeline.components.items() if isinstance(v, torch.nn.Module)}
    return {f"{k}.{n}": t for k, v in modules.items() for n, t in v.state_dict().items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_fetched_is_whole_and_loads_as_the_source(hub, folder, name, capsys, monkeypatch):
    publish(hub, name, folder(name))
    assert run(capsys, "fetch", name)[0] == 0
    sent = [file for method, file, _ in hub.asked if method == "GET"]
    assert len(sent) == len(set(sent)) and not any("unwanted" in file for file in sent)
    code, said, _ = run(capsys, "check", name)
    assert code == 0 and f"{name}: whole" in said
    monkeypatch.setattr(bench.device, "free_bytes", lambda device: 2**40)
    source = tensors(load_backbone(settings(name, "tiny"), "cpu", ())[0].pipeline)
    loaded = tensors(load_backbone(settings(name), "cpu", ())[0].pipeline)
    assert loaded.keys() == source.keys()
    assert all(torch.equal(loaded[key], source[key]) for key in source)
    hub.repos.clear()
    assert run(capsys, "fetch", name)[0] == 0, "no network is needed any more"


def test_a_fetched_student_is_its_teacher_with_the_file_s_update(hub, folder, capsys, monkeypatch):
    publish(hub, "flux_dev", folder("flux_dev"))
    assert run(capsys, "fetch", "flux_dev")[0] == 0
    monkeypatch.setattr(bench.device, "free_bytes", lambda device: 2**40)
    backbone, mark = load_backbone(settings("flux_dev"), "cpu", ["hyper"])
    student = backbone.students["hyper"].state_dict()
    changed = [
        k for k, v in backbone.teacher.state_dict().items() if not torch.equal(v, student[k])
    ]
    assert changed and all("to_q" in key for key in changed)
    assert "hyper: ByteDance/Hyper-SD@" in mark


def test_a_connection_that_breaks_is_one_line_and_the_same_command_goes_on(
    hub, folder, capsys, monkeypatch
):
    data = publish(hub, "sd15", folder("sd15")).files[UNET]
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)  # what a break may lose
    hub.cut[UNET] = half = len(data) // 2
    code, _, said = run(capsys, "fetch", "sd15")
    assert code == 2 and said.startswith(f"error: {REPO} (sd15) could not be fetched (")
    assert said.endswith("what has arrived is kept, and the same command goes on from there ")
    hub.cut.clear()
    hub.asked.clear()
    # As a user gives it: a process of its own, which knows the hub by HF_ENDPOINT.
    command = [sys.executable, "-m", "bench.weights", "fetch", "sd15", *ALONE]
    surroundings = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": constants.HF_HUB_CACHE}
    root = Path(bench.__file__).parents[1]
    subprocess.run(command, env=surroundings, cwd=root, check=True, capture_output=True)
    ranges = [part for method, file, part in hub.asked if method == "GET" and UNET in file]
    (start,) = (int(part.removeprefix("bytes=").removesuffix("-")) for part in ranges)
    assert 0 <= half - start < 4096
    assert run(capsys, "check", "sd15")[0] == 0


def test_a_damaged_file_is_refused_and_never_taken_for_whole(hub, folder, capsys):
    """A byte is wrong, and the length is right: on the way, and later on the disk."""
    publish(hub, "sd15", folder("sd15"))
    hub.flipped.add(UNET)
    code, _, said = run(capsys, "fetch", "sd15")
    assert code == 2 and f"(sd15) sent {UNET} damaged, with another checksum" in said
    code, said, _ = run(capsys, "check", "sd15")
    assert code == 1 and "the weights of sd15 are not on this machine" in said
    hub.flipped.clear()
    assert run(capsys, "fetch", "sd15")[0] == 0 and run(capsys, "check", "sd15")[0] == 0
    for name in (UNET, "tokenizer/tokenizer.json"):  # one of each kind of checksum
        (path,) = Path(constants.HF_HUB_CACHE).glob(f"*/snapshots/*/{name}")
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        code, said, _ = run(capsys, "check", "sd15")
        assert code == 1 and f"the file {path} is damaged: fetch them with" in said
        assert f"`python -m bench.weights fetch sd15 {shlex.join(ALONE)}`" in said
        assert run(capsys, "fetch", "sd15")[0] == 0 and run(capsys, "check", "sd15")[0] == 0


def test_a_gated_repository_says_which_licence_to_accept_and_how_to_log_in(
    hub, folder, capsys, monkeypatch
):
    """With a token its large files come from the storage, which must not see the token."""
    publish(hub, "sd15", folder("sd15")).gated = True
    for token in (None, "hf_without_the_licence"):
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        code, _, said = run(capsys, "fetch", "sd15")
        assert code == 2 and f"is gated: accept its licence at {hub.url}/{REPO}, set the" in said
        assert "variable HF_TOKEN to a token" in said
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    code, _, said = run(capsys, "fetch", "sd15")
    assert code == 2 and "(sd15) is refused to your token (401): set the environment" in said
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert run(capsys, "fetch", "sd15")[0] == 0


def test_a_pinned_commit_that_is_gone_names_the_newest_and_how_to_accept_it(hub, folder, capsys):
    publish(hub, "sd15_dpo", folder("sd15_dpo")).commit = "d" * 40
    code, _, said = run(capsys, "fetch", "sd15_dpo")
    assert code == 2 and f"its newest commit is {'d' * 40}" in said
    setting = f"backbone.source.revision={'d' * 40}"
    assert f"add {setting} to this command and to your runs" in said
    assert run(capsys, "fetch", "sd15_dpo", setting)[0] == 0
    part = settings("sd15_dpo")["parts"]["unet"]["repo"]
    code, _, said = run(capsys, "fetch", "sd15_dpo", setting, "backbone.parts.unet.revision=old")
    assert code == 2 and f"add backbone.parts.unet.revision={COMMIT} to this" in said
    assert said.startswith(f"error: {part} (sd15_dpo.parts.unet) has no revision old")


def test_a_file_and_a_repository_that_are_not_there_are_named(hub, folder, capsys):
    repo = publish(hub, "sd15", folder("sd15"))
    repo.files = {k: v for k, v in repo.files.items() if k != UNET}
    code, _, said = run(capsys, "fetch", "sd15")
    assert code == 2 and f"has no file {UNET} at revision {repo.commit}" in said
    assert "name others as backbone.source.files" in said
    hub.repos.clear()
    code, _, said = run(capsys, "fetch", "sd15")
    assert (
        code == 2 and f"(sd15) is unknown to the hub, or private: look at {hub.url}/{REPO}" in said
    )


def test_where_no_hub_answers_the_message_says_so(hub, folder, capsys, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    code, _, said = run(capsys, "fetch", "sd15")
    assert code == 2 and "(sd15) could not be fetched (" in said and "goes on from there" in said


def test_a_full_disk_is_told_with_its_place(hub, folder, capsys, monkeypatch):
    def write(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    publish(hub, "sd15", folder("sd15"))
    monkeypatch.setattr(file_download, "http_get", write)
    code, _, said = run(capsys, "fetch", "sd15")
    assert code == 2 and f"does not fit on the disk of {constants.HF_HUB_CACHE}: make room" in said


def test_only_the_rewards_that_are_used_are_fetched(hub, folder, capsys):
    """A guiding reward and a score; of others nothing is asked."""
    publish(hub, "sd15", folder("sd15"))
    rewards = cell_settings(["backbone=sd15"], [])["rewards"]
    used = {"pickscore": ("source", "tokenizer"), "clip": ("source",)}
    for name, parts in used.items():
        for part in parts:
            pinned = Source.of(rewards[name][part])
            files = {f: torch_file(f) for f in pinned.files}
            hub.repos[pinned.repo] = Repo(files, pinned.revision)
    wanted = ("reward=pickscore", "scores=[clip]", "judge=none")
    assert main(["fetch", "sd15", *wanted]) == 0 and main(["check", "sd15", *wanted]) == 0
    fetched = {file.rpartition("/")[0].split("/unet")[0] for _, file, _ in hub.asked}
    assert not any("ImageReward" in file or "HPS" in file for file in fetched)
    whole = [w for w in capsys.readouterr().out.splitlines() if w.endswith(": whole")]
    names = ["sd15", "rewards.pickscore", "rewards.pickscore.tokenizer", "rewards.clip"]
    assert whole == [f"{name}: whole" for name in names]


def torch_file(name):
    return save({"a": torch.ones(2)}) if name.endswith(".safetensors") else b"{}"


def test_a_run_names_all_that_is_missing_and_the_command_that_fetches_it(hub, tmp_path):
    dmd2 = ("method=lidar", "method.efr.lookahead.solver=dmd2", "method.efr.lookahead.steps=1")
    cell = make_cell(cell_settings(["backbone=sdxl", *dmd2, "scores=[]", "judge=none"], []))
    with pytest.raises(BenchError) as error:
        prepare(cell, tmp_path)
    said = str(error.value)
    assert "weights of sdxl, sdxl.students.dmd2, rewards.imagereward, rewards.imagereward" in said
    assert "`python -m bench.weights fetch sdxl --students dmd2`" in said and "BACKBONE" not in said
