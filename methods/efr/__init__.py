"""Estimators of the expected future reward V(x_t) = log E[exp(λ r(x_0, c)) | x_t], one a file."""

from methods.base import Estimator
from methods.efr.diamond import DiamondEstimator
from methods.efr.exact import ExactEstimator
from methods.efr.lookahead import LookaheadEstimator
from methods.efr.rollout import RolloutEstimator
from methods.efr.student import StudentEstimator
from methods.efr.tweedie import TweedieEstimator

ESTIMATORS: dict[str, type[Estimator]] = {
    "diamond": DiamondEstimator,
    "exact": ExactEstimator,
    "lookahead": LookaheadEstimator,
    "rollout": RolloutEstimator,
    "student": StudentEstimator,
    "tweedie": TweedieEstimator,
}
