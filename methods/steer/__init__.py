"""Steers: what a sampler does with an estimate of expected future reward."""

from methods.steer.best_of_lookahead import BestOfLookaheadSettings
from methods.steer.best_of_n import BestOfNSettings
from methods.steer.guidance import GuidanceSettings
from methods.steer.smc import SmcSettings

STEERS = {
    "best_of_lookahead": BestOfLookaheadSettings,
    "best_of_n": BestOfNSettings,
    "guidance": GuidanceSettings,
    "smc": SmcSettings,
}
