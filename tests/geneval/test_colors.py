"""The color classifier on crops whose color is known, by a CLIP whose answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_judge import clip_parts

from bench.geneval.colors import GRAY, MEAN, STD, TEMPLATES, ColorClassifier, clip_pixels, crop
from bench.geneval.prompts import COLORS

RGB = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}
OTHER = (10, 20, 15)  # what every other color name means to the stub: almost nothing


class Tokens(dict):
    def to(self, device):
        return self


class StubClip:
    """Text means the color it names, an image its mean difference from the crops' gray."""

    config = SimpleNamespace(vision_config=SimpleNamespace(image_size=16))
    device = torch.device("cpu")

    def __init__(self):
        self.texts: list[str] = []

    def eval(self):
        return self

    requires_grad_ = lambda self, flag: self  # noqa: E731

    def tokenize(self, texts, **options):
        self.texts += texts
        words = [text.replace("-", " ").split() for text in texts]
        named = [next(w for w in line if w in COLORS) for line in words]
        return Tokens(rgb=torch.tensor([RGB.get(n, OTHER) for n in named], dtype=torch.float32))

    def get_text_features(self, rgb):
        return SimpleNamespace(pooler_output=rgb / 255 - GRAY / 255)

    def get_image_features(self, pixels):
        mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
        return SimpleNamespace(pooler_output=(pixels * std + mean - GRAY / 255).mean((2, 3)))


@pytest.fixture
def stub():
    clip = StubClip()
    return clip, ColorClassifier(clip, clip.tokenize)


def scene(color, seed=0):
    """A disk of a color on noise, its mask and its box."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    y, x = np.mgrid[:40, :50]
    mask = (x - 20) ** 2 + (y - 15) ** 2 < 100
    pixels[mask] = RGB[color]
    return pixels, mask, [11.0, 6.0, 30.0, 25.0]


def test_the_color_of_the_object_is_named(stub):
    crops = [crop(*scene(color)) for color in RGB]
    assert stub[1]("car", crops) == list(RGB)
    assert stub[1]("car", []) == []


def test_pixels_outside_the_mask_do_not_change_the_crop(stub):
    pixels, mask, box = scene("red")
    for seed in (1, 2):
        other = scene("red", seed)[0]
        assert (other != pixels).any()
        assert np.array_equal(crop(other, mask, box), crop(pixels, mask, box))
    flooded = np.where(mask[..., None], pixels, np.uint8((0, 0, 255)))
    assert stub[1]("car", [crop(flooded, mask, box)]) == ["red"]


def test_a_crop_is_the_box_gray_outside_the_mask():
    pixels, mask, box = scene("green")
    made = np.asarray(crop(pixels, mask, box))
    assert made.shape == (19, 19, 3)
    for y in range(19):
        for x in range(19):
            inside = mask[y + 6, x + 11]
            assert tuple(made[y, x]) == (RGB["green"] if inside else (GRAY,) * 3)


def test_a_class_s_texts_are_embedded_once(stub):
    clip, classifier = stub
    for _ in range(2):
        classifier("tv remote", [crop(*scene("blue"))])
    assert len(clip.texts) == len(COLORS) * len(TEMPLATES)
    assert clip.texts[:3] == [
        "a photo of a red tv remote", "a photo of a red-colored tv remote",
        "a photo of a red object",
    ]  # fmt: skip


def test_a_classifier_is_the_mean_of_three_unit_vectors_made_unit():
    clip, tokenizer = clip_parts()
    classifier = ColorClassifier(clip, tokenizer).classifier("dog")
    for row, color in zip(classifier, COLORS, strict=True):
        total = 0
        for text in (f"a photo of a {color} dog", f"a photo of a {color}-colored dog",
                     f"a photo of a {color} object"):  # fmt: skip
            ids = torch.tensor([tokenizer(text).input_ids])  # alone: no padding
            with torch.no_grad():
                vector = clip.get_text_features(input_ids=ids).pooler_output[0]
            total = total + vector / vector.norm()
        assert torch.allclose(row, total / total.norm(), atol=1e-5)


@pytest.mark.parametrize("size", [(100, 60), (30, 90), (224, 224), (17, 18), (640, 512)])
def test_pixels_are_those_of_clip_s_own_processor(size):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    picture = Image.fromarray(noise)
    ours = clip_pixels([picture, picture], 224)
    theirs = CLIPImageProcessorPil()(picture, return_tensors="pt").pixel_values
    assert ours.shape == (2, 3, 224, 224)
    assert torch.allclose(ours[:1], theirs, atol=1e-5)
