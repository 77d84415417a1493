"""Two priors over molecules: the table itself, and a denoiser that was trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from bench.molecules.known import known
from bench.molecules.smiles import Vocabulary
from bench.molecules.text import to_codes
from bench.molecules.udlm import WEIGHTS, UdlmNetwork, load_udlm, posterior
from bench.tokens.backbone import TableBackbone, TokenBackbone
from bench.weights.files import digest
from methods.interfaces import Backbone, Level
from methods.table import Table

LEAST = 1e-4  # the least time that the network is asked for


class MoleculeTable(TableBackbone):
    """All molecules of a table, each as likely as the others: the posterior is exact."""

    def __init__(self, smiles: list[str], vocabulary: Vocabulary, device: torch.device):
        points = one_hot(vocabulary.encode(smiles), len(vocabulary.letters)).float()
        super().__init__(Table(torch.zeros(len(smiles)), points.to(device)))
        self.vocabulary = vocabulary

    def decode(self, x0: Tensor) -> Tensor:
        """Character codes (B, W) of the likeliest letters."""
        return decoded(self.vocabulary, x0)


class UdlmCondition:
    """A denoiser that knows no prompts."""

    evaluations = 1


class Udlm(TokenBackbone):
    """UDLM (Schiff et al., arXiv 2412.10193): ``network`` gives the leave-one-out posterior u, of
    which the posterior mean is p ∝ u · q(x_t | x_0)."""

    def __init__(
        self, network: UdlmNetwork, vocabulary: Vocabulary, device: torch.device, most: int = 1024
    ):
        super().__init__(vocabulary.length, len(vocabulary.letters), device)
        self.network, self.vocabulary, self.most = network.to(device), vocabulary, most

    def encode(self, prompt: str, guidance: float | None = None, known: Any = None) -> Any:
        if guidance is not None:
            raise ValueError("strings have no classifier-free guidance: cfg must be null")
        return UdlmCondition()

    @torch.no_grad()
    def posterior_mean(self, x: Tensor, level: Level, condition: Any) -> Tensor:
        gain = torch.tensor([[level.alpha / level.sigma**2]], device=x.device)
        parts = []
        for tokens in x.argmax(dim=-1).split(self.most):
            t = torch.full((len(tokens),), max(level.t, LEAST), device=x.device)
            parts.append(posterior(self.network(tokens, t), tokens, gain))
        return torch.cat(parts).to(x.dtype)

    def decode(self, x0: Tensor) -> Tensor:
        """Character codes (B, W) of the likeliest letters."""
        return decoded(self.vocabulary, x0)


def decoded(vocabulary: Vocabulary, x0: Tensor) -> Tensor:
    """One-hot strings, or their posterior means, (B, L, K) -> character codes (B, W)."""
    width = vocabulary.length * max(map(len, vocabulary.letters))
    strings = vocabulary.decode(x0.argmax(dim=-1))
    return to_codes(strings, width).to(x0.device)


def load(settings: Mapping[str, Any], device: torch.device) -> tuple[Backbone, str]:
    """The prior of these settings and the digest of what it is made of."""
    own = known(settings["table"], settings["outside"])
    table = own.table
    if settings["kind"] == "molecules":
        return MoleculeTable(table.smiles, table.vocabulary, device), f"table-{own.digest}"
    if settings["weights"] is None:
        return Udlm(*load_udlm(), device, settings["max_batch"]), digest([WEIGHTS])
    from bench.molecules.published import published_udlm

    folder = Path(settings["weights"]).expanduser()
    files = [path for path in sorted(folder.glob("*")) if path.is_file()]
    return Udlm(*published_udlm(folder), device, settings["max_batch"]), digest(files)
