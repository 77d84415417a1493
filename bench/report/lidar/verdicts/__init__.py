"""Every claim of the paper and every open question, against what a results folder holds."""

from bench.report.evidence import Evidence
from bench.report.lidar.verdicts import cost, estimate, quality, questions
from bench.report.lidar.verdicts.base import UNKNOWN, Verdict, family

# What guides in the paper, and in the miniature in its place.
REWARDS = ("imagereward", "preference")

CLAIMS = (
    cost.speedup,
    estimate.more_samples,
    estimate.more_steps,
    estimate.root_n,
    estimate.root_delta,
    cost.target_time,
    cost.memory,
    estimate.absolute,
    estimate.relative,
    quality.hacking,
    quality.lifts,
    quality.collapse,
    quality.keeps,
    quality.with_smc,
    quality.with_bon,
    quality.with_dpo,
    questions.elsewhere,
    questions.best_of_n,
    questions.lookahead,
    questions.clutter,
)


def apply(evidence: Evidence) -> bool:
    """Whether the claims are about such cells at all: of GenEval's prompts and of the reward that
    the backbone's own settings name."""
    sources = {
        config["prompts"].get("source", "geneval") for config in evidence.results.cells.config
    }
    return evidence.results.reward in REWARDS and sources == {"geneval"}


def decided(found: list[Verdict]) -> list[Verdict]:
    """The verdicts that say something; none where all that do are read off the ground truth."""
    some = [v for v in found if v.outcome != UNKNOWN]
    return some if any(estimate.SEE not in v.measured for v in some) else []


def corrections(found: list[Verdict]) -> str:
    """How many verdicts Holm's correction was for, and which it changed, in a sentence."""
    tested = [v for v in found if v.p is not None]
    changed = ", ".join(v.claim.number for v in tested if v.corrected)
    return (
        f"{len(tested)} of the {len(found)} claims are judged by intervals; Holm's correction, for "
        f"all of them together, took back {changed or 'none'}. All are exploratory."
    )


def verdicts(evidence: Evidence) -> list[Verdict]:
    """One verdict a claim, in the paper's order, the open questions last; those that rest on
    intervals corrected together."""
    return family([claim(evidence) for claim in CLAIMS])
