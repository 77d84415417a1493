"""pCNL: its steps as the official code's, its law by quadrature, the weights behind it."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from states import begun
from torch.distributions import MultivariateNormal
from torch.testing import assert_close

from methods.base import Estimator
from methods.efr import StudentEstimator
from methods.finals import Finals
from methods.method import Method
from methods.sample import Run, sample
from methods.state import Prepared
from methods.steer import Pcnl, Smc
from methods.steer.pcnl import Place, contraction

# Computed by running pCNL.run of github.com/KAIST-Visual-AI-Group/Psi-Sampler, file src/mcmc.py at
# commit 03b9a38, in double precision, alpha_mcmc = 0.8, step size 0.5, on r(z) = Σ sin 2z − 0.3 z_1
# z_2, from the "start" of two chains with this "noise" and "uniform"; "places" after each step.
PEER = json.loads((Path(__file__).parent / "peers" / "pcnl.json").read_text())
NUMBERS = {key: torch.tensor(value, dtype=torch.float64) for key, value in PEER.items()}


@dataclass(frozen=True)
class Known(Estimator):
    """V = scale · (Σ sin 2z − 0.3 z_1 z_2), of the noise itself."""

    scale: float = 1 / 0.8

    def value(self, step, ready):
        z = step.x
        return self.scale * ((2 * z).sin().sum(dim=1) - 0.3 * z[:, 0] * z[:, 1])


@dataclass(frozen=True)
class At:
    """A step of which nothing but x is asked."""

    x: torch.Tensor


@dataclass(frozen=True)
class Given:
    """A ledger of the peer's numbers."""

    def stack(self, shape, purpose, keys):
        if purpose == "initial":
            return torch.stack([NUMBERS["start"][image] for image, *_ in keys])
        return torch.stack([NUMBERS["noise"][number - 1, image] for image, _, number in keys])

    def uniform(self, count, purpose, image, candidate, number):
        return NUMBERS["uniform"][number - 1, image].reshape(1)


class Started(Run):
    """A run that tells from where it was started, and samples nothing."""

    def __call__(self, x, tilt=None):
        self.x, self.tilt = x, tilt
        return Finals(self.problem, x)


def started(problem, steer, estimator):
    method = Method("p", {"e": estimator}, {"pcnl": steer})
    run = Started(problem, method, prepared(problem, method))
    finals = steer.sample(run)
    return run.x, run.tilt, finals.info


def prepared(problem, method):
    return Prepared(
        method.estimators, {k: e.prepare(problem) for k, e in method.estimators.items()}
    )


@pytest.mark.parametrize("graph", [None, 1])
def test_chains_go_where_the_official_code_s_go(graph, on_mixture):
    problem = on_mixture(images=2, noise=Given(), graph=graph)
    problem.backbone.latent_shape = (3,)
    for steps in range(1, 7):
        x, tilt, _ = started(problem, Pcnl(iterations=steps, burn_in=0), Known())
        assert_close(x, NUMBERS["places"][steps - 1], atol=1e-10, rtol=0)
        assert_close(tilt, Known().value(At(x), None), atol=1e-10, rtol=0)


def test_the_acceptance_is_metropolis_s_ratio_whatever_drives_the_proposal():
    g = torch.Generator().manual_seed(0)
    z, other, slope, back = torch.randn(4, 6, 3, generator=g).double()
    here, there, h = Place(z, torch.rand(6).double(), slope), Place(other, z[:, 0], back), 0.7
    rho, covariance = contraction(h), torch.eye(3).double() * (1 - contraction(h) ** 2)

    def log_joint(place, to):
        """log N(z; 0, 1) + V(z) + log q(to | z)."""
        prior = MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
        mean = rho * place.z + (1 - rho**2) ** 0.5 * h**0.5 / 2 * place.slope
        way = MultivariateNormal(mean, covariance).log_prob(to)
        return prior.log_prob(place.z) + place.value + way

    ours = there.log_joint(z, h) - here.log_joint(other, h)
    assert_close(ours, log_joint(there, z) - log_joint(here, other))


def test_the_chains_law_has_the_moments_that_quadrature_finds(on_mixture):
    """N(0, I) exp(V)/Z in two dimensions, with the drift clipped or not."""
    axis = torch.linspace(-6, 6, 601).double()
    grid = torch.cartesian_prod(axis, axis)
    value = Known().value(At(grid), None)
    weights = torch.softmax(value - grid.square().sum(dim=1) / 2, dim=0)
    functions = [
        lambda z: (2 * z[:, 0]).sin(),
        lambda z: z[:, 0] * z[:, 1],
        lambda z: z.square().sum(dim=1),
    ]
    problem = on_mixture(images=1000)
    for clip in (None, 0.5):
        x, _, info = started(problem, Pcnl(iterations=25, burn_in=0, clip=clip), Known())
        assert 0.3 < sum(info["accepted"]) / 1000 < 0.95
        for f in functions:
            exact = (weights * f(grid)).sum()
            spread = ((weights * f(grid).square()).sum() - exact**2).sqrt() / 1000**0.5
            assert abs(f(x).mean() - exact) < 4 * spread
            if f is functions[0]:
                assert abs(f(problem.initial(1000)).mean() - exact) > 10 * spread


def test_without_a_reward_every_proposal_is_accepted(on_mixture):
    _, tilt, info = started(on_mixture(images=3), Pcnl(iterations=5, burn_in=0), Known(scale=0.0))
    assert info["accepted"] == [1.0, 1.0, 1.0] and not tilt.any()


def test_particles_that_share_a_chain_are_its_states_behind_the_burn_in(on_mixture):
    steer = Pcnl(iterations=8, burn_in=2, share=3)
    assert steer.kept == [4, 6, 8]
    shared, tilt, info = started(on_mixture(images=6), steer, Known())
    assert len(info["accepted"]) == 2 and tilt.shape == (6,)
    for place, steps in enumerate(steer.kept):
        alone, *_ = started(on_mixture(images=6), Pcnl(iterations=steps, burn_in=0), Known())
        assert_close(shared[place::3], alone[::3])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"step_size": 0.0}, r"step_size must be in \(0, 4\], got 0"),
        ({"iterations": 25}, "iterations must be an integer >= 26, got 25"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Pcnl(**settings)


def test_a_chain_s_share_must_divide_the_particles():
    with pytest.raises(ValueError, match="share must divide the 4 particles of a prompt, got 3"):
        Pcnl(share=3).check({}, 4)


def test_from_chains_on_the_ode_s_own_map_an_ode_draws_the_tilted_target(on_mixture):
    """x_T ∝ N(0, I) exp(λ r(x_0(x_T))), and the ODE takes it to x_0 ∝ p(x_0) exp(λ r(x_0))."""
    problem = on_mixture(images=500, solver="dpm", steps=20)
    method = Method(
        "p", {"s": StudentEstimator("flow_map", scale=1.0)}, {"pcnl": Pcnl(iterations=26)}
    )
    prior = problem.condition.prior
    tilted = prior.tilted(problem.reward.closed_form(problem.prompt, prior), 1.0)[1]
    plain, found = (sample(problem, m).latents.mean(0) for m in (Method("vanilla"), method))
    exact = (tilted.log_weights.softmax(-1).reshape(-1, 1) * tilted.means.reshape(-1, 2)).sum(0)
    assert (found - exact).norm() < 0.1 < 1 < (plain - exact).norm()


def test_a_population_that_was_started_by_a_tilt_takes_it_back_in_its_weights(on_mixture):
    problem = on_mixture(images=3)
    steer = Smc()
    assert not begun(problem, steer, {"e": Known()})["log_w"].any()
    run = Run(problem, Method("s", {}, {"smc": steer}), tilt=torch.tensor([1.0, -2.0, 0.5]))
    assert steer.begin(run)["log_w"].tolist() == [-1.0, 2.0, -0.5]
