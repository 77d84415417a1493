"""Sentences made from the numbers: what LiDAR gains in each domain, and how many are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench import stats
from bench.report.domains.controls import CONTROLS, Against, nearest, settings
from bench.report.domains.read import Domain
from bench.stats.control import SAME


@dataclass(frozen=True)
class Verdict:
    """What is said of LiDAR's typical cell in a domain: against vanilla, and against the best
    control in reward and, where the target is known, in the distance to it."""

    domain: Domain
    cell: str
    best: Against | None

    def outcomes(self, level: float = stats.LEVEL) -> list[str]:
        """ "gains", "loses" or "ties" of each question, "open" where calls are not equal; of the
        distance it "loses" what it is nearer by."""
        found = [_outcome(self.domain.gain_of(self.cell, level))]
        if self.best is not None:
            own = _outcome(self.best.at(level))
            won_cheaply = own == "gains" and not self.best.wins(level)
            found.append("open" if won_cheaply else own)
        if (distance := self.distance(level)) is not None:
            found.append(_outcome(distance[1]))
        return found

    def distance(self, level: float = stats.LEVEL) -> tuple[str, stats.Interval] | None:
        """The best control's setting of the nearest calls, and LiDAR's distance less its own."""
        if self.best is None or "distance" not in self.domain.results.prompts:
            return None
        other = nearest(self.domain, settings(self.domain, self.best.control), self.cell)
        mine, theirs = (self.domain.of(cell, "distance") for cell in (self.cell, other))
        return other, stats.mean(mine - theirs, self.domain.draws, level=level)

    def sentence(self) -> str:
        """Both outcomes, and where the target is known how far from it the rewards are."""
        gain, best = self.domain.gain_of(self.cell), self.best
        calls = self.domain.calls[self.domain.cells.index(self.cell)]
        first, *others = self.outcomes()
        if not gain.known:
            return f"{self.domain.name}: a task with a single prompt, so no interval and no verdict"
        text = f"{self.domain.name}: at {calls:.2f}× vanilla's calls LiDAR "
        text += {
            "gains": f"gains {_told(gain)} over vanilla",
            "loses": f"loses {_told(gain, -1)} to vanilla",
            "ties": f"ties with vanilla ({_signed(gain)})",
        }[first]
        if best is not None:
            name = CONTROLS[best.control]
            d = best.at()
            text += {
                "gains": f" and gains {_told(d)} over {name} at equal calls",
                "loses": f" and loses {_told(d, -1)} to {name} at {_equal(best)} calls",
                "ties": f" and ties with {name} at {_equal(best)} calls ({_signed(d)})",
                "open": f" and gains {_told(d)} over {name}, but a control was run at fewer calls "
                "alone: open",
            }[others[0]]
        return text + self._target()

    def _target(self) -> str:
        results = self.domain.results
        if "overshoot" not in results.prompts:
            return ""
        over = self.domain.in_units(self.domain.of(self.cell, "overshoot"))
        how = {
            "gains": f"is {_told(over)} more reward than the target asks for, an overshoot",
            "loses": f"falls short of the target's reward by {_told(over, -1)}",
            "ties": f"is the target's reward, as far as can be told ({_signed(over)})",
        }[_outcome(over)]
        text = f"; that {how}"
        if (found := self.distance()) is None:
            return text
        other, gap = found
        means = [self.domain.of(cell, "distance").mean() for cell in (self.cell, other)]
        near = {
            "gains": "farther from the target than",
            "loses": "nearer to the target than",
            "ties": "as near to the target, as far as can be told, as",
        }[_outcome(gap)]
        return (
            f"{text}, and its samples are {near} those of {results.cells.label[other]}: "
            f"{means[0]:.2f} against {means[1]:.2f} of the floor ({_signed(gap)})"
        )


def family(verdicts: Sequence[Verdict]) -> str:
    """How many verdicts there are, and which stand once their number is allowed for."""
    plain = [outcome for verdict in verdicts for outcome in verdict.outcomes()]
    count = len(plain)
    level = 1 - (1 - stats.LEVEL) / count
    corrected = [outcome for verdict in verdicts for outcome in verdict.outcomes(level)]
    called = [k for k, outcome in enumerate(plain) if outcome in ("gains", "loses")]
    stand = [k for k in called if corrected[k] == plain[k]]
    return (
        f"{count} verdicts: in each domain over vanilla and over the best control, and where the "
        "target is known, which of the two is nearer to it. Each is by a 95% interval of its own, "
        f"so that of {count} without any true difference {0.05 * count:.1f} would be called "
        f"one. Of the {len(called)} differences called, {len(stand)} stand at "
        f"{100 * level:.2f}%, Bonferroni's level for {count}."
    )


def _outcome(found: stats.Interval) -> str:
    return "gains" if found.low > 0 else "loses" if found.high < 0 else "ties"


def _equal(best: Against) -> str:
    equal = best.stands_in * SAME >= best.calls
    return "equal" if equal else f"fewer ({best.stands_in:.2f}×)"


def _signed(found: stats.Interval) -> str:
    return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"


def _told(found: stats.Interval, sign: int = 1) -> str:
    """ "0.90 [0.71, 1.08]", of a loss by its size."""
    low, high = sorted((sign * found.low, sign * found.high))
    return f"{sign * found.value:.2f} [{low:.2f}, {high:.2f}]"
