"""Where the miniature is: a Stable Diffusion pipeline folder inside the package."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
PIPELINE = WEIGHTS / "pipeline"
STUDENT = WEIGHTS / "lcm.safetensors"  # its UNet distilled for few steps
REMEDY = "reinstall the package, or train anew: `make train-miniature` (hours on a CPU)"
