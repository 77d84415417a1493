"""The detector: names, sizes, inputs, parameter counts, and strict loading."""

import shutil

import pytest
import tiny_judge as tiny
import torch
from safetensors.torch import load_file, save_file

from bench.errors import BenchError
from bench.geneval.architecture import build, detector_config, labels
from bench.geneval.judge import load
from bench.geneval.mask2former import MEAN, STD, frame, geneval_name, prepare
from bench.geneval.prompts import CLASSES

COCO = (  # the 80 classes in the order of COCO's annotation file
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant "
    "stop_sign parking_meter bench bird cat dog horse sheep cow elephant bear zebra giraffe "
    "backpack umbrella handbag tie suitcase frisbee skis snowboard sports_ball kite baseball_bat "
    "baseball_glove skateboard surfboard tennis_racket bottle wine_glass cup fork knife spoon bowl "
    "banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch "
    "potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave "
    "oven toaster sink refrigerator book clock vase scissors teddy_bear hair_drier toothbrush"
).split()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tiny.write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def copied(weights, tmp_path):
    """A copy of the weights to damage."""
    return shutil.copytree(weights, tmp_path / "weights")


def detector(folder):
    return folder / tiny.PARTS["detector"]


def test_coco_s_names_in_order_are_geneval_s():
    assert tuple(geneval_name(name.replace("_", " ")) for name in COCO) == CLASSES
    assert [geneval_name(n) for n in ("TV monitor", "motorbike")] == ["tv", "motorcycle"]
    with pytest.raises(ValueError, match="'unicorn' is not one of COCO's 80 classes"):
        geneval_name("unicorn")


def test_the_true_size_has_the_published_parameter_count():
    from transformers import Mask2FormerForUniversalSegmentation

    with torch.device("meta"):
        network = Mask2FormerForUniversalSegmentation(detector_config())
    assert sum(p.numel() for p in network.parameters()) == 68_741_083


def test_images_enter_at_the_size_of_geneval_s_detector():
    sizes = {
        (512, 512): ((800, 800), (800, 800)),
        (1024, 1024): ((800, 800), (800, 800)),
        (480, 640): ((800, 1067), (800, 1088)),
        (300, 900): ((444, 1333), (448, 1344)),
    }
    for (height, width), (resized, padded) in sizes.items():
        found = frame(height, width, 800, 1333)
        assert (found.resized, found.padded) == (resized, padded)


def test_the_input_is_normalized_and_its_padding_is_zero():
    size = frame(40, 60, 40, 100)
    images = torch.rand(2, 3, 40, 60, generator=torch.Generator().manual_seed(0))
    inputs = prepare(images, size)
    assert inputs.shape == (2, 3, 64, 64)
    assert not inputs[:, :, 40:].any() and not inputs[:, :, :, 60:].any()
    for channel in range(3):
        expected = (images[:, channel] - MEAN[channel]) / STD[channel]
        assert torch.allclose(inputs[:, channel, :40, :60], expected, atol=1e-6)


def test_random_weights_are_the_same_every_time_and_leave_the_generator_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    kind, small = "Mask2FormerForUniversalSegmentation", detector_config(True)
    first, second = (build(kind, small, None).state_dict() for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_weights_from_a_folder_give_the_same_outputs(weights):
    made = build("Mask2FormerForUniversalSegmentation", detector_config(True), None).eval()
    read = build("Mask2FormerForUniversalSegmentation", None, detector(weights)).eval()
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b = made(pixel_values=images), read(pixel_values=images)
    assert torch.equal(a.class_queries_logits, b.class_queries_logits)
    assert torch.equal(a.masks_queries_logits, b.masks_queries_logits)


def test_a_folder_of_weights_is_judged_by_and_its_digest_is_the_files(weights):
    off = tiny.settings(f"judge.weights={weights}", "judge.self_test=false")
    on = off | {"self_test": True}
    untested, tested = load(off).digest(), load(on).digest()
    assert untested == f"untested weights: {tested}" and len(tested) == 64


def test_missing_folders_and_files_say_what_must_be_there(copied):
    shutil.rmtree(copied / tiny.PARTS["clip"])
    with pytest.raises(BenchError, match=r"clip-vit-large-patch14 of the judge's clip is missing"):
        load(tiny.settings(f"judge.weights={copied}"))
    (detector(copied) / "model.safetensors").unlink()
    with pytest.raises(BenchError, match=r"model\.safetensors of the judge's detector is missing"):
        load(tiny.settings(f"judge.weights={copied}"))


def test_pretrained_weights_that_are_not_here_say_how_to_get_them(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BenchError, match=r"judge's detector are not on this machine: fetch them"):
        load(tiny.settings("judge.weights=pretrained"))


def test_a_truncated_file_is_refused(copied):
    path = detector(copied) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BenchError, match="cut short or damaged"):
        load(tiny.settings(f"judge.weights={copied}"))


@pytest.mark.parametrize("change", ["missing", "unexpected", "mismatched"])
def test_weights_that_do_not_fit_the_network_are_refused(copied, change):
    path = detector(copied) / "model.safetensors"
    tensors = load_file(path)
    if change == "missing":
        del tensors["class_predictor.weight"]
    elif change == "unexpected":
        tensors["head.weight"] = torch.zeros(2)
    else:
        tensors["class_predictor.weight"] = torch.zeros(3, 32)
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(BenchError, match=r"mask2former.*Mask2FormerForUniversalSegmentation"):
        load(tiny.settings(f"judge.weights={copied}"))


def test_buffers_of_older_checkpoints_are_no_surprise(copied):
    path = detector(copied) / "model.safetensors"
    tensors = load_file(path)
    prefix = "model.pixel_level_module.encoder.encoder.layers.0.blocks.0.attention.self"
    tensors[f"{prefix}.relative_position_index"] = torch.zeros(49, 49, dtype=torch.long)
    save_file(tensors, path, metadata={"format": "pt"})
    load(tiny.settings(f"judge.weights={copied}"))


def test_a_detector_of_other_classes_is_refused():
    network = build("Mask2FormerForUniversalSegmentation", detector_config(True), None)
    assert labels(network, "x") == list(CLASSES)
    network.config.id2label[3] = "unicorn"
    with pytest.raises(BenchError, match="trained on other classes: 'unicorn'"):
        labels(network, "x")
    network.config.id2label[3] = "person"
    with pytest.raises(BenchError, match="names 79 of COCO's 80 classes"):
        labels(network, "x")
