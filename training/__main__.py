"""``python -m training [STAGE …] [--folder training/runs]``: train the miniature.

Stages in order: vae, judge, preference, clip, diffusion, curve, export; ``all`` runs every one.
Each resumes from its checkpoint and leaves what is done alone. Hours on CPU cores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench.miniature.pipeline import PIPELINE


def vae(folder: Path) -> None:
    from training.vae import train

    if not vae_folder(folder).exists():
        train(folder / "vae").save_pretrained(vae_folder(folder))


def judge(folder: Path) -> None:
    from training.judge import train

    train(folder / "judge", vae_folder(folder))


def preference(folder: Path) -> None:
    from training.preference import train

    train(folder / "preference", vae_folder(folder))


def clip(folder: Path) -> None:
    from training.clip import train

    train(folder / "clip", vae_folder(folder))


def diffusion(folder: Path) -> None:
    from training.diffusion import train

    train(folder / "diffusion", vae_folder(folder))


def curve(folder: Path) -> None:
    from training.curve import write_curve

    write_curve(folder / "diffusion", vae_folder(folder))


def export(folder: Path) -> None:
    """The last snapshot and the autoencoder as a pipeline folder in float16, in the package."""
    import torch
    from diffusers import AutoencoderKL

    from training.diffusion import assemble, load_snapshot

    last = max((folder / "diffusion" / "snapshots").glob("*.safetensors"))
    pipeline = assemble(AutoencoderKL.from_pretrained(vae_folder(folder)), *load_snapshot(last))
    pipeline.to(dtype=torch.float16).save_pretrained(PIPELINE)
    print(f"exported {last} to {PIPELINE}")


def vae_folder(folder: Path) -> Path:
    return folder / "vae" / "final"


STAGES: dict[str, Callable[[Path], None]] = {
    f.__name__: f for f in (vae, judge, preference, clip, diffusion, curve, export)
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stages", nargs="+", choices=[*STAGES, "all"], metavar="STAGE")
    parser.add_argument("--folder", type=Path, default=Path("training/runs"))
    options = parser.parse_args()
    names = list(STAGES) if "all" in options.stages else options.stages
    for name in names:
        print(f"stage {name}", flush=True)
        STAGES[name](options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
