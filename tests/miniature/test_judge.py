"""The judge against scenes whose truth is known, and against damaged or misused input."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.geneval.prompts import COLORS, generate
from bench.geneval.protocol import evaluate
from bench.miniature.frozen import WEIGHTS
from bench.miniature.judge import CELLS, FILE, MiniatureJudge, Network, boxes_at, peaks
from bench.store.images import from_bytes
from training import scenes
from training.distractors import Labelled, blend, blob, cut, labelled
from training.judge import calibrate, loss
from training.judge_check import ERRORS, oracle, verdicts


@pytest.fixture(scope="module")
def judge():
    return MiniatureJudge.load()


@pytest.fixture(scope="module")
def drawn():
    return scenes.batch(np.random.default_rng(7), 24)


@pytest.fixture(scope="module")
def pixels(drawn):
    return from_bytes(np.stack([s.image for s in drawn]))


def overlap(a, b):
    """Intersection over union of two boxes with real-valued corners."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (area - width * height)


def test_drawn_objects_are_found_with_class_box_and_color(judge, drawn, pixels):
    total = hits = 0
    for scene, image, found in zip(drawn, pixels, judge.detect(pixels), strict=True):
        for placed in scene.objects:
            total += 1
            boxes = [
                b for b in found.get(placed.name, []) if b[4] > 0.5 and overlap(b, placed.box) > 0.6
            ]
            if len(boxes) == 1:
                hits += judge.colors(image, placed.name, boxes[0][None, :4]) == [placed.color]
    assert total > 40
    assert hits >= 0.95 * total


def test_nothing_is_found_where_nothing_is_drawn(judge):
    gray = torch.full((2, 3, 64, 64), scenes.BACKGROUND / 255)
    gray[1] += 0.02 * torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert judge.detect(gray) == [{}, {}]


def test_spoiled_glyphs_seldom_pass_as_objects(judge):
    rng = np.random.default_rng(11)
    ground = np.full((60, 64, 64, 3), scenes.BACKGROUND, np.float32)
    for i, image in enumerate(ground):
        cover = (cut, blend, blob)[i % 3](rng, 24)[..., None]
        image[20:44, 20:44] += cover * (np.array(scenes.RGB[COLORS[i % 10]]) - scenes.BACKGROUND)
    found = judge.detect(from_bytes(ground.round().astype(np.uint8)))
    sure = [i for i, f in enumerate(found) if any((b[:, 4] > 0.9).any() for b in f.values())]
    assert len(sure) <= 3


def test_detections_have_the_protocols_form(judge, pixels):
    for found in judge.detect(pixels):
        for boxes in found.values():
            assert boxes.dtype == np.float32
            assert boxes.ndim == 2
            assert boxes.shape[1] == 5
            assert (boxes[:, :4] >= 0).all() and (boxes[:, :4] <= 64).all()
            assert (boxes[:, 2:4] > boxes[:, :2]).all()
            assert ((boxes[:, 4] >= 0.05) & (boxes[:, 4] <= 1)).all()
            assert (np.diff(boxes[:, 4]) <= 0).all()
    assert judge.detect(pixels[:0]) == []


def test_an_image_is_judged_alike_alone_and_in_a_batch(judge, pixels):
    together = judge.detect(pixels)
    for image, found in zip(pixels, together, strict=True):
        (alone,) = judge.detect(image[None])
        assert alone.keys() == found.keys()
        for name, boxes in found.items():
            np.testing.assert_allclose(alone[name], boxes, atol=1e-4, rtol=1e-5)


def test_the_same_images_give_the_same_bits(judge, pixels):
    for a, b in zip(judge.detect(pixels), judge.detect(pixels.clone()), strict=True):
        assert a.keys() == b.keys()
        assert all((a[name] == b[name]).all() for name in a)


def test_colors_take_any_box(judge, pixels):
    boxes = np.array([[0, 0, 64, 64], [-9, -9, -1, -1], [60, 60, 90, 90], [5, 5, 5, 5]], float)
    answers = judge.colors(pixels[0], "dog", boxes)
    assert len(answers) == 4
    assert set(answers) <= set(COLORS)
    assert judge.colors(pixels[0], "dog", np.zeros((0, 4))) == []


def test_thresholds_are_the_protocols_keywords(judge):
    record = generate()[0]
    assert not evaluate(record, {}, lambda name, chosen: [], **judge.thresholds).correct


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_in_the_scene_is_caught(judge, error):
    rng = np.random.default_rng(5)
    pairs = [(r, c) for r in generate()[::8] if (c := ERRORS[error](r, rng)) is not None]
    asked = [(r, scenes.render(c, rng)) for r, c in pairs]
    asked = [(r, s) for r, s in asked if not oracle(r, s)]
    passed = verdicts(judge, [r for r, _ in asked], np.stack([s.image for _, s in asked]))
    assert len(asked) >= 8
    assert sum(passed) <= max(1, 0.05 * len(asked))


def test_missing_weights_are_named_with_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"judge\.safetensors.*python -m training judge"):
        MiniatureJudge.load(tmp_path)


@pytest.mark.parametrize("damage", ["cut short", "empty", "tensor missing", "not a number"])
def test_damaged_weights_are_named_with_the_remedy(tmp_path, damage):
    path = tmp_path / FILE
    if damage == "cut short":
        path.write_bytes((WEIGHTS / FILE).read_bytes()[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        tensors = load_file(WEIGHTS / FILE)
        if damage == "tensor missing":
            del tensors["head.bias"]
        else:
            tensors["head.bias"][3] = float("nan")
        save_file(tensors, path)
    with pytest.raises(ValueError, match=r"judge\.safetensors are damaged.*training judge"):
        MiniatureJudge.load(tmp_path)


def test_the_digest_is_that_of_the_file(judge):
    data = (WEIGHTS / FILE).read_bytes()
    assert judge.digest() == hashlib.sha256(data).hexdigest()
    assert len(data) < 3_000_000


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(3, 64, 64),
        torch.zeros(1, 3, 32, 64),
        torch.zeros(1, 3, 64, 64, dtype=torch.uint8),
        torch.full((1, 3, 64, 64), float("nan")),
    ],
)
def test_pixels_of_another_form_are_refused(judge, images):
    with pytest.raises(ValueError, match="pixels"):
        judge.detect(images)


def test_colors_refuse_other_classes_and_shapes(judge, pixels):
    with pytest.raises(ValueError, match="not a GenEval class"):
        judge.colors(pixels[0], "unicorn", np.zeros((1, 4)))
    with pytest.raises(ValueError, match=r"\(k, 4\)"):
        judge.colors(pixels[0], "dog", np.zeros(4))


def test_peaks_and_boxes_are_read_where_they_were_written():
    output = torch.zeros(1, 95, CELLS, CELLS)
    output[:, 0] = -20
    output[0, 0, 5, 9] = 4.0
    output[0, 1 + 17, 5, 9] = 30.0
    output[0, 81:85, 5, 9] = torch.tensor([-0.5, -0.25, 0.5, 0.25])
    image, row, column, name, logit = peaks(output)
    assert (image.tolist(), row.tolist(), column.tolist(), name.tolist()) == ([0], [5], [9], [17])
    assert logit.item() == pytest.approx(4.0, abs=1e-3)
    assert boxes_at(output, image, row, column).tolist() == [[30.0, 18.0, 46.0, 26.0]]


def test_the_loss_rewards_what_the_reader_reads_back():
    data = labelled(np.random.default_rng(3), 3)
    output = torch.zeros(3, 95, CELLS, CELLS, requires_grad=True)
    optimizer = torch.optim.Adam([output], 0.5)
    for step in range(70):
        optimizer.param_groups[0]["lr"] = 0.5 * 0.93**step
        optimizer.zero_grad()
        loss(output, data.labels)[0].backward()
        optimizer.step()
    image, row, column, name, logit = peaks(output.detach())
    sure = logit > 0
    boxes = boxes_at(output.detach(), image, row, column)[sure]
    read = torch.cat([image[sure, None], name[sure, None], boxes], 1).tolist()
    wanted = data.labels[:, [0, 1, 3, 4, 5, 6]].tolist()
    assert len(wanted) > 3
    np.testing.assert_allclose(sorted(read), sorted(wanted), atol=0.5)


def test_calibration_recovers_a_known_line():
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(40_000, generator=generator)
    right = torch.rand(40_000, generator=generator) < torch.sigmoid(0.6 * logits - 1)
    slope, shift = calibrate(logits, right).tolist()
    assert slope == pytest.approx(0.6, abs=0.03)
    assert shift == pytest.approx(-1, abs=0.06)


def test_taking_and_adding_scenes_keeps_labels_with_their_images():
    data = labelled(np.random.default_rng(4), 20)
    picked = data.take(np.array([7, 3, 7])) + data.take(np.array([0]))
    assert isinstance(picked, Labelled)
    for new, old in enumerate([7, 3, 7, 0]):
        assert (picked.images[new] == data.images[old]).all()
        of_new = picked.labels[picked.labels[:, 0] == new][:, 1:]
        assert (of_new == data.labels[data.labels[:, 0] == old][:, 1:]).all()


def test_the_network_maps_an_image_to_a_quarter_of_its_side():
    assert Network()(torch.zeros(2, 3, 64, 64)).shape == (2, 95, CELLS, CELLS)
