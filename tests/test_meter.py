"""The meter: phases add up, backward calls are counted when they happen."""

import time

import torch

from bench.run.measure import Task, measure
from bench.run.meter import Meter
from bench.store.schema import PHASES
from methods.method import Method


def test_phase_seconds_add_up_to_the_wall_clock():
    meter = Meter(torch.device("cpu"))
    with meter.whole():
        for phase in PHASES:
            with meter.phase(phase):
                time.sleep(0.02)
        time.sleep(0.01)
    assert all(meter.seconds[p] >= 0.02 for p in PHASES)
    assert meter.seconds["other"] >= 0.01
    assert sum(meter.seconds[p] for p in (*PHASES, "other")) == meter.seconds["total"]


def test_a_phase_entered_twice_is_summed():
    meter = Meter(torch.device("cpu"))
    for _ in range(2):
        with meter.phase("decode"):
            time.sleep(0.01)
    assert meter.seconds["decode"] >= 0.02


def test_backward_is_counted_only_when_a_gradient_passes():
    meter = Meter(torch.device("cpu"))
    x = torch.ones(3, requires_grad=True)
    with meter.phase("denoise"):
        used = meter.count("denoiser", 3, 2 * x)
        meter.count("decode", 3, 2 * x)
        with torch.no_grad():
            meter.count("reward", 3, 2 * x)
    used.sum().backward()
    calls = meter.calls["denoise"]
    assert (calls["denoiser"], calls["denoiser_backward"]) == (3, 3)
    assert (calls["decode"], calls["decode_backward"]) == (3, 0)
    assert (calls["reward"], calls["reward_backward"]) == (3, 0)


def test_measuring_covers_text_to_host_images(problem):
    task = Task(problem.backbone, problem.reward, "ddim", 2, 3, 0)
    began = time.perf_counter()
    measured = measure(task, Method("vanilla"), "a photo of a dog")
    outer = time.perf_counter() - began
    assert measured.delivered.shape == (3, 8, 8, 3) and measured.delivered.dtype == "uint8"
    assert 0.8 * outer < measured.seconds["total"] <= outer
    assert measured.calls["denoise"]["denoiser"] == 2 * 3 * 2
    assert abs(measured.seconds["other"]) < 0.05 * outer + 0.01
