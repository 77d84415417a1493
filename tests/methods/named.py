"""Methods at toy size, by name."""

from methods.efr import LookaheadSettings, RolloutSettings, TweedieSettings
from methods.method import Method
from methods.steer import (
    BestOfLookaheadSettings,
    BestOfNSettings,
    GuidanceSettings,
    SmcSettings,
)

VANILLA = Method("vanilla")
LOOKAHEAD = {"lookahead": LookaheadSettings(n=6, steps=2, scale=5.0)}
TWEEDIE = {"tweedie": TweedieSettings(scale=2.0)}
ROLLOUT = {"rollout": RolloutSettings(n=3, steps=2, scale=2.0)}
METHODS = {
    "lidar": Method("lidar", LOOKAHEAD, [GuidanceSettings(2.0, (0.2, 1.0))]),
    "ug": Method("ug", TWEEDIE, [GuidanceSettings(2.0)]),
    "rollout": Method("rollout", ROLLOUT, [GuidanceSettings(2.0)]),
    "fk_smc": Method("fk_smc", TWEEDIE, [SmcSettings()]),
    "lookahead_smc": Method("lookahead_smc", LOOKAHEAD, [SmcSettings(potential="max")]),
    "best_of_n": Method("best_of_n", {}, [BestOfNSettings(3)]),
    "best_of_lookahead": Method("best_of_lookahead", LOOKAHEAD, [BestOfLookaheadSettings()]),
    "lidar_smc": Method(
        "lidar_smc",
        LOOKAHEAD | TWEEDIE,
        [GuidanceSettings(2.0, efr="lookahead"), SmcSettings(efr="tweedie")],
    ),
    "ug_smc_bon": Method(
        "ug_smc_bon",
        TWEEDIE,
        [GuidanceSettings(2.0), SmcSettings(particles=2), BestOfNSettings(2)],
    ),
}
