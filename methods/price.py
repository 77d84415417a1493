"""What a method must cost: the formulas that the meter's counts have to equal.

Counts are samples, not batches. A posterior mean under classifier-free guidance costs two denoiser
samples.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Calls:
    """Samples through denoiser, decoder and reward, forward and backward."""

    denoiser: int = 0
    decode: int = 0
    reward: int = 0
    denoiser_backward: int = 0
    decode_backward: int = 0
    reward_backward: int = 0

    def __add__(self, other: Calls) -> Calls:
        return Calls(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, times: int) -> Calls:
        return Calls(*(a * times for a in astuple(self)))


def scored(samples: int, backward: bool = False) -> Calls:
    """Decoding and scoring ``samples``, and the way back where it is differentiated."""
    back = samples if backward else 0
    return Calls(decode=samples, reward=samples, decode_backward=back, reward_backward=back)


@dataclass(frozen=True)
class Price:
    """An estimator's calls: once a prompt, and per particle for one value and one shift."""

    prepare: Calls = Calls()
    value: Calls = Calls()
    shift: Calls = Calls()


FREE = Price()
