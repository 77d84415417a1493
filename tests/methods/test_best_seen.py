"""The best seen on the way: whose it is, what is kept of it, how it is asked for."""

from dataclasses import dataclass, replace

import pytest
import torch

from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from methods.base import Estimator, Steer
from methods.efr.lookahead import LookaheadEstimator
from methods.efr.rollout import RolloutEstimator
from methods.efr.tweedie import TweedieEstimator
from methods.method import Method
from methods.sample import sample
from methods.seen import Scored, Seen
from methods.steer.best_of_n import BestOfN
from methods.steer.guidance import Guidance
from methods.steer.smc import Smc


def scored(rewards, at=0.0):
    rewards = torch.tensor(rewards).double()
    latents = torch.stack([rewards, torch.full_like(rewards, at)], dim=1)
    return Scored(latents, 10 * latents, rewards)


def test_each_image_keeps_the_first_of_its_best_with_latents_and_picture():
    seen = Seen(3)
    seen.note(scored([1.0, 5.0, 5.0, 2.0], at=1), [0, 0, 0, 2])
    seen.note(scored([5.0, 3.0], at=2), [0, 2])
    seen.note(scored([4.0], at=3), [1])
    found = seen.better(scored([-9.0, -9.0, 3.5], at=9), first=0)
    assert found.rewards.tolist() == [5, 4, 3.5]
    assert found.latents.tolist() == [[5, 1], [4, 3], [3.5, 9]]
    assert torch.equal(found.images, 10 * found.latents)


def test_samples_of_the_prompt_are_dealt_out_each_to_one_image():
    seen = Seen(3)
    seen.share(scored([1.0, 7.0]))
    seen.share(scored([9.0, 3.0, 8.0]))
    whole = seen.better(scored([0.0, 0.0, 7.5]), first=0)
    assert whole.rewards.tolist() == [9, 8, 7.5]
    parts = [seen.better(scored([0.0]), first=k).rewards.item() for k in range(3)]
    assert parts == [9, 8, 7]
    few = Seen(3)
    few.share(scored([4.0]))
    assert few.better(scored([0.0, 1.0, 2.0]), first=0).rewards.tolist() == [4, 1, 2]


def test_what_has_no_finite_reward_is_never_the_best_and_no_graph_is_kept():
    seen, rewards = Seen(1), torch.tensor([torch.nan, torch.inf, 1.0], requires_grad=True)
    seen.note(Scored(torch.arange(3.0), torch.arange(3.0), rewards), [0, 0, 0])
    found = seen.better(Scored(*torch.zeros(3, 1)), first=0)
    assert found.rewards.item() == 1 and found.latents.item() == 2
    assert not found.rewards.requires_grad


def ways(best_seen=True, n=3, **steers):
    """Rollouts guide, so several samples are scored for each of several candidates."""
    steers = {"guidance": Guidance(0.5), "best_of_n": BestOfN(n), **steers}
    return Method("ways", {"r": RolloutEstimator(2, 2, 1.0)}, steers, best_seen=best_seen)


@dataclass(frozen=True)
class Marked(Estimator):
    """Scores points that say whose they are: (image, candidate + sample/10), four of each."""

    requires = frozenset()
    scale: float = 1.0

    def value(self, step, ready):
        names = torch.tensor([name[:2] for name in step.problem.names(len(step.x))]).double()
        points = names.repeat_interleave(4, dim=0)
        points[:, 1] += torch.arange(4).repeat(len(names)) / 10
        return step.problem.score(points).reshape(-1, 4).amax(dim=1)


@dataclass(frozen=True)
class Asking(Steer):
    """Asks values at each step and at what lies ahead; differentiates nothing, but says so."""

    requires = frozenset({"value", "derivative"})
    efr: str | None = None

    def shift(self, step, memory):
        step.value(self.efr)

    def after(self, step, memory):
        if step.index < step.steps - 1:
            noise = step.normal((2, *step.x.shape[1:]), "ahead").flatten(0, 1)
            of = torch.arange(len(step.x)).repeat_interleave(2)
            step.ahead(noise[: len(of)], of).value(self.efr)


@dataclass(frozen=True)
class HighestCandidate:
    """Marked points score above all samples, by their candidate and number."""

    name: str = "marked"
    differentiable: bool = True

    def __call__(self, images, prompt):
        return torch.where(images[:, 1] % 0.1 < 1e-6, images[:, 1], -99.0)


@pytest.mark.parametrize("graph", [None, 1, 2, 5])
@pytest.mark.parametrize("together", [None, 2])
def test_a_sample_belongs_to_the_image_of_its_particle(graph, together, on_mixture):
    method = Method("m", {"e": Marked()}, {"ask": Asking(), "best": BestOfN(3)}, best_seen=True)
    problem = replace(on_mixture(images=5, graph=graph), reward=HighestCandidate())
    found = sample(problem, method, together=together).latents
    expected = torch.tensor([[image, 2.3] for image in range(5)]).double()
    torch.testing.assert_close(found, expected)


def test_of_several_candidates_and_rollouts_the_best_of_their_image_is_delivered(on_mixture):
    problem = on_mixture(images=3)
    rewards = problem.score_images(sample(problem, ways()).images)
    one = [sample(problem, ways(), together=1).images[k : k + 1] for k in range(3)]
    torch.testing.assert_close(rewards, problem.score_images(torch.cat(one)))
    own = problem.score_images(sample(problem, ways(best_seen=False)).images)
    assert (rewards >= own).all() and (rewards > own).any()


def test_lookahead_samples_and_a_resampled_population_are_seen(on_mixture):
    problem = on_mixture(images=6)
    estimators = {"lookahead": LookaheadEstimator(n=40, steps=4, scale=1.0)}
    lidar = Method("lidar", estimators, {"guidance": Guidance()}, best_seen=True)
    drawn = estimators["lookahead"].prepare(replace(problem, keep=True)).estimate
    best = drawn.rewards.sort(descending=True).values[:6]
    found = problem.score_images(sample(problem, lidar).images)
    assert (found >= best).all() and len(found.unique()) == 6
    smc = Method("smc", {"t": TweedieEstimator(1.0)}, {"smc": Smc(every=0.1)}, best_seen=True)
    own = sample(problem, replace(smc, best_seen=False)).images
    assert (problem.score_images(sample(problem, smc).images) >= problem.score_images(own)).all()


def test_it_is_asked_for_in_one_word_with_any_method():
    cell = make_cell(cell_settings(["method=ug", "method.best_seen=true"], []))
    assert cell.method.best_seen and cell.method.name == "ug"
    assert not make_cell(cell_settings(["method=ug"], [])).method.best_seen
