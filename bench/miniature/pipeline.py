"""Where the built-in models are: Stable Diffusion pipeline folders inside the package."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
PIPELINE = WEIGHTS / "pipeline"
FLOW = WEIGHTS / "flow"
PACKAGED = {"miniature": PIPELINE, "miniature_flow": FLOW}  # by the kind of the backbone
STUDENT = WEIGHTS / "lcm.safetensors"  # its UNet distilled for few steps
FLOW_STUDENT = WEIGHTS / "flow_lcm.safetensors"
REMEDY = "reinstall the package, or train anew: `make train-miniature` (hours on a CPU)"
