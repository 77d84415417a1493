"""Where the built-in models are: Stable Diffusion pipeline folders inside the package."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
PIPELINE = WEIGHTS / "pipeline"
FLOW = WEIGHTS / "flow"
PACKAGED = {"miniature": PIPELINE, "miniature_flow": FLOW}  # by the kind of the backbone
# Their UNets distilled for few steps.
STUDENT, FLOW_STUDENT = WEIGHTS / "lcm.safetensors", WEIGHTS / "flow_lcm.safetensors"
STUDENTS = {"miniature": STUDENT, "miniature_flow": FLOW_STUDENT}
REMEDY = "reinstall the package, or train anew: `make train-miniature` (hours on a CPU)"
