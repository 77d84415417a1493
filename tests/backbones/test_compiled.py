"""torch.compile: every call of a denoiser is compiled, in few graphs, or an error says so."""

from functools import partial
from itertools import product

import pytest
import torch

from bench.backbones.compiled import compiled
from bench.errors import BenchError


class Denoiser(torch.nn.Module):
    def forward(self, x, t, text, added=None):
        return x * t[:, None] + text.mean(1) + added["pooled"]


@pytest.fixture
def ran(monkeypatch):
    """A line for each run of a graph, its number; graphs are run as they are."""
    lines, graphs = [], []

    def backend(graph, inputs):
        graphs.append(graph)
        number = len(graphs)
        return lambda *given: lines.append(number) or graph.forward(*given)

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    torch._dynamo.reset()
    with torch._dynamo.config.patch(recompile_limit=8, fail_on_recompile_limit_hit=False):
        yield lines  # torch's own settings, and again after the test
    torch._dynamo.reset()


def calls(denoiser):
    """What methods ask of a denoiser: with and without gradients, of latents and of texts, which
    are shared or not, at the batch sizes of the ladder. How many calls these are."""
    sizes, either = (1, 2, 4, 8, 3), (False, True)
    every = [*product((False,), either, (False,), (False,), sizes)]
    every += product((True,), either, either, either, sizes)
    for graded, shared, of_x, of_text, count in every:
        x = torch.randn(count, 4, requires_grad=of_x)
        text = torch.randn(1, 3, 4).expand(count, -1, -1) if shared else torch.randn(count, 3, 4)
        text = text.detach().requires_grad_(of_text)
        with torch.set_grad_enabled(graded):
            given = x, torch.full((count,), 3.0), text, {"pooled": text[:, 0]}
            assert torch.equal(denoiser(*given), Denoiser()(*given))
    return len(every)


def test_every_call_runs_a_graph_that_serves_many_batch_sizes(ran):
    assert calls(compiled(Denoiser())) == len(ran)
    assert max(ran) == 10, "one sample, and more, of five kinds of gradients"


def test_where_torch_gives_up_compiling_the_call_says_so(ran):
    denoiser = compiled(Denoiser())
    torch._dynamo.config.recompile_limit = 2
    with pytest.raises(BenchError, match=r"made 2 graphs of Denoiser and gives up.*compile=false"):
        calls(denoiser)
