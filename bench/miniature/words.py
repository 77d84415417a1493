"""Word ids of captions for the miniature's scorers: one id a word of GenEval's caption grammar."""

from __future__ import annotations

import re
from functools import lru_cache

from bench.geneval.prompts import CLASSES, COLORS, NUMBERS, POSITIONS, plural

PAD, UNKNOWN = "<pad>", "<unk>"
MAX_WORDS = 16  # the grammar's longest caption has 12


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, int]:
    """Word -> id. 0 pads, 1 stands for every word outside the grammar."""
    phrases = ["a an photo of and", *CLASSES, *map(plural, CLASSES), *COLORS, *POSITIONS, *NUMBERS]
    words = sorted({word for phrase in phrases for word in phrase.split()})
    return {word: i for i, word in enumerate((PAD, UNKNOWN, *words))}


def encode(prompt: str) -> list[int]:
    """Ids of a prompt's words; case and punctuation do not count, an unknown word is ``<unk>``.

    Raises ValueError for a prompt without a word or with more than MAX_WORDS: it is never cut.
    """
    words = re.findall(r"[a-z0-9]+", prompt.lower())
    if not words:
        raise ValueError(f"the prompt {prompt!r} has no word to score")
    if len(words) > MAX_WORDS:
        raise ValueError(
            f"the prompt has {len(words)} words, the miniature's scorers take at most "
            f"{MAX_WORDS}: {prompt!r}"
        )
    known = vocabulary()
    return [known.get(word, known[UNKNOWN]) for word in words]


def encode_padded(prompts: list[str]) -> list[list[int]]:
    """Ids of several prompts, padded at the end to the longest of them."""
    rows = [encode(prompt) for prompt in prompts]
    longest = max(map(len, rows))
    return [row + [vocabulary()[PAD]] * (longest - len(row)) for row in rows]
