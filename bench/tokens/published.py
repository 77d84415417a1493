"""The published UDLM checkpoints: kuleshov-group/udlm-qm9 and others of its layout.

Their layers are those of ``UdlmNetwork``, under the prefix ``backbone.``; the folder of a download
holds the weights, ``config.json``, and, copied from the tokenizer's own repository
(yairschiff/qm9-tokenizer), ``vocab.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from bench.errors import BenchError
from bench.tokens.smiles import Vocabulary, split
from bench.tokens.udlm import UdlmNetwork, UdlmSize
from bench.weights.files import complain, fill, read_tensors

START, END, FILL = "<bos>", "<eos>", "<pad>"
SPECIAL = (START, END, "<mask>", FILL, "<unk>")
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
PREFIX = "backbone."
COMPUTED = ("rotary_emb.inv_freq",)  # a buffer that UdlmNetwork works out itself
SIZES = ("vocab_size", "model_length", "hidden_dim", "cond_dim", "n_blocks", "n_heads")


@dataclass(frozen=True)
class PublishedVocabulary(Vocabulary):
    """A string stands between a start and an end token; the rest is padded."""

    pad: ClassVar[str] = FILL

    def parts(self, string: str) -> list[str]:
        return [START, *split(string), END]

    def decode(self, tokens: Tensor) -> list[str]:
        """The strings without start, end and pad tokens, wherever they are, as UDLM's script."""
        dropped = (START, END, FILL)
        letters = ["" if letter in dropped else letter for letter in self.letters]
        return ["".join(letters[i] for i in row) for row in tokens.tolist()]


def published_udlm(folder: Path) -> tuple[UdlmNetwork, PublishedVocabulary]:
    """The network and its vocabulary from a folder. Raises BenchError where a part is amiss."""
    config = _json(folder / "config.json", "config.json of kuleshov-group/udlm-qm9")
    if missing := [name for name in SIZES if name not in config]:
        raise BenchError(f"{folder / 'config.json'} does not tell {', '.join(missing)}")
    if config.get("cfg") or not config.get("time_conditioning", True):
        raise BenchError(
            f"{folder / 'config.json'} tells of a UDLM with class labels or without times; only "
            "unconditional ones with times are read"
        )
    size = UdlmSize(*(config[name] for name in SIZES))
    words = _json(folder / "vocab.json", "vocab.json of yairschiff/qm9-tokenizer")
    names = [folder / name for name in WEIGHTS]
    weights = next((path for path in names if path.is_file()), names[0])
    state = read_tensors(weights, "fetch kuleshov-group/udlm-qm9 again")
    network = UdlmNetwork(size)
    load_published(network, state, f"the file {weights}")
    return network.eval().requires_grad_(False), _vocabulary(words, size)


def load_published(network: UdlmNetwork, state: Mapping[str, Tensor], where: str) -> None:
    """Load a published state dict, every key and shape accounted for. Raises BenchError."""
    complain(where, unknown=[key for key in state if not key.startswith(PREFIX)])
    own = {key.removeprefix(PREFIX): value for key, value in state.items()}
    fill(network, {key: value for key, value in own.items() if key not in COMPUTED}, where)


def _vocabulary(words: Mapping[str, int], size: UdlmSize) -> PublishedVocabulary:
    """Ids 0 to 4 are the special tokens, the last ids are the letters in their order.

    QM9's tokenizer has 30 letters and the network K = 40: its class puts five special tokens
    before the letters of a ``vocab.json`` that holds them already. K = 35 would be without that.
    """
    letters = [word for word in sorted(words, key=words.__getitem__) if word not in SPECIAL]
    before = size.letters - len(letters)
    if before not in (len(SPECIAL), 2 * len(SPECIAL)):
        raise BenchError(
            f"vocab.json has {len(letters)} letters beside the {len(SPECIAL)} special tokens, the "
            f"network has {size.letters}: is it the tokenizer that the network was trained with?"
        )
    return PublishedVocabulary((*(SPECIAL * 2)[:before], *letters), size.length)


def _json(path: Path, what: str) -> Any:
    if not path.is_file():
        raise BenchError(f"the file {path} is missing: it is {what}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BenchError(f"the file {path} is no JSON: {error}") from None
