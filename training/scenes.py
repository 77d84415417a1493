"""Icon scenes: GenEval prompts drawn with Material Design Icons, the miniature's training data.

A scene is a 64 x 64 image on a plain light background in which every object of a GenEval
metadata record appears as one glyph in one colour. Nuisance variation is kept small on purpose
(one size per number of objects, positions on the latent grid, no rotation), so that a small
model can learn the grammar of the captions. Drawing needs the font of the PyPI package
``fonticon-materialdesignicons7`` (Apache-2.0); nothing at run time does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bench.geneval import prompts
from bench.geneval.prompts import CLASSES, COLORS, Metadata

SIZE = 64
GRID = 4  # pixels per latent cell
GLYPH_PX = {1: 32, 2: 24, 3: 20, 4: 20}
TASK_WEIGHTS = {
    "single_object": 0.10,
    "two_object": 0.15,
    "counting": 0.15,
    "colors": 0.15,
    "position": 0.20,
    "color_attr": 0.25,
}
RGB = {
    "red": (215, 25, 30),
    "orange": (245, 130, 15),
    "yellow": (240, 220, 25),
    "green": (25, 140, 50),
    "blue": (30, 70, 215),
    "purple": (125, 40, 160),
    "pink": (255, 130, 190),
    "brown": (115, 65, 25),
    "black": (20, 20, 20),
    "white": (255, 255, 255),
}
BACKGROUND = 190
COLOR_JITTER = 8
BACKGROUND_JITTER = 6

# Icon names in GenEval's class order. Where the font has no such icon another one stands in
# (bench/report/stand_ins.py has them all): to the model a glyph is a glyph.
GLYPHS = dict(
    zip(
        CLASSES,
        """human bicycle car motorbike airplane bus train truck sail-boat traffic-light
        fire-hydrant alert-octagon parking bench-back bird cat dog-side horse-variant sheep cow
        elephant panda rabbit unicorn-variant bag-personal umbrella purse tie bag-suitcase disc ski
        snowboard soccer kite baseball-bat boxing-glove skateboard surfing tennis bottle-wine
        glass-wine coffee silverware-fork knife silverware-spoon bowl-mix moon-waning-crescent
        food-apple hamburger fruit-citrus tree carrot food-hot-dog pizza chart-donut cake-variant
        seat sofa flower-tulip bed table-furniture toilet television-classic laptop mouse remote
        keyboard cellphone microwave stove toaster faucet fridge book-open-variant clock chess-queen
        content-cut teddy-bear hair-dryer toothbrush""".split(),
        strict=True,
    )
)


@dataclass(frozen=True)
class Placed:
    """One drawn object: class, colour and its box (x0, y0, x1, y1) in pixels, x1 and y1 past it."""

    name: str
    color: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Scene:
    """An image (64, 64, 3) uint8 and what is in it."""

    image: np.ndarray
    objects: tuple[Placed, ...]
    metadata: Metadata


def font_path() -> Path:
    """The icon font, from its PyPI package. Raises FileNotFoundError with the remedy."""
    spec = find_spec("fonticon_mdi7")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "drawing icon scenes needs the package fonticon-materialdesignicons7; "
            "install the project with its training extra: pip install -e '.[training]'"
        )
    return Path(spec.origin).parent / "fonts" / "materialdesignicons-webfont.ttf"


@lru_cache(maxsize=1)
def _codepoints() -> dict[str, int]:
    from fontTools.ttLib import TTFont

    return {name: code for code, name in TTFont(font_path()).getBestCmap().items()}


@cache
def glyph(name: str, size: int) -> np.ndarray:
    """Coverage of a class's icon in [0, 1], (size, size) float32, strokes slightly thickened."""
    from PIL import Image, ImageDraw, ImageFont

    scale = 4
    font = ImageFont.truetype(str(font_path()), int(size * scale * 0.98))
    canvas = Image.new("L", (size * scale, size * scale))
    middle = size * scale / 2
    ImageDraw.Draw(canvas).text(
        (middle, middle),
        chr(_codepoints()[GLYPHS[name]]),
        font=font,
        fill=255,
        anchor="mm",
        stroke_width=scale // 2,
    )
    small = canvas.resize((size, size), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / 255


def random_metadata(rng: np.random.Generator) -> Metadata:
    """A GenEval record of a random task, in the mixture TASK_WEIGHTS."""
    task = rng.choice(list(TASK_WEIGHTS), p=list(TASK_WEIGHTS.values()))
    if task == "single_object":
        return prompts.single_object(int(rng.integers(len(CLASSES))))
    draw = {f.__name__: f for f in prompts.DRAWN}[str(task)]
    return draw(rng)


def _layout(rng: np.random.Generator, count: int, relation: str | None) -> list[tuple[int, int]]:
    """Top-left corners on the latent grid without overlap; object 1 stands in ``relation`` to 0."""
    size = GLYPH_PX[count]
    last = (SIZE - size) // GRID
    while True:
        cells = rng.integers(0, last + 1, size=(count, 2)) * GRID
        gap = np.abs(cells[:, None] - cells[None]).max(-1)[np.triu_indices(count, 1)]
        if (gap < size).any():
            continue
        if relation is not None:
            dx, dy = cells[1] - cells[0]
            along, across = (dx, dy) if relation in ("left of", "right of") else (dy, dx)
            if relation in ("left of", "above"):
                along = -along
            if along < size or abs(across) > 2 * GRID:
                continue
        return [(int(x), int(y)) for x, y in cells]


def wanted_objects(metadata: Metadata) -> list[tuple[str, str | None]]:
    """(class, colour or None) of every object that a record's ``include`` clauses ask for."""
    return [(c["class"], c.get("color")) for c in metadata["include"] for _ in range(c["count"])]


def render(metadata: Metadata, rng: np.random.Generator) -> Scene:
    """Draw a record: positions, jitter and colours that the caption leaves open come from rng."""
    wanted = wanted_objects(metadata)
    relations = [c["position"][0] for c in metadata["include"] if "position" in c]
    corners = _layout(rng, len(wanted), relations[0] if relations else None)
    size = GLYPH_PX[len(wanted)]
    base = BACKGROUND + rng.uniform(-BACKGROUND_JITTER, BACKGROUND_JITTER, 3)
    image = np.broadcast_to(base, (SIZE, SIZE, 3)).astype(np.float32)
    placed = []
    for (name, color), (x, y) in zip(wanted, corners, strict=True):
        shade = color or COLORS[rng.integers(len(COLORS))]
        ink = np.array(RGB[shade]) + rng.uniform(-COLOR_JITTER, COLOR_JITTER, 3)
        cover = glyph(name, size)[..., None]
        patch = image[y : y + size, x : x + size]
        patch += cover * (ink - patch)
        ys, xs = np.nonzero(cover[..., 0] > 0.3)
        low, high = (int(x + xs.min()), int(y + ys.min())), (int(x + xs.max()), int(y + ys.max()))
        placed.append(Placed(name, shade, (*low, high[0] + 1, high[1] + 1)))
    return Scene(image.clip(0, 255).round().astype(np.uint8), tuple(placed), metadata)


def batch(rng: np.random.Generator, size: int) -> list[Scene]:
    """Scenes of random records."""
    return [render(random_metadata(rng), rng) for _ in range(size)]


def to_tensor(images: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 (B, H, W, 3) -> float32 (B, 3, H, W) in [-1, 1], what the VAE takes."""
    return np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
