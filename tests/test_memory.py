"""Peaks of memory on a CPU: what is needed for a while, by phase, and nothing that was left."""

import pytest
import torch

from bench.run.memory import RESET
from bench.run.meter import Meter
from methods.efr.lookahead import Lookahead

CPU = torch.device("cpu")
MIB = 2**20
pytestmark = pytest.mark.skipif(not RESET.exists(), reason="needs Linux's counter of the peak")


def held(mib: int) -> list[torch.Tensor]:
    """So many MiB in tensors too small for pages of their own: the C library keeps them."""
    return [torch.ones(16, 1024) for _ in range(16 * mib)]


def left(mib: int) -> torch.Tensor:
    """So many MiB are freed, below something that is not."""
    return [held(mib), torch.ones(16, 1024)][-1]


def above_resident(work) -> float:
    """MiB that ``work`` needs in target sampling."""
    meter = Meter(CPU)
    with meter.whole(), meter.phase("denoise"):
        work()
    return (meter.memory["target"] - meter.memory["resident"]) / MIB


def test_the_peak_rises_by_what_a_method_allocates_for_a_while():
    assert above_resident(lambda: None) < 5
    assert 195 < above_resident(lambda: held(200)) < 210


def test_what_an_earlier_larger_prompt_left_is_not_taken_for_memory_that_is_there_already():
    alone = above_resident(lambda: held(50))
    kept = left(200)
    after = above_resident(lambda: held(50))
    assert len(kept) and 45 < alone < 60 and abs(after - alone) < 5


def test_target_sampling_is_counted_apart_from_what_the_lookahead_needed_and_left():
    meter = Meter(CPU)
    with meter.whole():
        with meter.phase("prepare"):
            kept = left(200)
        with meter.phase("denoise"):
            held(50)
    resident = meter.memory["resident"]
    assert len(kept) and 190 < (meter.memory["allocated"] - resident) / MIB < 215
    assert 45 < (meter.memory["target"] - resident) / MIB < 60


def test_no_clock_runs_while_memory_is_read_and_handed_back(monkeypatch):
    import time

    import bench.run.memory as memory

    class Slow(type(memory.STATUS)):
        def read_bytes(self):
            time.sleep(0.05)
            return super().read_bytes()

    monkeypatch.setattr(memory, "STATUS", Slow(memory.STATUS))
    meter = Meter(CPU)
    with meter.whole(), meter.phase("denoise"):
        pass
    assert meter.seconds["total"] < 0.05


def test_where_the_counter_is_missing_memory_is_none(monkeypatch, tmp_path):
    import bench.run.memory as memory

    monkeypatch.setattr(memory, "RESET", tmp_path / "missing" / "clear_refs")
    meter = Meter(CPU)
    with meter.whole(), meter.phase("denoise"):
        pass
    assert meter.memory is None


def test_the_lookahead_shift_never_holds_a_difference_for_each_image_and_sample():
    g = torch.Generator().manual_seed(0)
    samples, x = torch.randn(800, 8192, generator=g), torch.randn(4, 8192, generator=g)
    rewards = torch.randn(800, generator=g)
    alpha, sigma, scale = 0.6, 0.8, 2.0
    estimate = Lookahead(samples, rewards, scale)

    def naive():
        d = (x[:, None] - alpha * samples[None]).square().sum(dim=-1) / (2 * sigma**2)
        weights = torch.softmax(scale * rewards - d, dim=-1) - torch.softmax(-d, dim=-1)
        return (weights[..., None] * samples[None]).sum(dim=1)

    torch.testing.assert_close(estimate.shift(x, alpha, sigma), naive(), rtol=1e-3, atol=1e-3)
    difference = 4 * samples.numel() * 4 / MIB
    assert above_resident(naive) > 1.9 * difference  # the difference and its square
    assert above_resident(lambda: estimate.shift(x, alpha, sigma)) < 0.05 * difference
