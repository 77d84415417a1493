"""Probability of improvement: on how many prompts is the method better?

A headline can rise because a few prompts gain a lot. For prompt i with values x_i of the method and
y_i of the reference, P_i = 1 where x_i > y_i, 1/2 where they are equal, 0 else; averaged over the
prompts of a task, then over the tasks: the probability that on a random prompt of a random task the
method is better, ties broken by a coin. 1/2 says no difference in either direction.

Name and averaging over tasks are from Agarwal et al. (2021, "Deep reinforcement learning at the
edge of the statistical precipice"), ties by half from Vargha and Delaney (2000). There the runs of
the two methods are unpaired, and every run is compared with every other; here a prompt is compared
with itself, because its difficulty is common to both methods.
"""

from __future__ import annotations

import numpy as np

from bench.stats.bootstrap import Array, Draws, Strata
from bench.stats.interval import Interval, student
from bench.stats.quality import headline, overall


def improvement(method: Array, reference: Array, tasks: Strata, draws: Draws) -> Interval:
    """P(method better) in [0, 1] with its interval; no difference is 0.5.

    ``method`` and ``reference`` (n,) are values a prompt, better where larger: a mean reward, or
    the share of its images that are correct.
    """
    draws.check(method, reference)
    better = (np.sign(method - reference) + 1) / 2
    one = np.ones_like(better)
    samples = overall(better, one, tasks, draws.weights)
    return student(headline(better, one, tasks), samples, draws, bounds=(0, 1))
