"""The mixture's probability-flow ODE, solved: the map that a perfect student would have learned.

On the quarter circle z_θ = cos θ x_0 + sin θ ε, to which every Gaussian path is brought by
z = x_t/√(α² + σ²), tan θ = σ/α, the ODE is

    dz/dθ = E[cos θ ε − sin θ x_0 | z_θ = z],

smooth from pure noise at θ = π/2 down to θ = 0. It is solved by Gragg's midpoint rule, whose error
is a series in even powers of the step: extrapolated over five grids its order is 10 (Hairer,
Nørsett & Wanner, Solving Ordinary Differential Equations I, section II.9).
"""

from __future__ import annotations

from collections.abc import Callable
from math import atan2, ceil, cos, pi, sin

import torch
from torch import Tensor

from methods.interfaces import Level
from methods.mixture import GaussianMixture

GRIDS = (2, 4, 6, 8, 10)  # midpoint steps in an interval
INTERVALS = 32  # of the quarter circle: the end is then right to 1e-10 in two dimensions

Velocity = Callable[[Tensor, float], Tensor]


def flow_map(prior: GaussianMixture, x: Tensor, level: Level) -> Tensor:
    """Where the ODE from x_t = x (B, D) ends at t = 0; differentiable."""
    velocity = circular(prior)
    theta = atan2(level.sigma, level.alpha)
    z = x / (level.alpha**2 + level.sigma**2) ** 0.5
    count = ceil(INTERVALS * theta / (pi / 2))
    for k in range(count, 0, -1):
        z = extrapolated(velocity, z, theta * k / count, -theta / count)
    return z


def circular(prior: GaussianMixture) -> Velocity:
    """dz/dθ, in the eigenvectors of each component's covariance: there z has variances
    v cos² θ + sin² θ, and the component's part is s c (1 − v)/(v c² + s²) (z − c m) − s m."""
    variances, turns = torch.linalg.eigh(prior.covariances)
    components, dimension = variances.shape
    onto = turns.permute(1, 0, 2).reshape(dimension, -1)  # (D, K·D)
    means = (turns * prior.means.unsqueeze(-1)).sum(dim=-2)

    def velocity(z: Tensor, angle: float) -> Tensor:
        c, s = cos(angle), sin(angle)
        spread = c**2 * variances + s**2
        gap = (z @ onto).reshape(-1, components, dimension) - c * means
        scaled = gap / spread
        logits = prior.log_weights - ((gap * scaled).sum(dim=-1) + spread.log().sum(dim=-1)) / 2
        share = torch.softmax(logits, dim=-1)
        parts = share.unsqueeze(-1) * (s * c * (1 - variances) * scaled - s * means)
        return parts.flatten(1) @ onto.T

    return velocity


def extrapolated(velocity: Velocity, z: Tensor, start: float, width: float) -> Tensor:
    """z at ``start`` + ``width``: Aitken and Neville's table over the grids."""
    first = velocity(z, start)
    row: list[Tensor] = []
    for count in GRIDS:
        step = width / count
        before, here = z, z + step * first
        for k in range(1, count):
            before, here = here, before + 2 * step * velocity(here, start + k * step)
        column = [(before + here + step * velocity(here, start + width)) / 2]
        for m, last in enumerate(row, start=1):
            ratio = (count / GRIDS[len(row) - m]) ** 2
            column.append(column[-1] + (column[-1] - last) / (ratio - 1))
        row = column
    return row[-1]
