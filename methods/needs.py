"""What the parts of a method need of each other and of what they run among, checked in one place.

Each requirement is a word. A steer needs its own words and its estimators'. An estimator, the
target solver, the reward or the model provides a word; another steer can take it away (``spoils``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from methods.base import Estimator, Steer
from methods.settings import one_of

if TYPE_CHECKING:
    from methods.method import Method

ASKED = {
    "value": "an estimator",
    "shift": "an estimator",
    "every": "the method's estimators",
    "samples": "a lookahead estimator: efr must name a lookahead estimator",
    "images": "a lookahead estimator, whose samples it delivers",
}
SURROUNDINGS = {
    "stochastic": (
        "a stochastic target solver (such as ddpm, or ancestral on flow models): with a "
        "deterministic one the copies of a particle never part again"
    ),
    "deterministic": (
        "a deterministic target solver (such as ddim): a stochastic one overrules the initial noise"
    ),
    "ancestral": (
        "a target solver with an eta (ddpm or ddim; ancestral on flow models), of whose steps it "
        "is known how they depend on the posterior mean"
    ),
    "guided": (
        "a UNet under classifier-free guidance of a weight above 1, such as Stable Diffusion's, "
        "SDXL's and the miniatures': the guidance of FLUX and of distilled models is inside them"
    ),
    "flow": "a flow-matching model (backbone=miniature_flow): its rule is about velocities",
    "derivative": (
        "a reward that has a derivative: choose another reward, or a method that needs none "
        "(lidar, rollout, smc, best_of_n)"
    ),
    "tokens": "strings of tokens, such as backbone=strings: these rules are for strings alone",
    "continuous": (
        "continuous latents: a string of tokens has no gradient, no Gaussian noise around it and "
        "no deterministic solver; lookahead, rollouts by sde, smc, search and best_of_n run there"
    ),
    "analytic": (
        "a prior and a reward in closed form: backbone=mixture with reward=quadratic or linear, "
        "or backbone=strings, or backbone=molecules"
    ),
}
OTHERS = {
    "condition": "the model to be evaluated under the prompt's own embedding",
    "ahead": "to know the posterior means of the next steps before they are taken",
    "graph": "the posterior mean to be differentiated through the whole denoiser",
    "jump": "a distilled denoiser's jump to the clean end to be differentiated",
    "density": (
        "steps whose density is known, to take a guided proposal back (guidance with last=false "
        "leaves the last step alone, which has no noise to weigh it by)"
    ),
    "start": "to choose by itself what sampling starts from",
    "selection": "to be the only one that tilts by selecting particles",
    "pick": "to pick among an image's candidates by itself",
    "alone": "to be the method's only steer",
}
HOOKS = ("sample", "begin", "route", "condition", "shift", "select", "after", "finish")
WORDS = ASKED | SURROUNDINGS | OTHERS


def check(method: Method, offered: Collection[str], images: int) -> None:
    """Raise ValueError for the first need that is not met.

    ``offered``: words of ``SURROUNDINGS``; ``images``: how many are delivered of a prompt.
    """
    asked = {label: method.asked(label) for label in method.steers}
    for name, estimator in method.estimators.items():
        _check_class(f"method.efr.{name}", type(estimator), Estimator, ("value", "shift"))
        if not any(name in names for names in asked.values()):
            raise ValueError(f"method.efr.{name} is asked by no steer: leave it out")
        _check_words(f"method.efr.{name}.requires", estimator.requires)
        if "analytic" in estimator.requires and "analytic" not in offered:
            raise ValueError(f"method.efr.{name} needs {WORDS['analytic']}")
    leading = [k for k, s in method.steers.items() if type(s).sample is not Steer.sample]
    if len(leading) > 1:
        raise ValueError(f"method.steer: {' and '.join(leading)} both run the loop: choose one")
    for label, steer in method.steers.items():
        where = f"method.steer.{label}"
        _check_class(where, type(steer), Steer, HOOKS)
        _check_words(f"{where}.requires", steer.requires)
        _check_words(f"{where}.spoils", steer.spoils)
        estimators = {name: method.estimators[name] for name in asked[label]}
        offers = set(offered).union(*(e.offers for e in estimators.values()))
        offers |= {"value", "shift", "every"} if estimators else set()
        others = {k: other for k, other in method.steers.items() if k != label}
        words = method.needs(label)
        words |= {"continuous"} if words & {"derivative", "ancestral"} else set()
        for word in sorted(words, key=lambda word: (word != "continuous", word)):
            spoiling = [k for k, other in others.items() if word in (*other.spoils, "alone")]
            if spoiling:
                raise ValueError(
                    f"{where} needs {WORDS[word]}: it cannot be combined with {', '.join(spoiling)}"
                )
            if word not in OTHERS and word not in offers:
                raise ValueError(f"{where} needs {WORDS[word]}")
        try:
            steer.check(estimators, images * method.candidates)
        except ValueError as error:
            raise ValueError(f"{where}.{error}") from None


def _check_class(where: str, kind: type, base: type, hooks: Sequence[str]) -> None:
    """Raise ValueError for a part that is no dataclass, or does nothing at all."""
    if not is_dataclass(kind):
        raise ValueError(f"{where}: {kind.__name__} must be a frozen dataclass")
    if not any(getattr(kind, hook) is not getattr(base, hook) for hook in hooks):
        own = [name for name in vars(kind) if not name.startswith("_")]
        near = [hook for name in own for hook in get_close_matches(name, hooks, n=1)]
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{where}: {kind.__name__} defines none of {', '.join(hooks)}{hint}")


def _check_words(where: str, words: object) -> None:
    if not isinstance(words, set | frozenset):
        raise ValueError(f"{where} must be a set of words, such as frozenset({{'shift'}})")
    for word in words:
        one_of(where, word, list(WORDS))
