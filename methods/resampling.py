"""Resampling schemes of sequential Monte Carlo, as pure functions of weights and uniform numbers.

Each takes ``weights`` (N,) >= 0 and ``uniform`` (N,) in [0, 1) and returns ancestors (N,): particle
i of expected multiplicity N·w_i / Σw.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def effective_sample_size(log_w: Tensor) -> Tensor:
    """(Σ w)² / Σ w² along the last axis, in [1, N]."""
    w = torch.softmax(log_w, dim=-1)
    return 1 / w.square().sum(dim=-1)


def informative(log_w: Tensor) -> bool:
    """Whether weights (N,) tell particles apart, beyond rounding."""
    return bool((log_w.max() - log_w.min()) > 1e-9 * (1 + log_w.abs().max()))


def _pick(weights: Tensor, pointers: Tensor) -> Tensor:
    """The particle under each pointer in [0, 1) on the cumulated weights."""
    cumulative = weights.double().cumsum(0)
    index = torch.searchsorted(cumulative / cumulative[-1], pointers, right=True)
    return index.clamp(max=len(weights) - 1)


def multinomial(weights: Tensor, uniform: Tensor) -> Tensor:
    """N independent draws."""
    return _pick(weights, uniform.double())


def stratified(weights: Tensor, uniform: Tensor) -> Tensor:
    """One draw in each of N equal strata."""
    n = len(weights)
    return _pick(weights, (torch.arange(n, dtype=torch.float64) + uniform.double()) / n)


def systematic(weights: Tensor, uniform: Tensor) -> Tensor:
    """One uniform number, N evenly spaced pointers."""
    return stratified(weights, uniform[:1])


def residual(weights: Tensor, uniform: Tensor) -> Tensor:
    """⌊N w_i⌋ copies for certain, the rest drawn from what is left over."""
    n = len(weights)
    expected = n * weights.double() / weights.double().sum()
    certain = (expected + 1e-12).floor()
    copies = torch.repeat_interleave(torch.arange(n), certain.long())[:n]
    left = (expected - certain).clamp(min=0)
    if len(copies) == n:
        return copies
    return torch.cat([copies, _pick(left, uniform[: n - len(copies)].double())])


def ssp(weights: Tensor, uniform: Tensor) -> Tensor:
    """Srinivasan's sampling process (Gerber, Chopin & Whiteley, Ann. Statist. 47, 2019): ⌊N w_i⌋ or
    one copy more, as DAS's official code resamples.

    Two particles with a fractional part at a time: what one loses the other gains, until one of
    them is whole, so that every expected count stays as it is.
    """
    n = len(weights)
    expected = n * weights.double() / weights.double().sum()
    copies = (expected + 1e-12).floor()
    left = (expected - copies).clamp(min=0).tolist()
    counts, draws = copies.long().tolist(), uniform.double().tolist()
    rising, falling = 0, 1
    for k in range(n - 1):
        up = min(left[falling], 1 - left[rising])
        down = min(left[rising], 1 - left[falling])
        if up + down > 0 and draws[k] < up / (up + down):
            rising, falling, up = falling, rising, down
        if left[falling] < 1 - left[rising]:
            left[rising] += up
            falling = k + 2
        else:
            left[falling] -= up
            counts[rising] += 1
            rising = k + 2
    last = min(rising, falling)  # rounding may leave one copy to the particle that was not settled
    counts[last] += n - sum(counts)
    return torch.repeat_interleave(torch.arange(n), torch.tensor(counts))


def arranged(ancestors: Tensor, order: Tensor) -> Tensor:
    """The same ancestors (N,), every survivor in its own place, further copies in the places of the
    dead, in an order drawn by ``order`` (N,), so that copies of one particle are not
    placed side by side."""
    n = len(ancestors)
    copies = torch.bincount(ancestors, minlength=n)
    further = torch.repeat_interleave(torch.arange(n), (copies - 1).clamp(min=0))
    places = torch.arange(n)
    places[copies == 0] = further[order[: len(further)].argsort()]
    return places


def best(rewards: Tensor, n: int) -> Tensor:
    """Of every n neighbours the index of the highest, the first of equals: (B,) -> (B/n,)."""
    groups = rewards.reshape(-1, n)
    return torch.arange(len(groups), device=groups.device) * n + groups.argmax(dim=1)


SCHEMES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "systematic": systematic,
    "multinomial": multinomial,
    "stratified": stratified,
    "residual": residual,
    "ssp": ssp,
}
