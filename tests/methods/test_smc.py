"""SMC's arithmetic apart from the loop: potentials, resampling, effective sample size."""

import pytest
import torch

from methods.resampling import SCHEMES, effective_sample_size
from methods.steer.smc import POTENTIALS, SmcSettings, log_weights


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


@pytest.mark.parametrize("scheme", SCHEMES)
def test_resampling_is_unbiased(scheme):
    weights = torch.tensor([0.5, 0.25, 0.15, 0.1])
    g = torch.Generator().manual_seed(0)
    counts = torch.zeros(4)
    rounds = 4000
    for _ in range(rounds):
        ancestors = SCHEMES[scheme](weights, torch.rand(4, generator=g))
        counts += torch.bincount(ancestors, minlength=4)
    torch.testing.assert_close(counts / rounds, 4 * weights, atol=0.06, rtol=0)


def test_systematic_counts_differ_from_the_expected_by_less_than_one():
    g = torch.Generator().manual_seed(1)
    for _ in range(200):
        weights = torch.softmax(2 * torch.randn(8, generator=g), 0)
        counts = torch.bincount(SCHEMES["systematic"](weights, torch.rand(8, generator=g)))
        padded = torch.nn.functional.pad(counts, (0, 8 - len(counts)))
        assert ((padded - 8 * weights).abs() < 1 + 1e-6).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_weight_of_one_takes_every_particle(scheme):
    weights = torch.tensor([0.0, 0.0, 1.0, 0.0])
    for u in (0.0, 0.5, 1 - 1e-9):
        uniform = torch.full((4,), u, dtype=torch.float64)
        assert SCHEMES[scheme](weights, uniform).tolist() == [2, 2, 2, 2]


def test_effective_sample_size_runs_from_one_to_n():
    assert float(effective_sample_size(torch.zeros(5))) == pytest.approx(5)
    assert float(effective_sample_size(torch.tensor([1000.0, 0, 0]))) == pytest.approx(1)


def test_resampling_steps_are_the_paper_s_on_a_hundred_steps():
    assert SmcSettings().resampling_steps(100) == {20, 40, 60, 80}
    assert SmcSettings().resampling_steps(25) == {5, 10, 15, 20}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"potential": "diff"}, "did you mean 'difference'"),
        ({"scheme": "systemic"}, "did you mean 'systematic'"),
        ({"particles": 0}, "particles must be an integer >= 1"),
        ({"start": 0.9}, r"\[start, stop\]"),
    ],
)
def test_bad_settings_name_the_key_and_what_is_allowed(bad, message):
    with pytest.raises(ValueError, match=message):
        SmcSettings(**bad)
