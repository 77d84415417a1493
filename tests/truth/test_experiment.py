"""What experiment=ground_truth asks for, read from its file."""

from omegaconf import OmegaConf

from bench.config.compose import CONF, cell_settings
from bench.mixture.problems import mixture

EXPERIMENT = OmegaConf.load(CONF / "experiment" / "ground_truth.yaml")
SIZES = "backbone.dimension=2,4,8,16,32,64"


def test_every_method_meets_24_mixtures_in_six_dimensions():
    lines = [line.split() for line in EXPERIMENT.cells]
    sampling = [
        line for line in lines if "backbone=strings" not in line and "method=probe" not in line
    ]
    assert sampling and all(SIZES in line for line in sampling)
    assert not any(word.startswith("prompts") for line in sampling for word in line)
    assert EXPERIMENT.prompts.n * 2 * len(SIZES.split(",")) == 24
    rest = [line for line in lines if line not in sampling]
    twelve = [line for line in rest if "prompts.n=12" in line]  # of both kinds: 24
    assert all(any(w.startswith("backbone.dimension=") for w in o) for o in rest if o not in twelve)


def test_each_dimension_has_problems_of_its_own():
    given = "experiment=ground_truth", "method=vanilla"
    two, four = (cell_settings([*given, f"backbone.dimension={d}"], []) for d in (2, 4))
    assert (two["prompts"]["seed"], four["prompts"]["seed"]) == (2, 4)
    weights = [mixture(f"separated mixture 0 of seed {d}", d, 4).log_weights for d in (2, 4)]
    assert (weights[0] - weights[1]).abs().max() > 0.1


def test_the_knobs_are_swept():
    words = [word for line in EXPERIMENT.cells for word in line.split()]
    for key, least in (
        ("steer.best_of_n.n", 4), ("efr.lookahead.n", 4), ("steer.embedding.scale", 4)
    ):  # fmt: skip
        sweeps = [w.partition("=")[2].split(",") for w in words if w.startswith(f"method.{key}=")]
        longest = sorted(map(float, max(sweeps, key=len)))
        assert len(longest) >= least and longest[-1] >= 8 * longest[0]
