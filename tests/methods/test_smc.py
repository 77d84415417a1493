"""SMC's arithmetic apart from the loop: potentials, corrections, what is carried and what used."""

from dataclasses import dataclass

import pytest
import torch
from states import begun

from methods.base import Steer
from methods.efr import TweedieEstimator
from methods.method import Method
from methods.potentials import POTENTIALS, log_weights, proposal_correction
from methods.resampling import effective_sample_size
from methods.sample import sample
from methods.steer.smc import LAST, Smc, share_for


@pytest.mark.parametrize("potential", POTENTIALS)
def test_the_potentials_telescope_to_the_final_reward(potential):
    rewards = torch.tensor([[0.3, -1.0, 2.0], [0.1, 0.4, 1.0], [1.2, -0.5, 0.0]]).double()
    scale, final = 3.0, torch.tensor([0.7, -0.2, 1.5]).double()
    start = float("-inf") if potential == "max" else 0.0
    previous, product = torch.full((3,), start).double(), torch.zeros(3).double()
    for r in rewards:
        log_g, previous = log_weights(r, previous, product, potential, scale, False)
        product = product + log_g
    log_g, _ = log_weights(final, previous, product, potential, scale, True)
    torch.testing.assert_close(product + log_g, scale * final)


def test_each_potential_equals_its_definition():
    history = torch.tensor([[1.0], [-2.0], [0.5]])
    expected = {
        "difference": [1.0, -3.0, 2.5],
        "sum": [1.0, -1.0, -0.5],
        "max": [1.0, 1.0, 1.0],
        "plain": [1.0, -2.0, 0.5],
    }
    for potential, wanted in expected.items():
        previous = torch.tensor([float("-inf") if potential == "max" else 0.0])
        got = []
        for r in history:
            log_g, previous = log_weights(r, previous, torch.zeros(1), potential, 1.0, False)
            got.append(float(log_g))
        assert got == wanted, potential


def test_the_correction_is_the_ratio_of_the_two_gaussian_transitions():
    g = torch.Generator().manual_seed(0)
    shift, noise = (torch.randn(5, 2, 3, generator=g).double() for _ in range(2))
    slope, std = 0.7, 0.3
    plain = torch.randn(5, 2, 3, generator=g).double()  # p's mean
    moved = plain + slope * shift
    arrived = moved + std * noise
    p, q = (
        torch.distributions.Normal(m, std).log_prob(arrived).sum((1, 2)) for m in (plain, moved)
    )
    torch.testing.assert_close(proposal_correction(shift, noise, slope, std), p - q)


def test_the_step_s_slope_and_noise_are_the_solver_s(on_mixture, backbone):
    """∂x_s/∂x̄_0 and the standard deviation against differences of the solver's own steps."""
    for world, index in ((on_mixture().backbone, 4), (backbone, 2), (backbone, 9)):
        noise = torch.randn(3, *world.latent_shape, generator=torch.Generator().manual_seed(1))
        x0, x, z = noise.double(), 2 * noise.double(), -noise.double()

        def moved(x0, z, world=world, index=index, x=x):
            return world.solver("ddpm", 10).step(x0, index, x, z)

        slope, std = world.solver("ddpm", 10).transition(index)
        by_mean = moved(x0 + 1, z) - moved(x0, z)
        torch.testing.assert_close(by_mean, torch.full_like(x0, slope), atol=1e-5, rtol=1e-5)
        by_noise = moved(x0, z + 1) - moved(x0, z)
        torch.testing.assert_close(by_noise, torch.full_like(x0, std), atol=1e-5, rtol=1e-5)


def smc(on_mixture, **settings):
    """A steer on one population of six, its memory, and its resampling of them."""
    problem, steer = on_mixture(images=6), Smc(**settings)
    memory = begun(problem, steer, {"tweedie": TweedieEstimator(1.0)})
    return steer, memory, lambda log_w, step: steer.resampled(problem, memory, log_w, step, {})


def test_weights_that_were_not_used_are_carried_to_the_next_weighing(on_mixture):
    steer, memory, resampled = smc(on_mixture, adaptive=True, threshold=0.01)
    values = [torch.tensor([0.0, 0.3, -0.2, 0.1, 0.4, 0.0]), torch.full((6,), 0.5)]
    for value in values:
        log_w = steer.weighed(memory, value, final=False)
        assert resampled(log_w, 0) is None
    torch.testing.assert_close(memory["log_w"], values[1].double())  # the differences telescope


def test_the_last_weights_are_used_up_though_resampling_is_adaptive(on_mixture):
    """What is delivered is delivered with equal weight: no weight may be left over."""
    steer, memory, resampled = smc(on_mixture, adaptive=True, scheme="multinomial")
    log_w = steer.weighed(memory, torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0, 0.5]), final=True)
    assert log_w.any()
    resampled(log_w, LAST)
    assert not memory["log_w"].any()


def test_every_memory_follows_a_resampling_by_another_steer(on_mixture):
    """The loop reindexes what a steer remembers of each particle, whoever has resampled."""
    seen = []

    @dataclass(frozen=True)
    class Reversing(Steer):
        def select(self, step, memory):
            return torch.arange(len(step.x)).flip(0) if step.index == 3 else None

    @dataclass(frozen=True)
    class Watching(Steer):
        def begin(self, run):
            return {"mark": torch.arange(run.particles)}

        def after(self, step, memory):
            seen.append((memory["mark"].tolist(), step.x))

    method = Method("m", {}, {"watching": Watching(), "reversing": Reversing()})
    states = []
    sample(on_mixture(), method, observe=lambda step: states.append(step.x))
    assert [mark for mark, _ in seen[:3]] == [[0, 1, 2, 3]] * 3
    assert [mark for mark, _ in seen[3:]] == [[3, 2, 1, 0]] * 7
    assert torch.equal(seen[3][1], states[3].flip(0))


@pytest.mark.parametrize(
    ("previous", "values", "low", "share"),
    [  # of das/smc_utils.py's adaptive_tempering, krafton-ai/DAS at 2f4b223, where it converges
        ([0.7, 3.8, 15.4, 4.1, 1.3, 13.8], [1.4, 14.1, 57.5, 11.5, 4.2, 47.4], 0.29, 0.2986),
        ([6.1, 1.8, 2.2, 12.6, 3.2, 0.9], [33.3, 11.8, 5.3, 52.5, 14.8, 6.5], 0.25, 0.2559),
        ([1.0, 1.1, 13.2, 1.3, 1.7, 6.0], [6.5, 2.7, 54.9, 5.8, 9.2, 32.6], 0.24, 0.2474),
    ],
)
def test_an_adaptive_share_is_das_s(previous, values, low, share):
    previous, values = torch.tensor(previous).double(), torch.tensor(values).double()
    found = share_for(-previous, values, low, 3.0)
    assert found == pytest.approx(share, abs=2e-4)
    assert float(effective_sample_size(found * values - previous)) == pytest.approx(3, abs=1e-6)


def test_an_adaptive_share_never_falls_and_ends_at_the_whole_reward():
    values = torch.tensor([0.0, 1.0, 2.0, 3.0]).double()
    assert share_for(torch.zeros(4), 0.1 * values, 0.3, 2.0) == 1.0
    assert share_for(torch.tensor([0.0, 0, 0, 9]), values, 0.3, 2.0) == 0.3


def test_adaptive_tempering_raises_each_population_s_share_to_the_threshold(on_mixture):
    problem = on_mixture(images=40, steps=20)
    smc = Smc(20, every=0.1, start=0.1, stop=0.9, adaptive=True, tempering="adaptive")
    method = Method("m", {"tweedie": TweedieEstimator(20.0)}, {"smc": smc})
    info = sample(problem, method).info
    shares, sizes = torch.tensor(info["share"]), torch.tensor(info["ess"])
    assert shares.shape == (9, 2) and (shares[1:] >= shares[:-1]).all()
    rising = torch.cat([shares[:1] > 0, shares[1:] > shares[:-1]]) & (shares < 1)
    assert rising.any()
    torch.testing.assert_close(sizes[:-1][rising], torch.full_like(sizes[:-1][rising], 10.0))
    assert not torch.equal(shares[:, 0], shares[:, 1]), "each population finds its own"


def test_resampling_steps_are_the_paper_s_on_a_hundred_steps():
    assert Smc().resampling_steps(100) == {20, 40, 60, 80}
    assert Smc().resampling_steps(25) == {5, 10, 15, 20}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"potential": "diff"}, "did you mean 'difference'"),
        ({"scheme": "systemic"}, "did you mean 'systematic'"),
        ({"particles": 0}, "particles must be an integer >= 1"),
        ({"start": 0.9}, r"\[start, stop\]"),
        ({"tempering": -1.0}, "tempering must be a number >= 0"),
        ({"tempering": "adapted"}, "did you mean 'adaptive'"),
        ({"tempering": "adaptive", "potential": "max"}, "goes with potential: difference"),
    ],
)
def test_bad_settings_name_the_key_and_what_is_allowed(bad, message):
    with pytest.raises(ValueError, match=message):
        Smc(**bad)
