"""``python -m training STAGE … [--folder training/runs]``: how the built-in weights were made.

The stages, in their order: vae, judge, preference, taste, clip, diffusion, curve, export, students,
flow, flow_student; ``all`` runs every one. Each resumes from its checkpoint and leaves alone what
is done. Together they take hours on CPU cores, and need the training extra
(pip install -e '.[training]').

Apart from these, molecules writes the table of small molecules, and udlm trains on it: they need
the molecules extra, and ``all`` leaves them out.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

TRAINED = ("vae", "judge", "preference", "taste", "clip", "diffusion", "curve")
MOLECULES = ("molecules", "udlm")


def export(folder: Path, vae_folder: Path) -> None:
    """The last snapshot and the autoencoder as a pipeline folder in float16, in the package."""
    import torch
    from diffusers import AutoencoderKL

    from bench.miniature.pipeline import PIPELINE
    from training.diffusion import assemble, load_snapshot

    last = max((folder / "diffusion" / "snapshots").glob("*.safetensors"))
    pipeline = assemble(AutoencoderKL.from_pretrained(vae_folder), *load_snapshot(last))
    pipeline.to(dtype=torch.float16).save_pretrained(PIPELINE)
    print(f"exported {last} to {PIPELINE}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [*TRAINED, "export", "students", "flow", "flow_student"]
    parser.add_argument("stages", nargs="+", choices=[*names, *MOLECULES, "all"], metavar="STAGE")
    parser.add_argument("--folder", type=Path, default=Path("training/runs"))
    options = parser.parse_args()
    vae_folder = options.folder / "vae" / "final"
    for name in names if "all" in options.stages else options.stages:
        print(f"stage {name}", flush=True)
        if name == "export":
            export(options.folder, vae_folder)
        else:
            import_module(f"training.{name}").train(options.folder / name, vae_folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
