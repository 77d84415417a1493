"""The miniature's tokenizer: a CLIPTokenizer whose small vocabulary is the words of the captions.

Each caption word is one token. Byte-pair merges build a word from its end ("g", "og", "dog"), so
every lower-case word outside the vocabulary still has a spelling in suffixes and letters.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from bench.geneval.prompts import CLASSES, COLORS, NUMBERS, POSITIONS, plural

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
MAX_TOKENS = 16
END_OF_WORD = "</w>"


def caption_words() -> list[str]:
    """Every word that a GenEval caption with counts up to four can hold, sorted."""
    phrases = ["a photo of an and", *CLASSES, *map(plural, CLASSES), *COLORS, *POSITIONS]
    return sorted({w for p in [*phrases, *NUMBERS[2:5]] for w in p.split()})


def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """(token -> id, merges): both markers, single letters, then the suffixes of every word."""
    letters = string.ascii_lowercase + string.digits + string.punctuation
    tokens = [START, END, *letters, *(c + END_OF_WORD for c in letters)]
    merges: dict[tuple[str, str], None] = {}
    for word in caption_words():
        for i in range(len(word) - 2, -1, -1):
            merges[word[i], word[i + 1 :] + END_OF_WORD] = None
    tokens += dict.fromkeys(a + b for a, b in merges)
    return {token: i for i, token in enumerate(tokens)}, list(merges)


def build_tokenizer(length: int = MAX_TOKENS) -> CLIPTokenizer:
    """A tokenizer of at most ``length`` tokens, both markers included."""
    from transformers import CLIPTokenizer

    vocab, merges = vocabulary()
    return CLIPTokenizer(
        vocab=vocab,
        merges=merges,
        unk_token=END,
        bos_token=START,
        eos_token=END,
        pad_token=END,
        model_max_length=length,
    )
