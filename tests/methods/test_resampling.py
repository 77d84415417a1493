"""Resampling schemes and effective sample size."""

import pytest
import torch

from methods.resampling import SCHEMES, arranged, effective_sample_size, informative


@pytest.mark.parametrize("scheme", SCHEMES)
def test_resampling_is_unbiased(scheme):
    weights = torch.tensor([0.5, 0.25, 0.15, 0.1])
    g = torch.Generator().manual_seed(0)
    counts = torch.zeros(4)
    rounds = 4000
    for _ in range(rounds):
        ancestors = SCHEMES[scheme](weights, torch.rand(4, generator=g))
        assert ancestors.shape == (4,) and ancestors.dtype == torch.int64
        counts += torch.bincount(ancestors, minlength=4)
    torch.testing.assert_close(counts / rounds, 4 * weights, atol=0.06, rtol=0)


@pytest.mark.parametrize(("scheme", "slack"), [("systematic", 1), ("stratified", 2), ("ssp", 1)])
def test_counts_differ_from_the_expected_by_less_than(scheme, slack):
    g = torch.Generator().manual_seed(1)
    for _ in range(200):
        weights = torch.softmax(2 * torch.randn(8, generator=g), 0)
        counts = torch.bincount(SCHEMES[scheme](weights, torch.rand(8, generator=g)), minlength=8)
        assert ((counts - 8 * weights).abs() < slack + 1e-6).all()


def test_residual_keeps_the_whole_part_of_each_expected_count():
    g = torch.Generator().manual_seed(2)
    for _ in range(200):
        weights = torch.softmax(2 * torch.randn(8, generator=g), 0)
        ancestors = SCHEMES["residual"](weights, torch.rand(8, generator=g))
        counts = torch.bincount(ancestors, minlength=8)
        assert (counts >= (8 * weights).floor()).all() and len(ancestors) == 8


def test_equal_weights_keep_everyone_where_the_scheme_promises_it():
    uniform = torch.tensor([0.3, 0.9, 0.1, 0.6, 0.2])
    for scheme in ("systematic", "stratified", "residual", "ssp"):
        assert SCHEMES[scheme](torch.full((5,), 0.2), uniform).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("weights", "uniform", "copies"),
    [  # of das/smc_utils.py, krafton-ai/DAS at 2f4b223, with these numbers for its random ones
        ([30, 36, 58, 44], [0.54, 0.94, 0.82, 0.0], [0, 1, 2, 1]),
        ([24, 51, 33, 2], [0.73, 0.18, 0.86, 0.54], [1, 2, 1, 0]),
        ([25, 29, 43, 53, 5, 56], [0.36, 0.57, 0.32, 0.59, 0.34, 0.39], [0, 1, 1, 2, 0, 2]),
        (
            [20, 53, 16, 14, 43, 37, 3, 5],
            [0.83, 0.79, 0.24, 0.88, 0.06, 0.34, 0.15, 0.45],
            [1, 2, 0, 1, 2, 1, 0, 1],
        ),
        (
            [38, 7, 31, 38, 46, 55, 25, 26],
            [0.95, 0.5, 0.43, 0.62, 1.0, 0.95, 0.46, 0.76],
            [2, 0, 1, 1, 1, 1, 1, 1],
        ),
    ],
)
def test_ssp_makes_the_copies_that_das_s_code_makes(weights, uniform, copies):
    ancestors = SCHEMES["ssp"](torch.tensor(weights), torch.tensor(uniform))
    assert torch.bincount(ancestors, minlength=len(weights)).tolist() == copies


def test_ssp_loses_no_particle_to_rounding():
    g = torch.Generator().manual_seed(6)
    for n in (1, 2, 7, 33, 200):
        for _ in range(20):
            weights = torch.softmax(5 * torch.randn(n, generator=g), 0)
            assert len(SCHEMES["ssp"](weights, torch.rand(n, generator=g))) == n


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_weight_of_one_takes_every_particle(scheme):
    weights = torch.tensor([0.0, 0.0, 1.0, 0.0])
    for u in (0.0, 0.5, 1 - 1e-9):
        uniform = torch.full((4,), u, dtype=torch.float64)
        assert SCHEMES[scheme](weights, uniform).tolist() == [2, 2, 2, 2]


def test_variance_falls_from_multinomial_to_systematic():
    g = torch.Generator().manual_seed(3)
    weights = torch.softmax(torch.randn(50, generator=g), 0)

    def variance(scheme):
        counts = [
            torch.bincount(SCHEMES[scheme](weights, torch.rand(50, generator=g)), minlength=50)
            for _ in range(400)
        ]
        return float(torch.stack(counts).double().var(dim=0).sum())

    assert variance("systematic") < variance("residual") < variance("multinomial")


def test_effective_sample_size_runs_from_one_to_n():
    assert float(effective_sample_size(torch.zeros(5))) == pytest.approx(5)
    assert float(effective_sample_size(torch.tensor([1000.0, 0, 0]))) == pytest.approx(1)


def test_weights_that_differ_by_rounding_tell_nothing():
    assert not informative(torch.full((4,), 7.3).double())
    assert not informative(torch.tensor([1.0, 1.0 + 1e-12]).double())
    assert informative(torch.tensor([1.0, 1.01]).double())


def test_survivors_keep_their_places_and_copies_fill_those_of_the_dead():
    g = torch.Generator().manual_seed(4)
    for _ in range(100):
        weights = torch.softmax(2 * torch.randn(12, generator=g), 0)
        ancestors = SCHEMES["systematic"](weights, torch.rand(12, generator=g))
        placed = arranged(ancestors, torch.rand(12, generator=g))
        assert sorted(placed.tolist()) == sorted(ancestors.tolist())
        for survivor in set(ancestors.tolist()):
            assert placed[survivor] == survivor


def test_copies_are_spread_and_not_put_beside_each_other():
    g = torch.Generator().manual_seed(5)
    ancestors = torch.tensor([0, 0, 0, 0, 8, 8, 8, 8, 8, 9, 10, 11])
    seen = {tuple(arranged(ancestors, torch.rand(12, generator=g)).tolist()) for _ in range(50)}
    assert len(seen) > 20
