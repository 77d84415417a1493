"""GenEval's prompts: the official generator's output, byte for byte, for any size and seed.

Source: Ghosh et al., "GenEval: An Object-Focused Framework for Evaluating Text-to-Image
Alignment", NeurIPS 2023. The order of the random draws below *is* the format: the published
file is what numpy's ``default_rng(43)`` yields for 100 prompts per task.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Metadata = dict[str, Any]

CLASSES: tuple[str, ...] = tuple(
    """person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|traffic light|fire hydrant|\
stop sign|parking meter|bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe|backpack|\
umbrella|handbag|tie|suitcase|frisbee|skis|snowboard|sports ball|kite|baseball bat|\
baseball glove|skateboard|surfboard|tennis racket|bottle|wine glass|cup|fork|knife|spoon|bowl|\
banana|apple|sandwich|orange|broccoli|carrot|hot dog|pizza|donut|cake|chair|couch|potted plant|\
bed|dining table|toilet|tv|laptop|computer mouse|tv remote|computer keyboard|cell phone|\
microwave|oven|toaster|sink|refrigerator|book|clock|vase|scissors|teddy bear|hair drier|\
toothbrush""".split("|")
)
COLORS = (
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
)
POSITIONS = ("left of", "right of", "above", "below")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
TASKS = ("single_object", "two_object", "counting", "colors", "position", "color_attr")


def with_article(noun: str) -> str:
    """``noun`` with its indefinite article, by GenEval's rule (first letter a vowel)."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def plural(noun: str) -> str:
    """GenEval's plural: "es" after a final s, else "s"; no exceptions, as in the original."""
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def single_object(index: int) -> Metadata:
    name = CLASSES[index]
    include = [{"class": name, "count": 1}]
    prompt = f"a photo of {with_article(name)}"
    return {"tag": "single_object", "include": include, "prompt": prompt}


def two_object(rng: np.random.Generator) -> Metadata:
    a, b = (CLASSES[i] for i in rng.choice(len(CLASSES), size=2, replace=False))
    include = [{"class": a, "count": 1}, {"class": b, "count": 1}]
    prompt = f"a photo of {with_article(a)} and {with_article(b)}"
    return {"tag": "two_object", "include": include, "prompt": prompt}


def counting(rng: np.random.Generator, most: int = 4) -> Metadata:
    name = CLASSES[rng.choice(len(CLASSES))]
    count = int(rng.integers(2, most, endpoint=True))
    return {
        "tag": "counting",
        "include": [{"class": name, "count": count}],
        "exclude": [{"class": name, "count": count + 1}],
        "prompt": f"a photo of {NUMBERS[count]} {plural(name)}",
    }


def colors(rng: np.random.Generator) -> Metadata:
    name = CLASSES[rng.choice(len(CLASSES) - 1) + 1]  # never a coloured person
    color = COLORS[rng.choice(len(COLORS))]
    include = [{"class": name, "count": 1, "color": color}]
    return {
        "tag": "colors",
        "include": include,
        "prompt": f"a photo of {with_article(color)} {name}",
    }


def position(rng: np.random.Generator) -> Metadata:
    a, b = (CLASSES[i] for i in rng.choice(len(CLASSES), size=2, replace=False))
    where = POSITIONS[rng.choice(len(POSITIONS))]
    include = [{"class": b, "count": 1}, {"class": a, "count": 1, "position": [where, 0]}]
    prompt = f"a photo of {with_article(a)} {where} {with_article(b)}"
    return {"tag": "position", "include": include, "prompt": prompt}


def color_attr(rng: np.random.Generator) -> Metadata:
    a, b = (CLASSES[i + 1] for i in rng.choice(len(CLASSES) - 1, size=2, replace=False))
    color_a, color_b = (COLORS[i] for i in rng.choice(len(COLORS), size=2, replace=False))
    include = [
        {"class": a, "count": 1, "color": color_a},
        {"class": b, "count": 1, "color": color_b},
    ]
    prompt = f"a photo of {with_article(color_a)} {a} and {with_article(color_b)} {b}"
    return {"tag": "color_attr", "include": include, "prompt": prompt}


DRAWN: tuple[Callable[[np.random.Generator], Metadata], ...] = (
    two_object,
    counting,
    colors,
    position,
    color_attr,
)


def generate(n: int = 100, seed: int = 43) -> list[Metadata]:
    """GenEval metadata: each class as a single object, ``n`` prompts of every other task.

    Duplicates are dropped. ``generate()`` is the official list of 553. Raises ValueError unless
    n >= 1 and seed >= 0.
    """
    if n < 1 or seed < 0:
        raise ValueError(f"GenEval prompts need n >= 1 and seed >= 0, got n={n}, seed={seed}")
    rng = np.random.default_rng(seed)
    samples = [single_object(i) for i in rng.choice(len(CLASSES), len(CLASSES), replace=False)]
    for draw in DRAWN:
        samples += [draw(rng) for _ in range(n)]
    return list({json.dumps(s): s for s in samples}.values())


def to_jsonl(samples: Iterable[Metadata]) -> str:
    """The official file format: one JSON object a line."""
    return "".join(json.dumps(s) + "\n" for s in samples)
