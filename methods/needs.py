"""What the parts of a method need of each other and of what they run among, checked in one place.

A need is a word. A steer ``requires`` some words, and those of its estimator with them; it is given
them by its estimator ("value", "shift", "samples"), by the surroundings (what ``check`` is told is
offered), and by the other steers, as long as none of these ``spoils`` the word.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from methods.method import Method

ASKED = {
    "value": "an estimator",
    "shift": "an estimator",
    "samples": "a lookahead estimator: efr must name a lookahead estimator",
    "images": "a lookahead estimator, whose samples it delivers",
}
SURROUNDINGS = {
    "stochastic": (
        "a stochastic target solver (such as ddpm, or ancestral on FLUX): with a deterministic one "
        "the copies of a particle never part again"
    ),
    "deterministic": (
        "a deterministic target solver (such as ddim): a stochastic one overrules the initial noise"
    ),
    "ancestral": (
        "a target solver with an eta (ddpm or ddim; ancestral on FLUX), of whose steps it is known "
        "how they depend on the posterior mean"
    ),
    "derivative": (
        "a reward that has a derivative: choose another reward, or a method that needs none "
        "(lidar, rollout, smc, best_of_n)"
    ),
    "analytic": (
        "a prior and a reward in closed form: backbone=mixture with reward=quadratic or linear"
    ),
}
OTHERS = {
    "condition": "the model to be evaluated under the prompt's own embedding",
    "graph": "the posterior mean to be differentiated through the whole denoiser",
    "density": (
        "steps whose density is known, to take a guided proposal back (guidance with last=false "
        "leaves the last step alone, which has no noise to weigh it by)"
    ),
    "start": "to choose by itself what sampling starts from",
    "selection": "to be the only one that tilts by selecting particles",
    "pick": "to pick among an image's candidates by itself",
    "alone": "to be the method's only steer",
}
WORDS = ASKED | SURROUNDINGS | OTHERS


def check(method: Method, offered: Collection[str], images: int) -> None:
    """Raise ValueError for the first need that is not met.

    ``offered``: words of ``SURROUNDINGS``; ``images``: how many are delivered of a prompt.
    """
    for label, estimator in method.estimators.items():
        for word in estimator.requires & {"analytic"} - set(offered):
            raise ValueError(f"method.efr.{label} needs {WORDS[word]}")
    for label, steer in method.steers.items():
        where = f"method.steer.{label}"
        asked = {name: method.estimators[name] for name in method.asked(label)}
        offers = set(offered).union(*(estimator.offers for estimator in asked.values()))
        if asked:
            offers |= {"value", "shift"}
        for word in sorted(method.needs(label)):
            spoiling = [
                other
                for other, its in method.steers.items()
                if other != label and word in its.spoils
            ]
            if word == "alone":
                spoiling = [other for other in method.steers if other != label]
            if spoiling:
                raise ValueError(
                    f"{where} needs {WORDS[word]}: drop {', '.join(spoiling)}, or {label}"
                )
            if word not in OTHERS and word not in offers:
                raise ValueError(f"{where} needs {WORDS.get(word, word)}")
        steer.check(asked, images * method.candidates)
