"""Prompts as token ids, and how much of a prompt a text tower cannot take in."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.errors import BenchError


@dataclass
class Prompts:
    """A tokenizer and the most tokens that its model reads, the two special ones included.

    The last prompt's ids are kept: a method that guides asks for them at every step, and copying
    them to a device holds up the host.
    """

    tokenizer: Any
    limit: int
    _last: tuple[tuple[str, torch.device], tuple[Tensor, Tensor]] | None = None

    def encode(self, prompt: str, device: torch.device) -> tuple[Tensor, Tensor]:
        """Ids and attention mask, (1, limit) each: padded, or cut with the end token kept."""
        if self._last is not None and self._last[0] == (prompt, device):
            return self._last[1]
        made = self.tokenizer(prompt, padding="max_length", truncation=True, max_length=self.limit)
        ids, mask = (
            torch.tensor([made[k]], device=device) for k in ("input_ids", "attention_mask")
        )
        self._last = (prompt, device), (ids, mask)
        return ids, mask

    def cut(self, prompt: str) -> int:
        """How many of the prompt's tokens lie beyond the limit and are not read."""
        whole = self.tokenizer(prompt, verbose=False)["input_ids"]
        return max(0, len(whole) - self.limit)


def clip_tokenizer(folder: Path, what: str) -> Any:
    """CLIP's byte-pair tokenizer from ``vocab.json`` and ``merges.txt``."""
    from transformers import CLIPTokenizer

    vocabulary = json.loads(_text(folder / "vocab.json", what))
    lines = _text(folder / "merges.txt", what).splitlines()
    pairs = [tuple(line.split()) for line in lines if line and not line.startswith("#version")]
    return CLIPTokenizer(vocab=vocabulary, merges=pairs)


def blip_tokenizer(folder: Path, what: str) -> Any:
    """BERT's tokenizer from ``vocab.txt``, with BLIP's two markers behind its vocabulary."""
    return _blip(_text(folder / "vocab.txt", what).splitlines())


def tiny_blip_tokenizer() -> Any:
    """The words of GenEval's captions, and letters for all others."""
    from bench.miniature.text import caption_words

    letters = string.ascii_lowercase + string.digits + string.punctuation
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    return _blip([*words, *(w for w in caption_words() if w not in words)])


def _blip(words: list[str]) -> Any:
    from transformers import BertTokenizer

    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(words)})
    tokenizer.add_special_tokens({"bos_token": "[DEC]"})
    tokenizer.add_tokens(["[ENC]"], special_tokens=True)
    return tokenizer


def _text(path: Path, what: str) -> str:
    if not path.is_file():
        raise BenchError(
            f"{what} needs the tokenizer's file {path}: set its `tokenizer` to a folder with that "
            "file, or to a pinned source on the hub"
        )
    return path.read_text(encoding="utf-8")
