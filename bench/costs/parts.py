"""One sample through each part of a model, forward and backward, as operations.

A denoiser sample is one latent with one text: classifier-free guidance takes two. Backward is the
gradient of the sample's output with respect to its input alone; weights are frozen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode

from bench.backbones.architectures import ARCHITECTURES
from bench.costs.operations import Counting, Operations
from methods.interfaces import Reward

PROMPT = "a photo of a cat"
BACK = "_backward"
CPU = torch.device("cpu")
DENOISERS = ("unet", "transformer")
PATCH = 2  # of FLUX: the side of what is one token
TEXT = "text"
SCORING = ("reward", f"reward{BACK}")
NETWORKS = ("imagereward", "clip", "hps", "pickscore", "aesthetic")
SMALL = 50e6  # parameters

Parts = Mapping[str, Operations]  # by kind of call, as the meter counts them; and TEXT, of a text


@dataclass(frozen=True)
class Sizes:
    """What of a pipeline decides its costs. ``parts``: component -> (class name, config), of
    diffusers and transformers. ``tokens``: of a text."""

    parts: Mapping[str, tuple[str, Mapping[str, Any]]]
    pixels: int
    dtype: str
    vae_dtype: str
    tokens: int = 77


def true_sizes(backbone: Mapping[str, Any], pixels: int | None = None) -> Sizes:
    """Of a backbone's settings at true size, as it runs on a GPU. ``pixels``: other than theirs."""
    architecture = ARCHITECTURES[backbone["architecture"]](False)
    dtype = backbone["accelerated"] if backbone["dtype"] == "auto" else backbone["dtype"]
    vae = dtype if backbone["vae_dtype"] == "auto" else backbone["vae_dtype"]
    side = pixels or backbone.get("pixels") or architecture.pixels
    return Sizes(architecture.parts, side, dtype, vae, backbone.get("tokens") or 77)


def flops_of(backbone: Any, reward: Reward | None) -> dict[str, int] | None:
    """Floating-point operations of one sample of each part of loaded models, by kind of call.

    None where the backbone is no pipeline. ``reward`` None: what it computes is not known. Small
    models compute one sample; large ones are counted on tensors without data.
    """
    from bench.backbones.latent import LatentDiffusion
    from bench.backbones.loading import denoiser_of, part_of

    if not isinstance(backbone, LatentDiffusion):
        return None
    denoiser, vae = denoiser_of(backbone.pipeline), backbone.vae
    pixels = backbone.latent_shape[-1] * 2 ** (len(vae.config.block_out_channels) - 1)
    length = backbone.pipeline.text_encoder.config.max_position_embeddings
    modules = {part_of(backbone.pipeline): denoiser, "vae": vae}
    parts = {name: (type(m).__name__, dict(m.config)) for name, m in modules.items()}
    dtype, vae_dtype = (str(m.dtype).removeprefix("torch.") for m in modules.values())
    sizes = Sizes(parts, pixels, dtype, vae_dtype, getattr(backbone, "tokens", length))
    small = sum(p.numel() for m in modules.values() for p in m.parameters()) < SMALL
    if small:
        found = _computed(denoiser, vae, reward, _text(sizes))  # type: ignore[arg-type]
    else:
        found = {**of_pipeline(sizes), **(_of_reward(reward, pixels) if reward else {})}
    return {kind: sum(op.flops * n for op, n in own.items()) for kind, own in found.items()}


@lru_cache(maxsize=1)
def _computed(denoiser: Any, vae: Any, reward: Any, text: str) -> Parts:
    sizes = _sizes(text)
    found = _pipeline_passes(denoiser, vae, sizes)
    return {**found, **(_scored(reward, sizes.pixels, vae.device) if reward else {})}


def of_pipeline(sizes: Sizes) -> Parts:
    """Operations of denoiser and decoder, forward and backward, and of a text, where there are text
    encoders. Counted once a process."""
    return _of_pipeline(_text(sizes))


def _text(sizes: Sizes) -> str:
    return json.dumps(asdict(sizes), sort_keys=True, default=str)


def _sizes(text: str) -> Sizes:
    return Sizes(**json.loads(text))


@cache
def _of_pipeline(text: str) -> Parts:
    sizes = _sizes(text)
    found: dict[str, Operations] = {}
    with without_data():
        made = {
            name: _made(kind, config, sizes.vae_dtype if name == "vae" else sizes.dtype)
            for name, (kind, config) in sizes.parts.items()
        }
        vae = made.pop("vae")
        denoiser = made.pop(next(name for name in DENOISERS if name in made))
        found |= _pipeline_passes(denoiser, vae, sizes)
        for name, encoder in made.items():
            length = sizes.parts[name][1].get("max_position_embeddings") or sizes.tokens
            ids = torch.zeros(1, length, dtype=torch.long)
            with torch.no_grad(), Counting(ids) as counted:
                encoder(input_ids=ids)
            found[TEXT] = found.get(TEXT, Counter()) + counted.found
    return found


def _pipeline_passes(denoiser: Any, vae: Any, sizes: Sizes) -> dict[str, Operations]:
    side = _side(sizes)
    z = torch.zeros(1, vae.config.latent_channels, side, side, dtype=vae.dtype, device=vae.device)
    return {
        **_passes("denoiser", *_denoiser(denoiser, sizes)),
        **_passes("decode", lambda z: vae.decode(z).sample, z),
    }


def _of_reward(reward: Reward, pixels: int) -> Parts:
    """Operations of a loaded reward on one picture, on tensors without data."""
    with torch.no_grad():
        reward(torch.zeros(1, 3, pixels, pixels), PROMPT)  # what is kept for the process is real
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with FakeCopyMode(fake):
        twin = deepcopy(reward)
    with fake:
        return _scored(twin, pixels)


def of_true_reward(name: str, rewards: Mapping[str, Any], pixels: int) -> Parts:
    """Operations of a configured reward at true size on one picture; none of one that is no network
    of the package."""
    given = rewards[name]
    if given.get("kind") == "mix":
        every = [of_true_reward(part, rewards, pixels) for part in given["of"]]
        return {kind: sum((e[kind] for e in every), Counter()) for kind in SCORING}
    if given.get("kind") not in NETWORKS:
        return {kind: Counter() for kind in SCORING}
    from bench.rewards.preprocess import prepare

    prepare(torch.zeros(1, 3, 1, 1), 1)  # keeps a tensor for the process: a real one
    with without_data():
        return _scored(true_reward(given), pixels)


def true_reward(given: Mapping[str, Any]) -> Any:
    """A reward of these settings at true size, to be made and called `without_data`."""
    from bench.rewards import aesthetic, clip_model, cosine, imagereward, pretrained, tokens

    kind, batch = given["kind"], given["batch"]
    if kind == "imagereward":
        prompts = tokens.Prompts(tokens.tiny_blip_tokenizer(), imagereward.LIMIT)
        network = _frozen(imagereward.build(imagereward.FULL))
        return imagereward.ImageReward(network, prompts, batch, "")
    from transformers import CLIPModel

    from bench.miniature.text import build_tokenizer

    tokenizer = build_tokenizer()
    variant = cosine.VARIANTS["clip" if kind == "aesthetic" else kind]
    model = _frozen(CLIPModel(clip_model.config(variant.architecture, tokenizer.eos_token_id)))
    encoder = clip_model.ClipEncoder(model, tokens.Prompts(tokenizer, 77), "", 1.0)
    if kind != "aesthetic":
        return cosine.CosineReward(kind, encoder, batch, variant.scaled)
    width = variant.architecture.features
    linear = given["head"] == "linear"
    head = torch.nn.Linear(width, 1) if linear else pretrained.five_linear(width)
    return aesthetic.AestheticReward(encoder, _frozen(head), batch, "")


@contextmanager
def without_data() -> Iterator[None]:
    """Tensors made here have shape and type, and no data; weights are not initialized."""
    from transformers.initialization import no_init_weights

    with FakeTensorMode(allow_non_fake_inputs=True), no_init_weights():
        yield


def _made(kind: str, config: Mapping[str, Any], dtype: str) -> Any:
    import diffusers
    import transformers

    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        if hasattr(diffusers, kind):
            module = getattr(diffusers, kind).from_config(dict(config))
        else:
            cls = getattr(transformers, kind)
            module = cls(cls.config_class(**config))
    finally:
        torch.set_default_dtype(before)
    return _frozen(module)


def _frozen(module: Any) -> Any:
    return module.eval().requires_grad_(False)


def _side(sizes: Sizes) -> int:
    """Of the latent of an image."""
    factor = 2 ** (len(sizes.parts["vae"][1]["block_out_channels"]) - 1)
    if "transformer" in sizes.parts:
        return PATCH * (sizes.pixels // (factor * PATCH))
    return sizes.pixels // factor


def _denoiser(module: Any, sizes: Sizes) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """The denoiser as a function of its latent, and a latent (1, …)."""
    config, side = module.config, _side(sizes)
    of: Any = {"dtype": module.dtype, "device": module.device}
    t = torch.full((1,), 500.0, **of)

    def like(*shape: int) -> Tensor:
        return torch.zeros(1, *shape, **of)

    if "transformer" in sizes.parts:
        count = (side // PATCH) ** 2
        text = like(sizes.tokens, config.joint_attention_dim)
        pooled = like(config.pooled_projection_dim)
        places = [torch.zeros(n, 3, **of) for n in (text.shape[1], count)]
        weight = torch.full((1,), 3.5, device=module.device) if config.guidance_embeds else None

        def flux(x: Tensor) -> Tensor:
            ids = {"txt_ids": places[0], "img_ids": places[1], "guidance": weight}
            return module(x, text, pooled, t / 1000, **ids).sample

        return flux, like(count, config.in_channels)
    text, added = like(sizes.tokens, config.cross_attention_dim), None
    if config.addition_embed_type == "text_time":
        width = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        added = {"text_embeds": like(width), "time_ids": like(6)}

    def unet(x: Tensor) -> Tensor:
        return module(x, t, text, added_cond_kwargs=added).sample

    return unet, like(config.in_channels, side, side)


def _passes(kind: str, call: Callable[[Tensor], Tensor], x: Tensor) -> dict[str, Operations]:
    with Counting(x.requires_grad_()) as counted:
        output = call(x)
    forward, counted.found = counted.found, Counter()
    with counted:
        torch.autograd.grad(output.sum(), x)
    return {kind: forward, kind + BACK: counted.found}


def _scored(reward: Any, pixels: int, device: torch.device = CPU) -> Parts:
    """Of one picture. What the reward keeps of the prompt is not counted: the next costs less."""
    if not reward.differentiable:
        return {"reward": Counter()}  # of the package's rewards one has no network
    images = torch.zeros(1, 3, pixels, pixels, device=device)
    with torch.no_grad():
        reward(images, PROMPT)
    return _passes("reward", lambda x: reward(x, PROMPT), images)
