"""Small benchmarks shared by these tests."""

import numpy as np

from bench import stats

TASKS = ["colors"] * 8 + ["counting"] * 12 + ["position"] * 5


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def unstratified(n: int, draws: int, seed: int = 0) -> stats.Draws:
    return stats.resample(["all"] * n, draws, rng(seed))


def marks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Correct and judged images of the prompts in TASKS, some prompts short of an image."""
    draw = rng(seed)
    images = draw.integers(3, 5, size=len(TASKS)).astype(float)
    return np.floor(draw.random(len(TASKS)) * (images + 1)), images


def exact(values: list[float], draws: stats.Draws) -> stats.Estimates:
    """Values without uncertainty."""
    array = np.array(values, float)
    return stats.Estimates(array, np.tile(array, (len(draws.weights), 1)))


def fixed(quality: float, sweep: stats.Sweep) -> stats.Level:
    """A quality that is the same in every draw."""
    return stats.Level(quality, np.full(len(sweep.draws.weights), quality))


def exact_sweep(cost: list[float], quality: list[float], draws: stats.Draws) -> stats.Sweep:
    """A sweep without uncertainty."""
    return stats.Sweep(exact(cost, draws), exact(quality, draws), draws)


def noisy_sweep(
    cost: np.ndarray,
    quality: np.ndarray,
    difficulty: np.ndarray,
    draws: stats.Draws,
    noise: np.random.Generator,
    spread: float = 0.05,
) -> stats.Sweep:
    """Settings (k,) on prompts of ``difficulty`` (n,): own noise on every prompt's quality, 2% on
    its seconds."""
    shape = (len(cost), len(difficulty))
    values = quality[:, None] + difficulty + spread * noise.normal(size=shape)
    seconds = cost[:, None] * noise.lognormal(-(0.02**2) / 2, 0.02, size=shape)
    return stats.Sweep(stats.means(seconds, draws), stats.means(values, draws), draws)
