"""Every claim of the paper and every open question, against what a results folder holds."""

from bench.report.evidence import Evidence
from bench.report.lidar.verdicts import cost, estimate, quality, questions
from bench.report.lidar.verdicts.base import Verdict

CLAIMS = (
    cost.speedup,
    estimate.more_samples,
    estimate.more_steps,
    estimate.root_n,
    estimate.root_delta,
    cost.target_time,
    cost.memory,
    estimate.taylor,
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
    questions.diversity,
)


def verdicts(evidence: Evidence) -> list[Verdict]:
    """One verdict a claim, in the paper's order, the open questions last."""
    return [claim(evidence) for claim in CLAIMS]
