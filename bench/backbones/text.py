"""What a prompt is encoded to, for every family of pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from methods.interfaces import Guider


@dataclass(frozen=True)
class Text:
    """Embeddings of one text: ``sequence`` (1, L, D), or (B, L, D) once moved sample by sample;
    ``pooled`` (1, P) where the model takes one."""

    sequence: Tensor
    pooled: Tensor | None = None

    def rows(self, part: slice) -> Text:
        """The part for some samples of a batch; an embedding that all share stays whole."""
        return self if len(self.sequence) == 1 else replace(self, sequence=self.sequence[part])

    def to(self, dtype: torch.dtype) -> Text:
        pooled = None if self.pooled is None else self.pooled.to(dtype)
        return Text(self.sequence.to(dtype), pooled)

    def expand(self, count: int) -> Text:
        pooled = None if self.pooled is None else self.pooled.expand(count, -1)
        return Text(self.sequence.expand(count, -1, -1), pooled)


def joined(texts: Sequence[Text]) -> Text:
    """One after the other, texts (B, …)."""
    if len(texts) == 1:
        return texts[0]
    pooled = [text.pooled for text in texts if text.pooled is not None]
    sequences = torch.cat([text.sequence for text in texts])
    return Text(sequences, torch.cat(pooled) if pooled else None)


@dataclass(frozen=True)
class TextCondition:
    """A prompt's text, the empty prompt's, and the guidance weight.

    ``empty`` None: no classifier-free guidance, the weight is an input of the denoiser, if any.
    ``unconditional``: the empty prompt's model output (B, …) at the x in question, where known.
    ``guider``: what takes the place of classifier-free guidance, if anything does.
    """

    text: Text
    empty: Text | None
    guidance: float
    unconditional: Tensor | None = None
    guider: Guider | None = None

    @property
    def embedding(self) -> Tensor:
        return self.text.sequence

    @property
    def guided(self) -> bool:
        return self.empty is not None and self.guidance > 1

    @property
    def evaluations(self) -> int:
        """Denoiser samples that one posterior mean costs."""
        if self.guider is not None:
            return 3 if self.guider.perturbed else 2
        return 2 if self.guided and self.unconditional is None else 1

    def combined(self, guider: Guider) -> TextCondition:
        """With ``guider`` in the place of classifier-free guidance."""
        return replace(self, guider=guider)

    def moved(self, embedding: Tensor, unconditional: Tensor | None = None) -> TextCondition:
        """With embeddings (B, L, D), and the model output (B, …) of the empty prompt at the x in
        question where it is known already."""
        text = replace(self.text, sequence=embedding)
        return replace(self, text=text, unconditional=unconditional)

    def rows(self, part: slice) -> TextCondition:
        """The part for some samples of a batch."""
        known = None if self.unconditional is None else self.unconditional[part]
        guider = None if self.guider is None else self.guider.rows(part)
        return replace(self, text=self.text.rows(part), unconditional=known, guider=guider)

    def emptied(self) -> TextCondition:
        """The condition of the empty prompt, without guidance."""
        assert self.empty is not None
        return TextCondition(self.empty, self.empty, 1.0)
