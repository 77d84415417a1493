"""Estimators of the expected future reward V(x_t) = log E[exp(λ r(x_0, c)) | x_t]."""

from methods.efr.exact import ExactSettings
from methods.efr.lookahead import LookaheadSettings
from methods.efr.rollout import RolloutSettings
from methods.efr.tweedie import TweedieSettings

ESTIMATORS = {
    "exact": ExactSettings,
    "lookahead": LookaheadSettings,
    "rollout": RolloutSettings,
    "tweedie": TweedieSettings,
}
