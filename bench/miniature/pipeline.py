"""Where the miniatures are: Stable Diffusion pipeline folders inside the package."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
PIPELINE = WEIGHTS / "pipeline"
FLOW = WEIGHTS / "flow"  # its denoiser predicts flow matching's velocity
REMEDY = "reinstall the package, or train anew: `make train-miniature` (hours on a CPU)"
