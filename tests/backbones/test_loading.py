"""Loading: folders, the hub's cache, distilled denoisers, and what is said where it fails."""

import shutil
import weakref
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from pipelines import ours, problem, settings, tiny
from safetensors.torch import load_file, save_file

import bench.device
from bench.backbones import load_backbone, loading, students
from bench.backbones.students import load_student
from bench.device import resolve_device
from bench.errors import BenchError
from bench.weights.source import Source

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("sd15")
    tiny("sd15").pipeline.save_pretrained(made)
    return made


@pytest.fixture
def copy(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def load(name="sd15", **changes):
    return load_backbone(settings(name, **changes), "cpu", ())


def test_a_folder_gives_the_images_of_the_pipeline_that_was_saved(folder):
    backbone, digest = load(weights=str(folder))
    images = ours(problem(backbone, "ddim", 3))
    torch.testing.assert_close(images, ours(problem(tiny("sd15"), "ddim", 3)))
    assert len(digest) > 64 and load(weights=str(folder))[1] == digest


def test_a_folder_s_digest_follows_its_weights(copy):
    before = load(weights=str(copy))[1]
    other = Path(shutil.copytree(copy, copy.parent / "other"))
    state = load_file(other / UNET)
    save_file({k: v + 1 for k, v in state.items()}, other / UNET)
    assert load(weights=str(other))[1] != before


def test_wrong_folders_are_explained(copy, tmp_path):
    with pytest.raises(BenchError, match=r"is no folder of a diffusers pipeline"):
        load(weights=str(tmp_path / "nowhere"))
    message = r"holds a StableDiffusionPipeline, and this backbone is a StableDiffusionXLPipeline"
    with pytest.raises(BenchError, match=message):
        load("sdxl", weights=str(copy))
    (copy / UNET).write_bytes((copy / UNET).read_bytes()[:-100])
    with pytest.raises(BenchError, match=r"unet.*safetensors is cut short or damaged"):
        load(weights=str(copy))
    (copy / UNET).unlink()
    with pytest.raises(BenchError, match=r"unet holds no weights"):
        load(weights=str(copy))
    shutil.rmtree(copy / "vae")
    shutil.rmtree(copy / "unet")
    with pytest.raises(BenchError, match=r"(unet|vae) is missing or empty"):
        load(weights=str(copy))


def test_a_weight_that_the_files_lack_is_named_and_never_drawn_at_random(copy):
    for part, file, key in (
        ("unet", "diffusion_pytorch_model.safetensors", "conv_in.bias"),
        ("text_encoder", "model.safetensors", "final_layer_norm.weight"),
    ):
        path = copy / part / file
        whole = path.read_bytes()
        state = {k: v for k, v in load_file(path).items() if not k.endswith(key)}
        save_file(state, path, {"format": "pt"})
        with pytest.raises(BenchError, match=rf"{part} lacks 1 weights of its .*: .*{key}"):
            load(weights=str(copy))
        path.write_bytes(whole)


def test_a_folder_of_another_variant_alone_is_read_and_a_stray_file_ignored(folder, tmp_path):
    tiny("sd15").pipeline.save_pretrained(tmp_path, variant="fp16")
    (tmp_path / "unet" / "openvino_model.bin").write_text("not a checkpoint of torch")
    one, other = (load(weights=str(f))[0].teacher.state_dict() for f in (folder, tmp_path))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_weights_of_another_shape_are_explained(copy):
    state = load_file(copy / UNET)
    state["conv_in.weight"] = torch.zeros(3, 3)
    save_file(state, copy / UNET)
    with pytest.raises(BenchError, match=r"could not be loaded as a StableDiffusionPipeline"):
        load(weights=str(copy))


def test_half_precision_on_a_cpu_is_refused():
    with pytest.raises(BenchError, match=r"backbone.dtype=float16 on a CPU: .* use float32 or bfl"):
        load(dtype="float16")


def test_a_gpu_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("a GPU is there")
    with pytest.raises(BenchError, match="torch sees no GPU here; use device=cpu"):
        resolve_device("cuda")
    with pytest.raises(ValueError, match="did you mean 'cuda'"):
        resolve_device("cude")


@pytest.mark.parametrize("weights", ["random", "pretrained"])
def test_too_little_memory_is_seen_before_anything_is_loaded(monkeypatch, weights):
    monkeypatch.setattr(bench.device, "free_bytes", lambda device: 2**30)
    message = r"too little memory: the weights of sdxl take 12.9 GiB, and 1.0 GiB are free on cpu"
    with pytest.raises(BenchError, match=message):
        load("sdxl", weights=weights)


def test_without_the_weights_a_backbone_says_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BenchError, match=r"weights of sd15 are not on this machine: .* \(2.13 GB"):
        load(weights="pretrained")


def snapshot(hub, own, **folders):
    """A snapshot in the hub's cache, of files from elsewhere."""
    place = hub / f"models--{own['repo'].replace('/', '--')}"
    commit = own["revision"]
    if len(commit) < 40:
        (place / "refs").mkdir(parents=True)
        (place / "refs" / commit).write_text("f" * 40)
        commit = "f" * 40
    for name, source in folders.items():
        target = place / "snapshots" / commit / name.replace("_root", "")
        shutil.copytree(source, target, dirs_exist_ok=True)
    return place / "snapshots" / commit


def test_the_hub_s_cache_serves_the_pipeline_and_a_part_from_elsewhere(
    folder, monkeypatch, tmp_path
):
    """SD v1.5 with the UNet of Diffusion-DPO, both from local snapshots."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    half = tmp_path / "half"
    tiny("sd15").pipeline.save_pretrained(half, variant="fp16")
    own = settings("sd15_dpo", weights="pretrained")
    snapshot(tmp_path, own["source"], _root=half)
    unet = own["parts"]["unet"]
    other = Path(shutil.copytree(folder / "unet", tmp_path / "moved" / "unet"))
    path = other / "diffusion_pytorch_model.safetensors"
    save_file({k: v * 1.5 for k, v in load_file(path).items()}, path)
    snapshot(tmp_path, unet, unet=other)
    monkeypatch.setattr(bench.device, "free_bytes", lambda device: 2**40)
    backbone, mark = load_backbone(own, "cpu", ())
    places = (
        f"{w['repo']}@{c}"
        for w, c in ((own["source"], own["source"]["revision"]), (unet, "f" * 40))
    )
    assert mark == "+".join(places) + " in float32"
    plain = load_backbone(settings("sd15", weights="pretrained"), "cpu", ())[0]
    ratio = backbone.teacher.conv_in.weight / plain.teacher.conv_in.weight
    torch.testing.assert_close(ratio, torch.full_like(ratio, 1.5))


def test_a_whole_distilled_denoiser_is_loaded_strictly(tmp_path, monkeypatch):
    pipeline = tiny("sdxl").pipeline
    state = {k: (v * 2).contiguous() for k, v in pipeline.unet.state_dict().items()}
    path = tmp_path / "student.safetensors"
    save_file(state, path)
    own = {"weights": str(path), "source": {}}
    student, mark = load_student(pipeline, "dmd2", own, False, settings("sdxl"))
    assert len(mark) == 64 and student is not pipeline.unet
    torch.testing.assert_close(student.conv_in.weight, 2 * pipeline.unet.conv_in.weight)
    assert not student.training and not any(p.requires_grad for p in student.parameters())
    layout = student.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    assert layout == pipeline.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    save_file({k: v for k, v in state.items() if k != "conv_in.bias"}, path)
    with pytest.raises(BenchError, match=r"does not fit its network: 1 key missing: conv_in.bias"):
        load_student(pipeline, "dmd2", own, False, settings("sdxl"))
    monkeypatch.setattr(bench.device, "free_bytes", lambda device: 2**10)
    with pytest.raises(BenchError, match=r"too little memory: the weights of the distilled deno"):
        load_student(pipeline, "dmd2", own, False, settings("sdxl"))


@pytest.mark.parametrize("family", ["sdxl", "flux_dev"])
def test_a_low_rank_update_is_added_at_its_scale(family, tmp_path):
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipeline = tiny(family).pipeline
    part = "unet" if family == "sdxl" else "transformer"
    teacher = getattr(pipeline, part)
    adapted = type(teacher).from_config(teacher.config)
    adapted.load_state_dict(teacher.state_dict())
    adapted.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False))
    state = get_peft_model_state_dict(adapted)
    layers = {f"{part}_lora_layers": state}
    type(pipeline).save_lora_weights(tmp_path, **layers)
    path = tmp_path / "pytorch_lora_weights.safetensors"
    own = {"weights": str(path), "lora": True, "scale": 0.25, "source": {}}
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    student, _ = load_student(pipeline, "lcm", own, False, settings("sdxl"))
    names = [n for n in before if n.endswith("to_q.weight")]
    assert names
    for name in names:
        down, up = (state[name.replace("weight", f"lora_{x}.weight")] for x in "AB")
        expected = before[name] + 0.25 * up @ down
        torch.testing.assert_close(student.state_dict()[name], expected, atol=1e-5, rtol=1e-4)
        assert torch.equal(teacher.state_dict()[name], before[name]), "the teacher is as it was"
    assert sorted(student.state_dict()) == sorted(before), "no adapter stays behind"


def test_another_model_s_low_rank_update_is_refused(tmp_path):
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    flux = tiny("flux_dev").pipeline
    adapted = type(flux.transformer).from_config(flux.transformer.config)
    adapted.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False))
    state = get_peft_model_state_dict(adapted)
    type(flux).save_lora_weights(tmp_path, transformer_lora_layers=state)
    own = {"weights": str(tmp_path / "pytorch_lora_weights.safetensors"), "lora": True}
    with pytest.raises(BenchError, match=r"(changes no weight of|is no low-rank update of)"):
        load_student(tiny("sdxl").pipeline, "lcm", own | {"scale": 1.0}, False, settings("sdxl"))


def test_a_pipeline_and_its_students_are_gone_before_another_is_loaded(monkeypatch):
    first = weakref.ref(tiny("sdxl").teacher)
    alive = []
    monkeypatch.setattr(loading, "check_room", lambda *at: alive.append(first() is not None))
    tiny("sd15")
    assert alive == [False], "there is room for one of them"


def test_a_student_is_gone_before_another_is_loaded(monkeypatch):
    alive, made = [], []

    def load_student(pipeline, name, *rest):
        alive.append([student() is not None for student in made])
        student = torch.nn.Linear(1, 1)
        made.append(weakref.ref(student))
        return student, name

    monkeypatch.setattr(students, "load_student", load_student)
    for solver in ("lcm", "dmd2"):
        load_backbone(settings("sdxl"), "cpu", [solver])
    assert alive == [[], [False]]


def test_eager_attention_leaves_the_images_alone():
    plain = tiny("sd15")
    given = problem(plain, "ddim", 3)
    eager = problem(load(attention="eager")[0], "ddim", 3)
    torch.testing.assert_close(ours(given), ours(eager), atol=1e-4, rtol=0)


def test_settings_out_of_range_are_named_before_anything_is_loaded():
    from bench.backbones.settings import check_pipeline

    for changes, message in (
        ({"max_batch": 0}, r"backbone.max_batch must be an integer >= 1"),
        ({"dtype": "float17"}, r"backbone.dtype must be one of .* did you mean 'float16'"),
        ({"attention": "flash"}, r"backbone.attention must be one of sdpa, eager"),
        ({"solvers": {"a": {}}}, r"backbone.solvers.a.scheduler must name a scheduler"),
        (
            {"solvers": {"a": {"scheduler": "X", "timesteps": [1, 2]}}},
            r"backbone.solvers.a.timesteps must fall",
        ),
        (
            {"solvers": {"a": {"scheduler": "X", "denoiser": "lcn"}}},
            r"backbone.solvers.a.denoiser must be one of .*lcm.* did you mean 'lcm'",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            check_pipeline(settings("sdxl", **changes))


def test_sources_in_the_configs_are_complete():
    for name in ("sd15", "sd15_dpo", "sd21", "sdxl", "flux_dev", "flux_schnell"):
        source = Source.of(settings(name)["source"])
        assert source.files[0] == "model_index.json" and source.gb > 1
