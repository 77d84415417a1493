"""The learning curve: GenEval of each snapshot of the denoiser against training samples seen."""

from __future__ import annotations

from pathlib import Path

from diffusers import AutoencoderKL

from bench.backbones.latent import LatentDiffusion
from bench.geneval.detector import verdicts
from bench.geneval.prompts import generate
from bench.geneval.protocol import overall
from bench.miniature.judge import MiniatureJudge
from bench.prompts.choice import Prompt, choose
from bench.rewards.jpeg import JpegCompressibility
from bench.run.measure import Task, measure
from bench.store.images import from_bytes
from methods.method import Method
from training.diffusion import assemble, load_snapshot, samples_seen
from training.loop import append

PROMPTS_PER_TASK, SEED = 10, 44  # other prompts than the benchmark's
GUIDANCE, STEPS = 5.0, 12
SOLVERS = {"dpm": {"scheduler": "DPMSolverMultistepScheduler"}}


def judge_snapshot(path: Path, vae: AutoencoderKL) -> dict[str, float]:
    """GenEval overall and by task of DPM-Solver++ in 12 steps, CFG 5."""
    unet, text = load_snapshot(path)
    return judge_backbone(
        LatentDiffusion(assemble(vae, unet, text), SOLVERS, GUIDANCE), "dpm", STEPS
    )


def judge_backbone(backbone: LatentDiffusion, solver: str, steps: int) -> dict[str, float]:
    """GenEval overall and by task, one image a prompt."""
    task = Task(backbone, JpegCompressibility(), solver, steps, images=1, seed=0)
    judge = MiniatureJudge.load()
    correct: dict[str, list[bool]] = {}
    every = [Prompt(index, metadata) for index, metadata in enumerate(generate(100, SEED))]
    for prompt in choose(every, PROMPTS_PER_TASK):
        pixels = measure(task, Method("vanilla"), prompt.text).delivered
        [verdict] = verdicts(judge, prompt.metadata, from_bytes(pixels))
        correct.setdefault(prompt.tag, []).append(verdict.correct)
    shares = {tag: sum(marks) / len(marks) for tag, marks in correct.items()}
    return {"geneval": overall(correct), **shares}


def train(folder: Path, vae_folder: Path) -> None:
    """Judge every snapshot of the diffusion stage, beside ``folder``, that its curve.csv lacks."""
    diffusion = folder.parent / "diffusion"
    path = diffusion / "curve.csv"
    lines = path.read_text().splitlines()[1:] if path.exists() else []
    known = {line.partition(",")[0] for line in lines}
    vae = AutoencoderKL.from_pretrained(vae_folder).eval()
    for snapshot in sorted((diffusion / "snapshots").glob("*.safetensors")):
        step = int(snapshot.stem)
        if str(step) not in known:
            row = {"step": step, "samples": samples_seen(step), **judge_snapshot(snapshot, vae)}
            append(path, row)
            print("curve", row, flush=True)
