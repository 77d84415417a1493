"""Several seeds of one method: prompts stay the unit, seeds are averaged within a prompt.

Every draw of noise is keyed by seed and prompt, so images of different prompts are independent
whether or not they share a seed: nothing above the prompt is left to resample, and a hierarchical
bootstrap over seeds would add a level that does not exist. Pooling the seeds' images makes each
prompt's share more precise, and the bootstrap over prompts then shows this precision and the
prompts' own spread. The deviation between seeds is reported beside it: it is what a reader with one
seed does not see, and it does not shrink the more prompts' difficulties differ.
"""

from __future__ import annotations

import numpy as np

from bench.stats.bootstrap import Array, Draws, Strata
from bench.stats.interval import Interval
from bench.stats.quality import geneval, headline


def pooled(correct: Array, images: Array, tasks: Strata, draws: Draws) -> tuple[Interval, float]:
    """GenEval of all seeds' images together, and the standard deviation between the seeds' own.

    ``correct`` and ``images`` (seeds >= 2, n) over the same n prompts.
    """
    scores = [headline(*own, tasks) for own in zip(correct, images, strict=True)]
    found = geneval(correct.sum(axis=0), images.sum(axis=0), tasks, draws)
    return found, float(np.std(scores, ddof=1))
