"""The noise ledger: a name decides a draw."""

from hashlib import blake2b

import numpy as np
import torch

from bench.noise import Ledger


def test_a_draw_depends_on_its_name_alone_and_not_on_what_was_drawn_before():
    first = Ledger(0, "a photo of a cat")((4, 3), "solver", 2, 7)
    ledger = Ledger(0, "a photo of a cat")
    for i in range(5):
        ledger((4, 3), "solver", i, 7)
    torch.manual_seed(123)
    np.random.seed(123)
    assert torch.equal(ledger((4, 3), "solver", 2, 7), first)


def test_several_draws_at_once_are_the_draws_one_by_one():
    ledger, keys = Ledger(3, "p"), [(2, 0, 5), (0, 1, 5), (2, 0, 5)]
    stacked = ledger.stack((4, 3), "solver", keys)
    for draw, key in zip(stacked, keys, strict=True):
        assert torch.equal(draw, ledger((4, 3), "solver", *key))
    name = "\x1f".join(["3", "p", "solver", "0", "1", "5"])  # what the ledger hashes
    digest = int.from_bytes(blake2b(name.encode(), digest_size=16).digest(), "big")
    anew = np.random.Generator(np.random.Philox(key=digest))
    assert (stacked[1].numpy() == anew.standard_normal((4, 3), dtype=np.float32)).all()


def test_every_part_of_the_name_changes_the_draw():
    base = Ledger(0, "p")((16,), "solver", 1, 2)
    others = [
        Ledger(1, "p")((16,), "solver", 1, 2),
        Ledger(0, "q")((16,), "solver", 1, 2),
        Ledger(0, "p")((16,), "initial", 1, 2),
        Ledger(0, "p")((16,), "solver", 2, 1),
        Ledger(0, "p")((16,), "solver", 12),
        Ledger(2**40, "p")((16,), "solver", 1, 2),
        Ledger(2**33, "p")((16,), "solver", 1, 2),
    ]
    draws = [base, *others]
    assert len({d.numpy().tobytes() for d in draws}) == len(draws)


def test_global_random_state_is_left_alone():
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(5)
    np.random.seed(5)
    Ledger(0, "p")((8,), "solver", 0)
    Ledger(0, "p").uniform(8, "resample", 0)
    assert torch.equal(torch.rand(3), expected[0])
    assert (np.random.rand(3) == expected[1]).all()


def test_draws_are_standard_normal_and_uniform_and_uncorrelated():
    ledger = Ledger(0, "p")
    x = torch.stack([ledger((1000,), "solver", i, 0) for i in range(100)])
    assert x.dtype == torch.float32
    assert abs(float(x.mean())) < 0.02 and abs(float(x.std()) - 1) < 0.02
    correlation = torch.corrcoef(x) - torch.eye(100)
    assert float(correlation.abs().max()) < 0.2
    u = ledger.uniform(10_000, "resample", 0)
    assert float(u.min()) >= 0 and float(u.max()) < 1 and abs(float(u.mean()) - 0.5) < 0.02
