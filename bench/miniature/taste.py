"""The miniature's second reward: which of two images of a caption do people like better?

The preference's network with smooth activations, trained on pairwise votes of annotators who weigh
alignment, tidiness and harmony of colors each in his own way, and against small adversarial moves
of the latents (``training.taste``). What its gradient is worth all the same is measured by
``python -m bench gradient``.
"""

from __future__ import annotations

from torch import Tensor, nn

from bench.miniature.preference import DIM, Preference, PreferenceNet, Reading


class TasteNet(PreferenceNet):
    """Smooth where the preference's has kinks, which an adversary would use; and beside the words
    every cell of the image has a vote, on whether it is tidy."""

    def __init__(self) -> None:
        super().__init__(nn.GELU)
        last = nn.Linear(DIM, 1)
        self.tidy = nn.Sequential(nn.Linear(DIM, DIM), nn.GELU(), last)
        nn.init.zeros_(last.weight), nn.init.zeros_(last.bias)

    def compare(self, tokens: Tensor, ids: Tensor) -> Reading:
        read = super().compare(tokens, ids)
        return read._replace(scores=read.scores + self.tidy(tokens).sum(1))


class Taste(Preference):
    """The score is standardised like the preference's: 0 is the average over matched and
    mismatched pairs, 1 is one standard deviation better."""

    name = "taste"
    network = TasteNet
