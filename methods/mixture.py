"""Gaussian mixtures and quadratic rewards, where the expected future reward is known exactly.

Conditioning a mixture on x_t = α x_0 + σ ε and tilting it by exp(λ r) with a quadratic r both give
mixtures again, so posterior mean, V(x_t), tilted posterior mean and the tilted target are all in
closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor


@dataclass(frozen=True)
class Quadratic:
    """q(x) = c + bᵀx − ½ xᵀAx: ``matrix`` A (D, D) symmetric, ``vector`` b (D,), ``constant`` c.

    A = 0 is the linear reward. Exp(λ q) can tilt a mixture whose precisions plus λA are positive.
    """

    matrix: Tensor
    vector: Tensor
    constant: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        """(…, D) -> (…)."""
        bent = torch.einsum("...i,ij,...j->...", x, self.matrix, x)
        return self.constant + x @ self.vector - bent / 2


@dataclass(frozen=True)
class GaussianMixture:
    """``log_weights`` (…, K), ``means`` (…, K, D), ``covariances`` (K, D, D).

    The leading dimensions are a batch of mixtures that share their covariances.
    """

    log_weights: Tensor
    means: Tensor
    covariances: Tensor

    def mean(self) -> Tensor:
        """(…, D)."""
        weights = torch.softmax(self.log_weights, dim=-1)
        return (weights.unsqueeze(-1) * self.means).sum(dim=-2)

    def covariance(self) -> Tensor:
        """(…, D, D)."""
        weights = torch.softmax(self.log_weights, dim=-1)[..., None, None]
        gap = self.means - self.mean().unsqueeze(-2)
        outer = gap.unsqueeze(-1) * gap.unsqueeze(-2)
        return (weights * (self.covariances + outer)).sum(dim=-3)

    def expectation(self, reward: Quadratic) -> Tensor:
        """E[q(x)], (…): q at the mean less half the trace of A Cov."""
        return reward(self.mean()) - (reward.matrix * self.covariance()).sum(dim=(-1, -2)) / 2

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density at x (…, D), broadcast against the batch: (…)."""
        parts = log_normal(x.unsqueeze(-2) - self.means, self.covariances)
        return (self.log_weights.log_softmax(dim=-1) + parts).logsumexp(dim=-1)

    def noised(self, alpha: float, sigma: float) -> GaussianMixture:
        """The distribution of α x_0 + σ ε."""
        return GaussianMixture(self.log_weights, alpha * self.means, self._noised(alpha, sigma))

    def _noised(self, alpha: float, sigma: float) -> Tensor:
        unit = torch.eye(self.means.shape[-1]).to(self.means)
        return alpha**2 * self.covariances + sigma**2 * unit

    def posterior(self, x: Tensor, alpha: float, sigma: float) -> GaussianMixture:
        """p(x_0 | x_t = x) for x (B, D): a batch of B mixtures."""
        noised = self._noised(alpha, sigma)
        gain = alpha * torch.linalg.solve(noised, self.covariances).transpose(-1, -2)
        residual = x.unsqueeze(-2) - alpha * self.means
        moved = torch.einsum("kij,...kj->...ki", gain, residual)
        return GaussianMixture(
            self.log_weights + log_normal(residual, noised),
            self.means + moved,
            _symmetric(self.covariances - alpha * gain @ self.covariances),
        )

    def tilted(self, reward: Quadratic, scale: float) -> tuple[Tensor, GaussianMixture]:
        """log E[exp(λ q)] (…), and the mixture tilted by exp(λ q).

        Per component, with slope g = b − A m: covariance Σ' = (C⁻¹ + λA)⁻¹ = C (1 + λAC)⁻¹, mean
        m + λ Σ' g, and log E = λ q(m) + ½ λ² gᵀΣ'g − ½ log det(1 + λAC).
        Raises ValueError where the tilted density cannot be normalised.
        """
        unit = torch.eye(self.means.shape[-1]).to(self.means)
        widened = unit + scale * reward.matrix @ self.covariances
        if (torch.linalg.eigvals(widened).real <= 0).any():
            raise ValueError(f"exp({scale} r) cannot be normalised: r outgrows the prior's tails")
        determinant = torch.logdet(widened)
        covariances = _symmetric(torch.linalg.solve(widened.transpose(-1, -2), self.covariances))
        slope = reward.vector - self.means @ reward.matrix
        step = torch.einsum("kij,...kj->...ki", covariances, slope)
        gain = scale * reward(self.means) + scale**2 / 2 * (slope * step).sum(-1) - determinant / 2
        weights = self.log_weights.log_softmax(dim=-1) + gain
        tilted = GaussianMixture(weights, self.means + scale * step, covariances)
        return weights.logsumexp(dim=-1), tilted

    def sample(self, uniform: Tensor, normal: Tensor) -> Tensor:
        """Exact samples like ``normal`` (…, n, D), from these standard normal numbers and
        ``uniform`` ones (…, n); n samples of each mixture of the batch."""
        weights = torch.softmax(self.log_weights, dim=-1).cumsum(dim=-1)
        weights = (weights / weights[..., -1:]).expand(*uniform.shape[:-1], -1).contiguous()
        chosen = torch.searchsorted(weights, uniform.to(weights), right=True)
        chosen = chosen.clamp(max=weights.shape[-1] - 1)
        means = self.means.expand(*uniform.shape[:-1], -1, -1)
        index = chosen.unsqueeze(-1).expand(*chosen.shape, means.shape[-1])
        factors = torch.linalg.cholesky(self.covariances)[chosen]
        return means.gather(-2, index) + (factors * normal.to(means).unsqueeze(-2)).sum(dim=-1)


def _symmetric(matrices: Tensor) -> Tensor:
    return (matrices + matrices.transpose(-1, -2)) / 2


def log_normal(residual: Tensor, covariances: Tensor) -> Tensor:
    """Log density of N(0, C_k) at ``residual`` (…, K, D): (…, K)."""
    precision = torch.linalg.inv(covariances)
    bent = torch.einsum("kij,...kj->...ki", precision, residual)
    square = (residual * bent).sum(dim=-1)
    return -0.5 * (square + torch.logdet(covariances) + residual.shape[-1] * log(2 * pi))
