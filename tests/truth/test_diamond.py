"""Weighted diamond maps where the posterior is known, and against the official recipe's numbers."""

from dataclasses import dataclass, replace

import pytest
import torch

from bench.mixture import flow_map
from bench.mixture.backbone import MixtureBackbone
from bench.mixture.reward import MixtureReward
from bench.noise import Ledger
from methods.efr import DiamondEstimator, ExactEstimator
from methods.efr.diamond import noisier, proposal
from methods.problem import Problem
from methods.state import Prepared, Step
from methods.steer import Guidance

PROMPT = "overlapping mixture 0 of seed 0"


def standing(estimators, path="flow", fraction=0.6, count=4, components=4, reward=None):
    """Particles drawn from p_t, in front of a step."""
    backbone = MixtureBackbone(2, components, path)
    condition, ledger = backbone.encode(PROMPT), Ledger(0, PROMPT)
    reward = reward or MixtureReward("quadratic")
    made = Problem(backbone, reward, ledger, PROMPT, condition, 4, "ddpm", 10)
    prepared = Prepared(estimators, {name: e.prepare(made) for name, e in estimators.items()})
    level, normal = backbone.level(fraction), ledger((count, 2), "clean").double()
    clean = condition.prior.sample(ledger.uniform(count, "which")[None], normal[None])[0]
    x = level.alpha * clean + level.sigma * ledger((count, 2), "test").double()
    solver = backbone.solver("ddpm", 10)
    return Step(made, solver, x.requires_grad_(), level, 4, 10, condition, prepared, shared=True)


def errors(path, fraction, **options):
    estimators = {
        "exact": ExactEstimator(1.0),
        "diamond": DiamondEstimator(solver="flow_map", scale=1.0, **options),
    }
    step = standing(estimators, path, fraction)
    value = step.value("diamond") - step.value("exact")
    shift, exact = step.shift("diamond"), step.shift("exact")
    return float(value.detach().square().mean().sqrt()), float(
        (shift - exact).norm() / exact.norm()
    )


@pytest.fixture
def rough(monkeypatch):
    monkeypatch.setattr(flow_map, "INTERVALS", 2)


@pytest.mark.parametrize(("path", "fraction"), [("flow", 0.6), ("vp", 1.0)])
def test_value_and_shift_converge_to_the_exact_ones_as_n_grows(path, fraction, rough):
    few, many = (errors(path, fraction, n=n) for n in (32, 1024))
    for before, after in zip(few, many, strict=True):
        assert after < 0.4 * before
    assert many[0] < 0.12 and many[1] < 0.05


def test_by_the_official_weights_they_do_not(rough):
    few, many = (errors("flow", 0.6, n=n, weights="reward") for n in (32, 1024))
    assert many[0] > 0.5 and many[1] > 0.3
    assert many[1] > 0.7 * few[1]


def test_more_nodes_make_the_noisier_level_s_density_exact():
    one, many = (DiamondEstimator(n=6, solver="flow_map", snr=4.0, nodes=m) for m in (1, 64))
    step = standing({"one": one, "many": many}, fraction=0.3)
    high = noisier(step.problem.backbone, step.level, 4.0)
    a, c = proposal(step.level, high)
    noise = step.normal((6, 2), "test", one)
    density = step.problem.condition.prior.noised(high.alpha, high.sigma).log_prob
    base = a * step.x.detach()
    exact = density((base.unsqueeze(1) + c * noise).flatten(0, 1)).reshape(4, 6)
    exact = exact - density(base).unsqueeze(1)
    gaps = [float((e._density(step, high, base, c * noise)[0] - exact).abs().max())
            for e in (one, many)]  # fmt: skip
    assert gaps[1] < 1e-3 < gaps[0] / 20


@pytest.mark.parametrize("path", ["vp", "flow"])
def test_the_noisier_level_has_so_much_less_signal_or_is_the_noisiest(path):
    backbone = MixtureBackbone(2, 1, path)
    level = backbone.level(0.5)
    high = noisier(backbone, level, 4.0)
    assert high.sigma / high.alpha == pytest.approx(2 * level.sigma / level.alpha)
    a, c = proposal(level, high)
    assert a == pytest.approx(high.alpha / level.alpha)
    assert a**2 * level.sigma**2 + c**2 == pytest.approx(high.sigma**2)
    top = backbone.level(1.0)
    assert noisier(backbone, top, 4.0) == top
    assert proposal(top, top) == pytest.approx((0.0, 1.0))


@dataclass(frozen=True)
class Near:
    """−½‖x − a‖²."""

    name: str = "near"
    differentiable: bool = True

    def __call__(self, images, prompt):
        return -(images - torch.tensor([0.5, -1.0]).to(images)).square().sum(1) / 2


OFFICIAL = {
    "x": [[1.854401707649231, -0.10522611066699028], [-1.9153674244880676, 0.9948024451732635]],
    "shift": [[-22.912673591994153, 8.098867745016909], [7.854873469060747, -17.45458819402768]],
}


def test_the_official_recipe_gives_the_official_code_s_numbers(monkeypatch):
    """github.com/PeterHolderrieth/diamond_maps at d30f65c, weighted_diamond_maps/pipelines: the
    terms, weights and norms of FluxDiamondMap.py with SanaDiamondMap.py's likelihood, of the jump
    itself; t' and the bound of σ/α as for FLUX. Its formulas on one Gaussian, whose jump and
    posterior mean are linear, with the same x_t and noise."""
    monkeypatch.setattr(flow_map, "INTERVALS", 8)
    estimator = DiamondEstimator(4, "flow_map", snr=1.1, weights="reward", scale=2.0)
    step = standing({"d": estimator}, components=1, reward=Near())
    x = torch.tensor(OFFICIAL["x"]).double().requires_grad_()
    shift = Guidance(scale=20.0).shift(replace(step, x=x, known={}), {})
    torch.testing.assert_close(
        shift, torch.tensor(OFFICIAL["shift"]).double(), atol=1e-5, rtol=1e-6
    )


def test_settings_out_of_range_name_the_key():
    for key, bad in [("n", 0), ("snr", 0.5), ("nodes", 0), ("scale", -1.0)]:
        with pytest.raises(ValueError, match=f"{key} must be an? (integer|number) >= "):
            DiamondEstimator(**{key: bad})
    with pytest.raises(ValueError, match="weights must be one of posterior, reward"):
        DiamondEstimator(weights="rewards")
