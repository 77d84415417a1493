"""Quality over prompts: GenEval's headline, its tasks, paired differences, mean rewards.

``correct`` and ``images`` (n,) are each prompt's number of correct and of judged images.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bench.stats.bootstrap import Array, Draws, Strata
from bench.stats.interval import LEVEL, Interval, share, student, student_ratio


def task_shares(correct: Array, images: Array, tasks: Strata, weights: Array) -> dict[str, Array]:
    """Share of correct images, (draws,) for each task, in sorted order of the task names.

    ``correct`` and ``images`` (n,), or (k, n) of k cells for shares (draws, k); ``weights``
    (draws, n). Raises ValueError unless images > 0 and 0 <= correct <= images, and where a draw has
    no prompt of some task: draws must be stratified by task.
    """
    names = np.asarray(tasks)
    if correct.shape != images.shape or not correct.shape[-1:] == names.shape == weights.shape[1:]:
        raise ValueError(
            "correct, images, tasks and the draws must be over the same prompts, got "
            f"{correct.shape}, {images.shape}, {names.shape} and {weights.shape[1:]}"
        )
    if not np.all((images > 0) & (correct >= 0) & (correct <= images)):
        raise ValueError("every prompt needs images > 0 and 0 <= correct <= images")
    found, members = _members(tuple(names.tolist()))
    both = np.stack([images, correct], axis=-2)[..., None, :] * members
    sums = (weights @ both.reshape(-1, names.size).T).reshape(len(weights), *both.shape[:-1])
    judged, right = sums[..., 0, :], sums[..., 1, :]
    if not np.all(judged > 0):
        task = found[np.argmin(judged.reshape(-1, len(found)).min(axis=0))]
        raise ValueError(f"a draw has no prompt of {task}: resample with the tasks as strata")
    return {task: right[..., t] / judged[..., t] for t, task in enumerate(found)}


@lru_cache(maxsize=8)
def _members(tasks: tuple[str, ...]) -> tuple[list[str], Array]:
    """The names of the tasks, sorted, and which prompts belong to each: 0 or 1, (tasks, n), so
    that one matrix product serves all tasks."""
    found, of = np.unique(np.asarray(tasks), return_inverse=True)
    return [str(task) for task in found], np.eye(len(found))[:, of]


def overall(correct: Array, images: Array, tasks: Strata, weights: Array) -> Array:
    """GenEval's headline, (draws,) or (draws, k): the mean over tasks of the share of correct
    images."""
    return np.mean(list(task_shares(correct, images, tasks, weights).values()), axis=0)


def headline(correct: Array, images: Array, tasks: Strata) -> float:
    """GenEval's headline of the prompts as they are."""
    return float(overall(correct, images, tasks, np.ones((1, len(correct))))[0])


def geneval(correct: Array, images: Array, tasks: Strata, draws: Draws) -> Interval:
    """GenEval's headline score in [0, 1] with its interval."""
    return geneval_tasks(correct, images, tasks, draws)[0]


def geneval_tasks(
    correct: Array, images: Array, tasks: Strata, draws: Draws
) -> tuple[Interval, dict[str, Interval], Array]:
    """The headline; each task's share of correct images in [0, 1] with its interval (Wilson's, see
    ``share``); and the headline in every draw, (draws,)."""
    values = task_shares(correct, images, tasks, np.ones((1, len(correct))))
    samples = task_shares(correct, images, tasks, draws.weights)
    overall_samples = np.mean(list(samples.values()), axis=0)
    value = float(np.mean([own[0] for own in values.values()]))
    found = {}
    for task, own in values.items():
        of = np.asarray(tasks) == task
        found[task] = share(float(own[0]), samples[task], int(of.sum()), float(images[of].sum()))
    return student(value, overall_samples, draws, bounds=(0, 1)), found, overall_samples


def geneval_difference(
    method: tuple[Array, Array],
    reference: tuple[Array, Array],
    tasks: Strata,
    draws: Draws,
    *,
    level: float = LEVEL,
) -> Interval:
    """Headline score of ``method`` less that of ``reference``, paired by prompt.

    Each is (correct, images), both (n,) over the same n prompts in the same order.
    """
    value = headline(*method, tasks) - headline(*reference, tasks)
    correct, images = (np.stack(pair) for pair in zip(method, reference, strict=True))
    mine, theirs = overall(correct, images, tasks, draws.weights).T
    return student(value, mine - theirs, draws, level=level)


def mean(values: Array, draws: Draws, *, level: float = LEVEL) -> Interval:
    """Mean over prompts of ``values`` (n,): a reward, a diversity, or a paired difference."""
    draws.check(values)
    return student(values.mean(), draws.weights @ values / draws.prompts, draws, level=level)


def geometric(values: Array, draws: Draws, *, level: float = LEVEL) -> Interval:
    """Geometric mean over prompts of ``values`` (n,) > 0: ratios, or errors of many orders."""
    draws.check(values)
    if not np.all(values > 0):
        raise ValueError(f"a geometric mean needs positive values, got {float(values.min()):g}")
    logs = np.log(values)
    samples = np.exp(draws.weights @ logs / draws.prompts)
    return student_ratio(float(np.exp(logs.mean())), samples, draws, level=level)
