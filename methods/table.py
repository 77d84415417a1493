"""A finite table of strings, where the expected future reward is known exactly.

Beside the Gaussian mixture, for tokens: conditioning the table on x_t and tilting it by exp(λ r)
only change the strings' weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Table:
    """``log_weights`` (…, N) of the strings ``points`` (N, L, K), one-hot.

    The leading dimensions are a batch of distributions over the same strings.
    """

    log_weights: Tensor
    points: Tensor

    def probabilities(self) -> Tensor:
        """(…, N)."""
        return torch.softmax(self.log_weights, dim=-1)

    def mean(self) -> Tensor:
        """The distribution of each token, (…, L, K)."""
        mean = self.probabilities().to(self.points) @ self.points.flatten(1)
        return mean.reshape(*mean.shape[:-1], *self.points.shape[1:])

    def expectation(self, values: Tensor) -> Tensor:
        """E[v], (…), of values (N,)."""
        return (self.probabilities() * values).sum(dim=-1)

    def posterior(self, x: Tensor, alpha: float, sigma: float) -> Table:
        """p(x_0 | x_t = x) for x (B, L, K): a batch of B tables (``methods.kernel`` has the formula
        for q(x_t | x_0))."""
        matches = x.flatten(1).to(self.points) @ self.points.flatten(1).T
        return Table(self.log_weights + alpha / sigma**2 * matches, self.points)

    def tilted(self, values: Tensor, scale: float) -> tuple[Tensor, Table]:
        """log E[exp(λ v)] (…), and the table tilted by exp(λ v), of values (N,)."""
        weights = self.log_weights.log_softmax(dim=-1) + scale * values
        return weights.logsumexp(dim=-1), Table(weights, self.points)

    def sample(self, uniform: Tensor, normal: Tensor | None = None) -> Tensor:
        """Exact samples (…, n, L, K), from ``uniform`` numbers (…, n); n of each distribution."""
        total = self.probabilities().double().cumsum(dim=-1)
        total = (total / total[..., -1:]).expand(*uniform.shape[:-1], -1).contiguous()
        chosen = torch.searchsorted(total, uniform.to(total), right=True)
        return self.points[chosen.clamp(max=len(self.points) - 1)]
