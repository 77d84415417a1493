"""Methods at toy size, by name."""

from methods.efr import LookaheadEstimator, RolloutEstimator, TweedieEstimator
from methods.method import Method
from methods.steer import BestOfLookahead, BestOfN, Guidance, Smc

VANILLA = Method("vanilla")
LOOKAHEAD = {"lookahead": LookaheadEstimator(n=6, steps=2, scale=5.0)}
TWEEDIE = {"tweedie": TweedieEstimator(scale=2.0)}
ROLLOUT = {"rollout": RolloutEstimator(n=3, steps=2, scale=2.0)}
METHODS = {
    "lidar": Method("lidar", LOOKAHEAD, {"guidance": Guidance(2.0, (0.2, 1.0))}),
    "ug": Method("ug", TWEEDIE, {"guidance": Guidance(2.0)}),
    "rollout": Method("rollout", ROLLOUT, {"guidance": Guidance(2.0)}),
    "fk_smc": Method("fk_smc", TWEEDIE, {"smc": Smc()}),
    "lookahead_smc": Method("lookahead_smc", LOOKAHEAD, {"smc": Smc(potential="max")}),
    "best_of_n": Method("best_of_n", {}, {"best_of_n": BestOfN(3)}),
    "best_of_lookahead": Method("best_of_lookahead", LOOKAHEAD, {"start": BestOfLookahead()}),
    "lidar_smc": Method(
        "lidar_smc",
        LOOKAHEAD | TWEEDIE,
        {"guidance": Guidance(2.0, efr="lookahead"), "smc": Smc(efr="tweedie")},
    ),
    "ug_smc_bon": Method(
        "ug_smc_bon",
        TWEEDIE,
        {"guidance": Guidance(2.0), "smc": Smc(particles=2), "best_of_n": BestOfN(2)},
    ),
}
