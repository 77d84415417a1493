"""The pipelines' architectures: at true size, and of the same classes at toy size.

Weights of either are random. At true size they cost what the trained model costs, in seconds,
memory and calls; at toy size they run anywhere. Sizes are those of the published configs; a test
holds the parameter counts against the published ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Config = dict[str, Any]

CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
UP = {CROSS: "CrossAttnUpBlock2D", PLAIN: "UpBlock2D"}
VAE_COUNT, CLIP_L_COUNT = 83_653_863, 123_060_480


def _unet(kinds: tuple[str, ...], widths: tuple[int, ...], **others: Any) -> Config:
    ups = tuple(UP[kind] for kind in reversed(kinds))
    blocks = {"down_block_types": kinds, "up_block_types": ups, "block_out_channels": widths}
    return blocks | {"in_channels": 4, "out_channels": 4} | others


def _vae(scaling: float, tiny: bool, channels: int = 4, **others: Any) -> Config:
    widths = (8, 16) if tiny else (128, 256, 512, 512)
    count = len(widths)
    return {
        "block_out_channels": widths,
        "down_block_types": ("DownEncoderBlock2D",) * count,
        "up_block_types": ("UpDecoderBlock2D",) * count,
        "layers_per_block": 1 if tiny else 2,
        "latent_channels": channels,
        "norm_num_groups": 8 if tiny else 32,
        "scaling_factor": scaling,
        **others,
    }


def _clip_text(width: int, layers: int, heads: int, act: str, **others: Any) -> Config:
    sizes = {"hidden_size": width, "intermediate_size": 4 * width, "hidden_act": act}
    sizes |= {"num_hidden_layers": layers, "num_attention_heads": heads}
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    return sizes | {"vocab_size": 49408, "max_position_embeddings": 77} | ends | others


CLIP_L = _clip_text(768, 12, 12, "quick_gelu", projection_dim=768)
TINY_CLIP = _clip_text(32, 2, 4, "quick_gelu", projection_dim=32)
TINY_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}

SD_SCHEDULE: Config = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
FLOW_SCHEDULE: Config = {"base_shift": 0.5, "max_shift": 1.15}


@dataclass(frozen=True)
class Architecture:
    """``pipeline``: the diffusers class. ``parts``: component -> (class name, config); the classes
    are diffusers' or transformers'. ``counts``: parameters by component. ``scheduler``: class and
    config. ``pixels``: the side of an image."""

    pipeline: str
    parts: dict[str, tuple[str, Config]]
    scheduler: tuple[str, Config]
    pixels: int
    counts: dict[str, int]


def sd15(tiny: bool = False) -> Architecture:
    """Stable Diffusion v1.5 (and its DPO fine-tune)."""
    heads: Config = {"attention_head_dim": 8, "cross_attention_dim": 768, "sample_size": 64}
    unet = _unet((CROSS,) * 3 + (PLAIN,), (320, 640, 1280, 1280), layers_per_block=2, **heads)
    if tiny:
        heads = {"attention_head_dim": 4, "cross_attention_dim": 32, "sample_size": 8}
        unet = _unet((CROSS, PLAIN), (16, 32), layers_per_block=1, norm_num_groups=8, **heads)
    return Architecture(
        "StableDiffusionPipeline",
        {
            "unet": ("UNet2DConditionModel", unet),
            "vae": ("AutoencoderKL", _vae(0.18215, tiny, sample_size=16 if tiny else 512)),
            "text_encoder": ("CLIPTextModel", TINY_CLIP if tiny else CLIP_L),
        },
        ("DDIMScheduler", SD_SCHEDULE),
        16 if tiny else 512,
        {"unet": 859_520_964, "vae": VAE_COUNT, "text_encoder": CLIP_L_COUNT},
    )


def sd21(tiny: bool = False) -> Architecture:
    """Stable Diffusion 2.1 at 768 pixels: v-prediction, OpenCLIP's ViT-H text encoder."""
    base = sd15(tiny)
    heads: Config = {"use_linear_projection": True}
    if not tiny:
        heads |= {"attention_head_dim": (5, 10, 20, 20), "cross_attention_dim": 1024}
        heads |= {"sample_size": 96}
    text = TINY_CLIP if tiny else _clip_text(1024, 23, 16, "gelu", projection_dim=512)
    vae = _vae(0.18215, tiny, sample_size=16 if tiny else 768)
    return Architecture(
        base.pipeline,
        {
            "unet": ("UNet2DConditionModel", base.parts["unet"][1] | heads),
            "vae": ("AutoencoderKL", vae),
            "text_encoder": ("CLIPTextModel", text),
        },
        ("DDIMScheduler", SD_SCHEDULE | {"prediction_type": "v_prediction"}),
        16 if tiny else 768,
        {"unet": 865_910_724, "vae": VAE_COUNT, "text_encoder": 340_387_840},
    )


def sdxl(tiny: bool = False) -> Architecture:
    """Stable Diffusion XL base 1.0."""
    text: Config = {"use_linear_projection": True, "addition_embed_type": "text_time"}
    if tiny:
        text |= {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 80}
        text |= {"cross_attention_dim": 64, "transformer_layers_per_block": (1, 1)}
        text |= {"attention_head_dim": (2, 4), "sample_size": 8, "norm_num_groups": 8}
        unet = _unet((PLAIN, CROSS), (16, 32), layers_per_block=1, **text)
    else:
        text |= {"addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816}
        text |= {"cross_attention_dim": 2048, "transformer_layers_per_block": (1, 2, 10)}
        text |= {"attention_head_dim": (5, 10, 20), "sample_size": 128}
        unet = _unet((PLAIN, CROSS, CROSS), (320, 640, 1280), layers_per_block=2, **text)
    second = _clip_text(1280, 32, 20, "gelu", projection_dim=1280)
    return Architecture(
        "StableDiffusionXLPipeline",
        {
            "unet": ("UNet2DConditionModel", unet),
            "vae": ("AutoencoderKL", _vae(0.13025, tiny, sample_size=16 if tiny else 1024)),
            "text_encoder": ("CLIPTextModel", TINY_CLIP if tiny else CLIP_L),
            "text_encoder_2": ("CLIPTextModelWithProjection", TINY_CLIP if tiny else second),
        },
        ("EulerDiscreteScheduler", SD_SCHEDULE | {"timestep_spacing": "leading"}),
        16 if tiny else 1024,
        {
            "unet": 2_567_463_684,
            "vae": VAE_COUNT,
            "text_encoder": CLIP_L_COUNT,
            "text_encoder_2": 694_659_840,
        },
    )


def flux_dev(tiny: bool = False) -> Architecture:
    """FLUX.1-dev, whose guidance weight is an input."""
    return _flux(tiny, True, FLOW_SCHEDULE | {"shift": 3.0, "use_dynamic_shifting": True})


def flux_schnell(tiny: bool = False) -> Architecture:
    """FLUX.1-schnell, distilled to few steps without a guidance weight."""
    return _flux(tiny, False, FLOW_SCHEDULE | {"shift": 1.0})


def _flux(tiny: bool, guided: bool, schedule: Config) -> Architecture:
    sizes: Config = {
        "in_channels": 16 if tiny else 64,
        "num_layers": 1 if tiny else 19,
        "num_single_layers": 1 if tiny else 38,
        "attention_head_dim": 16 if tiny else 128,
        "num_attention_heads": 2 if tiny else 24,
        "joint_attention_dim": 32 if tiny else 4096,
        "pooled_projection_dim": 32 if tiny else 768,
        "axes_dims_rope": (4, 6, 6) if tiny else (16, 56, 56),
        "guidance_embeds": guided,
    }
    vae = _vae(
        0.3611,
        tiny,
        4 if tiny else 16,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
        sample_size=16 if tiny else 1024,
    )
    xxl = {"d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64}
    t5 = (TINY_T5 if tiny else xxl) | {"feed_forward_proj": "gated-gelu", "vocab_size": 32128}
    guidance = 256 * 3072 + 3072 + 3072 * 3072 + 3072  # the weight's own embedding, two layers
    return Architecture(
        "FluxPipeline",
        {
            "transformer": ("FluxTransformer2DModel", sizes),
            "vae": ("AutoencoderKL", vae),
            "text_encoder": ("CLIPTextModel", TINY_CLIP if tiny else CLIP_L),
            "text_encoder_2": ("T5EncoderModel", t5),
        },
        ("FlowMatchEulerDiscreteScheduler", schedule),
        16 if tiny else 1024,
        {
            "transformer": 11_901_408_320 - (0 if guided else guidance),
            "vae": 83_819_683,
            "text_encoder": CLIP_L_COUNT,
            "text_encoder_2": 4_762_310_656,
        },
    )


ARCHITECTURES: dict[str, Callable[[bool], Architecture]] = {
    "sd15": sd15,
    "sd21": sd21,
    "sdxl": sdxl,
    "flux_dev": flux_dev,
    "flux_schnell": flux_schnell,
}
