"""Batches that fit: what is halved when memory runs out, and that images stay what they were."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from bench.backbones.latent import Limits
from bench.errors import BenchError
from bench.run.attempt import is_device_lost
from bench.run.fit import batch, measure_fitting, smaller
from bench.run.measure import Task, measure
from bench.run.meter import Call
from methods.efr import LookaheadEstimator, TweedieEstimator
from methods.method import Method
from methods.steer import BestOfN, Embedding, Guidance, Smc

LOOKAHEAD = LookaheadEstimator(n=6, solver="dpm", steps=2, scale=2.0)
UG = Method("ug", {"tweedie": TweedieEstimator(scale=1.0)}, {"guidance": Guidance()})
LIDAR = Method("lidar", {"lookahead": LOOKAHEAD}, {"guidance": Guidance()})
DATE = Method("date", {}, {"embedding": Embedding()})
BON = Method("best_of_n", {}, {"best_of_n": BestOfN(2)})
LGD = Method("lgd", {"tweedie": TweedieEstimator(1.0, perturbations=2)}, {"guidance": Guidance()})
FK = Method("fk_smc", {"tweedie": TweedieEstimator(scale=1.0)}, {"smc": Smc()})
DAS = Method(
    "das", {"tweedie": TweedieEstimator(scale=1.0)}, {"guidance": Guidance(), "smc": Smc()}
)


def task(problem, **changes):
    return replace(Task(problem.backbone, problem.reward, "ddpm", 4, 4, 0), **changes)


class Decoder:
    """A pipeline's, which holds ``most`` samples in a call."""

    def __init__(self, vae, most):
        self.vae, self.most = vae, most

    def __getattr__(self, name):
        return getattr(self.vae, name)

    def decode(self, latents):
        if len(latents) > self.most:
            raise torch.OutOfMemoryError("tried to allocate more than there is")
        return self.vae.decode(latents)


def holding(problem, most, decoded=64, error=None, sizes=None):
    """A task on a device that holds ``most`` samples in a call of the denoiser, ``decoded`` in one
    of the decoder; ``sizes`` takes down those of the denoiser's calls."""
    sizes = [] if sizes is None else sizes

    class Small(type(problem.backbone)):
        def __post_init__(self):
            super().__post_init__()
            self.vae = Decoder(self.vae, decoded)

        def _call(self, x, *rest):
            sizes.append(len(x))
            if len(x) > most:
                raise error or torch.OutOfMemoryError("tried to allocate more than there is")
            return super()._call(x, *rest)

    full = problem.backbone
    return task(problem, backbone=Small(full.pipeline, full.solvers, full.guidance))


@pytest.mark.parametrize("method", [UG, LIDAR, DATE, BON, LGD], ids=lambda m: m.name)
@pytest.mark.parametrize("together", [1, 3])
def test_images_sampled_apart_are_the_images_sampled_together(problem, method, together):
    whole = measure(task(problem), method, problem.prompt)
    parts = measure(task(problem, together=together), method, problem.prompt)
    difference = whole.delivered.astype(int) - parts.delivered.astype(int)
    assert abs(difference).max() <= 1  # a rounding of the last of eight bits
    assert parts.calls == whole.calls, "what is drawn once per prompt is not drawn again"


def test_a_method_that_differentiates_gives_up_images_first(problem):
    """Under guidance a pair of images is four samples."""
    start = holding(problem, 4)
    measured, fitted = measure_fitting(start, UG, problem.prompt)
    assert batch(fitted) == {"images": 2, "denoiser": 64, "decoder": 64}
    assert measured.delivered.shape[0] == 4


def test_a_method_without_derivative_gives_up_the_size_of_a_call(problem):
    measured, fitted = measure_fitting(holding(problem, 4), LIDAR, problem.prompt)
    assert batch(fitted) == {"images": 4, "denoiser": 4, "decoder": 64}
    again = measure(task(problem), LIDAR, problem.prompt)
    difference = measured.delivered.astype(int) - again.delivered.astype(int)
    assert abs(difference).max() <= 1


def test_coupled_images_are_never_sampled_apart(problem):
    for method in (FK, DAS):
        assert method.joint
        with pytest.raises(ValueError, match=f"{method.name} couples a prompt's images"):
            measure(task(problem, together=2), method, problem.prompt)
    _, fitted = measure_fitting(holding(problem, 4), FK, problem.prompt)
    assert fitted.together is None and fitted.backbone.limits == Limits(4, 64)


@pytest.mark.parametrize("method", [LIDAR, UG, BON, FK], ids=lambda m: m.name)
def test_every_attempt_makes_the_call_that_failed_smaller(problem, method):
    """From the batches that were really used, however far the limits lie above them."""
    sizes = []
    measure_fitting(holding(problem, 2, sizes=sizes), method, problem.prompt)
    failed = [size for size in sizes if size > 2]
    assert len(failed) >= 2 and all(a > b for a, b in pairwise(failed)), failed


def test_the_part_that_failed_is_made_smaller_and_the_other_left_alone(problem):
    _, fitted = measure_fitting(holding(problem, 64, decoded=1), LIDAR, problem.prompt)
    assert fitted.backbone.limits == Limits(64, 1)


def test_where_no_call_failed_the_denoiser_and_the_decoder_are_made_smaller_in_turn(problem):
    """As a reward that runs out of memory: what else is held there may be in its way."""
    seen = []

    class Greedy(type(problem.reward)):
        def __call__(self, images, prompt):
            seen.append(None)
            if len(seen) <= 2:
                raise torch.OutOfMemoryError("tried to allocate more than there is")
            return super().__call__(images, prompt)

    _, fitted = measure_fitting(task(problem, reward=Greedy()), LIDAR, problem.prompt)
    assert fitted.backbone.limits == Limits(6, 3), "of six lookahead samples, each of them guided"


@pytest.mark.parametrize(
    "words",
    [
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "GET was unable to find an engine to execute this computation",
    ],
)
def test_memory_that_runs_out_in_a_library_is_told_from_a_device_that_is_lost(problem, words):
    error = RuntimeError(words)
    assert not is_device_lost(error)
    _, fitted = measure_fitting(holding(problem, 4, error=error), LIDAR, problem.prompt)
    assert fitted.backbone.limits.denoiser == 4
    lost = RuntimeError("CUDA error: an illegal memory access was encountered")
    assert is_device_lost(lost)
    with pytest.raises(RuntimeError, match="an illegal memory access"):
        measure_fitting(holding(problem, 4, error=lost), LIDAR, problem.prompt)


def test_coupled_images_are_differentiated_one_at_a_time_where_no_graph_of_more_fits(problem):
    class Small(type(problem.backbone)):
        def _call(self, x, *rest):
            if x.requires_grad and len(x) > 2:  # under guidance two samples for each particle
                raise torch.OutOfMemoryError("tried to allocate more than there is")
            return super()._call(x, *rest)

    full = problem.backbone
    start = task(problem, backbone=Small(full.pipeline, full.solvers, full.guidance))
    measured, fitted = measure_fitting(start, DAS, problem.prompt)
    assert batch(fitted) == {"images": 4, "denoiser": 64, "decoder": 64, "graph": 1}
    whole = measure(task(problem), DAS, problem.prompt)
    assert measured.calls == whole.calls
    difference = measured.delivered.astype(int) - whole.delivered.astype(int)
    assert abs(difference).max() <= 1


def test_where_one_sample_is_too_much_the_message_says_so(problem):
    with pytest.raises(BenchError, match=r"too little memory for lidar on cpu, one sample at a"):
        measure_fitting(holding(problem, 0), LIDAR, problem.prompt)


def test_populations_of_one_image_s_candidates_are_not_coupled():
    own = Method("own", FK.estimators, {"smc": Smc(particles=2), "best_of_n": BestOfN(2)})
    assert not own.joint


def test_batches_only_get_smaller(problem):
    current, seen = task(problem), []
    while current is not None:
        seen.append(tuple(batch(current).values()))
        current = smaller(current, UG, Call("denoiser", rows=3, each=2))
    assert seen == [(4, 64, 64), (2, 64, 64), (1, 64, 64), (1, 4, 64), (1, 2, 64)]
