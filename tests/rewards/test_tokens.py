"""What of a prompt a reward reads, and how much it does not."""

import pytest
import torch

from bench.rewards import load_reward

KINDS = {"imagereward": 35, "clip": 77, "hps": 77, "pickscore": 77}


def tiny(kind):
    return load_reward(kind, {kind: {"kind": kind, "weights": "tiny"}})


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_beyond_the_limit_are_counted_and_change_nothing(kind):
    """ "dog" is one token of the tiny vocabularies; two places go to the special ones."""
    reward, fits = tiny(kind), KINDS[kind] - 2
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert [reward.cut("dog " * n) for n in (1, fits, fits + 1, fits + 40)] == [0, 0, 1, 40]
    whole = reward(images, "dog " * fits)
    assert torch.equal(whole, reward(images, "dog " * fits + "cat"))
    assert not torch.equal(whole, reward(images, "dog " * (fits - 1) + "cat"))


def test_rewards_that_read_no_prompt_or_have_no_limit_cut_nothing():
    kinds = ("aesthetic", "jpeg", "quadratic", "preference", "miniature_clip")
    for kind in kinds:
        given = {"kind": kind} | ({"weights": "tiny"} if kind == "aesthetic" else {})
        assert load_reward(kind, {kind: given}).cut("dog " * 500) == 0


def test_clip_s_ids_are_the_published_ones_of_its_vocabulary(tmp_path):
    """Byte pairs are merged in the order of merges.txt, words end in </w>, text is lower-cased."""
    from bench.rewards.tokens import clip_tokenizer

    tokens = [
        "a",
        "c",
        "t",
        "t</w>",
        "at</w>",
        "cat</w>",
        "a</w>",
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    ids = ", ".join(f'"{token}": {i}' for i, token in enumerate(tokens))
    (tmp_path / "vocab.json").write_text(f"{{{ids}}}")
    (tmp_path / "merges.txt").write_text("#version: 0.2\na t</w>\nc at</w>\n")
    tokenizer = clip_tokenizer(tmp_path, "clip")
    assert tokenizer("A  Cat")["input_ids"] == [7, 6, 5, 8]
    assert tokenizer("cat at tat")["input_ids"] == [7, 5, 4, 2, 4, 8]
    assert (tokenizer.eos_token_id, len(tokenizer)) == (8, 9)


def test_blip_s_markers_stand_behind_bert_s_vocabulary(tmp_path):
    from bench.rewards.tokens import blip_tokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "##s"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    tokenizer = blip_tokenizer(tmp_path, "imagereward")
    assert tokenizer.convert_tokens_to_ids(["[DEC]", "[ENC]"]) == [8, 9] and len(tokenizer) == 10
    assert tokenizer("A dogs zebra")["input_ids"] == [2, 5, 6, 7, 1, 3]
