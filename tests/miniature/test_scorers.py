"""The miniature's reward and its contrastive judge, as shipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.geneval import prompts
from bench.miniature import frozen, words
from bench.miniature.clip import MiniatureClip
from bench.miniature.preference import Preference
from bench.miniature.taste import Taste

Scorer = Preference | MiniatureClip
Draw = Callable[[prompts.Metadata, int], Tensor]
KINDS = ("class", "color", "binding", "count", "position")


@pytest.fixture(scope="module", params=[Preference, Taste, MiniatureClip], ids=lambda c: c.name)
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return request.param.load()


@pytest.fixture(scope="module")
def draw() -> Draw:
    """Draws a record: (1, 3, 64, 64) in [0, 1]."""
    pytest.importorskip("fonticon_mdi7", reason="scenes need the training extra")
    from training import scenes

    def render(record: prompts.Metadata, seed: int) -> Tensor:
        image = scenes.render(record, np.random.default_rng(seed)).image
        return torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)

    return render


def noise(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, 64, 64, generator=generator).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_batch_in_any_float_type_gives_one_float32_score_an_image(
    scorer: Scorer, dtype: torch.dtype
) -> None:
    scores = scorer(noise(3, dtype), "a photo of a dog")
    assert scores.shape == (3,)
    assert scores.dtype == torch.float32
    assert scores.isfinite().all()


def test_a_score_does_not_depend_on_the_rest_of_the_batch(scorer: Scorer) -> None:
    images = noise(5)
    together = scorer(images, "a photo of a red car and a blue cat")
    alone = torch.cat([scorer(i[None], "a photo of a red car and a blue cat") for i in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_a_step_along_the_image_gradient_raises_the_score(scorer: Scorer) -> None:
    images = (0.75 + 0.1 * (noise(2) - 0.5)).requires_grad_()
    before = scorer(images, "a photo of a green bench")
    (slope,) = torch.autograd.grad(before.sum(), images)
    assert slope.isfinite().all()
    assert (slope.flatten(1).norm(dim=1) > 0).all()
    step = 0.02 * slope / slope.flatten(1).norm(dim=1)[:, None, None, None]
    assert (scorer(images + step, "a photo of a green bench") > before).all()


def test_the_gradient_is_the_score_s_slope(scorer: Scorer) -> None:
    images = (0.75 + 0.1 * (noise(1) - 0.5)).requires_grad_()
    (slope,) = torch.autograd.grad(scorer(images, "a photo of two dogs").sum(), images)
    way = 0.005 * slope / slope.norm()
    with torch.no_grad():
        ahead, behind = (scorer(images + s * way, "a photo of two dogs") for s in (1, -1))
    assert (ahead - behind).item() / 2 == pytest.approx(float((slope * way).sum()), rel=0.05)


def test_no_gradient_reaches_the_weights(scorer: Scorer) -> None:
    assert not any(p.requires_grad for p in scorer.net.parameters())
    assert not scorer.net.training


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 3, 32, 32), (1, 1, 64, 64)])
def test_images_of_another_shape_are_refused(scorer: Scorer, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(B, 3, 64, 64\)"):
        scorer(torch.zeros(shape), "a photo of a dog")


def test_integer_images_are_refused(scorer: Scorer) -> None:
    with pytest.raises(ValueError, match="floating point"):
        scorer(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "a photo of a dog")


def test_unknown_words_are_scored_alike(scorer: Scorer) -> None:
    images = noise(2)
    first, second = (scorer(images, f"a photo of a {w}") for w in ("wombat", "zeppelin"))
    assert torch.equal(first, second)
    assert not torch.equal(first, scorer(images, "a photo of a dog"))


def test_a_prompt_of_sixteen_words_is_scored_and_one_more_is_refused(scorer: Scorer) -> None:
    assert scorer(noise(1), "dog " * words.MAX_WORDS).isfinite().all()
    with pytest.raises(ValueError, match=r"17 words.*at most 16"):
        scorer(noise(1), "dog " * (words.MAX_WORDS + 1))


def test_a_prompt_without_words_is_refused(scorer: Scorer) -> None:
    with pytest.raises(ValueError, match="no word"):
        scorer(noise(1), " . ")


def test_case_and_punctuation_do_not_matter() -> None:
    assert words.encode("A photo of a dog.") == words.encode("a photo of a dog")


def test_every_geneval_caption_is_known() -> None:
    unknown = words.vocabulary()[words.UNKNOWN]
    assert not any(unknown in words.encode(r["prompt"]) for r in prompts.generate())


def test_missing_weights_are_named_with_the_remedy(scorer: Scorer, tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=rf"{scorer.name}\.safetensors.*training {scorer.name}"
    ):
        type(scorer).load(tmp_path)


@pytest.mark.parametrize("keep", [0, 40, 5_000])
def test_damaged_weights_are_named_with_the_remedy(
    scorer: Scorer, tmp_path: Path, keep: int
) -> None:
    (tmp_path / scorer.path.name).write_bytes(scorer.path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=rf"{scorer.name}\.safetensors are damaged.*restore"):
        type(scorer).load(tmp_path)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.safetensors").write_bytes(
        (frozen.WEIGHTS / "preference.safetensors").read_bytes()
    )
    with pytest.raises(ValueError, match=r"clip\.safetensors are damaged"):
        MiniatureClip.load(tmp_path)


def test_the_digest_tells_weight_files_apart(scorer: Scorer, tmp_path: Path) -> None:
    copy = tmp_path / scorer.path.name
    copy.write_bytes(scorer.path.read_bytes())
    assert frozen.digest(copy) == scorer.digest()
    copy.write_bytes(scorer.path.read_bytes() + b"\0")
    assert frozen.digest(copy) != scorer.digest()


def test_the_weights_are_small(scorer: Scorer) -> None:
    assert scorer.path.stat().st_size < 4e6


def test_image_features_are_unit_vectors_and_the_score_is_their_cosine() -> None:
    clip = MiniatureClip.load()
    features = clip.features(noise(4))
    torch.testing.assert_close(features.norm(dim=1), torch.ones(4))
    text = clip.net.text(torch.tensor([words.encode("a photo of a dog")]))[0]
    cosine = torch.cosine_similarity(features, text[None])
    torch.testing.assert_close(clip(noise(4), "a photo of a dog"), cosine)


def pairs(draw: Draw, kind: str, count: int) -> list[tuple[Tensor, Tensor, str, str]]:
    """(right image, wrong image, right caption, wrong caption) of mistakes of a kind."""
    from training.ranking import trials

    return [
        (draw(right, i), draw(wrong, i), right["prompt"], wrong["prompt"])
        for i, (right, wrong) in enumerate(trials(kind, count, seed=7))
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_preference_ranks_matched_above_corrupted(draw: Draw, kind: str) -> None:
    reward = Preference.load()
    captions = images = 0
    cases = pairs(draw, kind, 40)
    for good, bad, right, wrong in cases:
        same_caption = reward(torch.cat([good, bad]), right)
        images += bool(same_caption[0] > same_caption[1])
        captions += bool(same_caption[0] > reward(good, wrong)[0])
    assert captions >= 0.75 * len(cases)
    assert images >= 0.75 * len(cases)


@pytest.mark.parametrize("kind", ["class", "color"])
def test_the_contrastive_judge_ranks_matched_above_corrupted(draw: Draw, kind: str) -> None:
    clip = MiniatureClip.load()
    cases = pairs(draw, kind, 40)
    right = sum(
        bool(clip(good, caption)[0] > clip(good, wrong)[0]) for good, _, caption, wrong in cases
    )
    assert right >= 0.75 * len(cases)


def test_the_preference_falls_as_an_object_fades(draw: Draw) -> None:
    reward = Preference.load()
    record = prompts.single_object(prompts.CLASSES.index("elephant"))
    full = torch.cat([draw(record, seed) for seed in range(8)])
    ground = full.flatten(2).median(-1).values[..., None, None]
    levels = [reward(ground + v * (full - ground), record["prompt"]).mean() for v in (1, 0.4, 0)]
    assert levels[0] > levels[1] > levels[2]
