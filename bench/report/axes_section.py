"""The section on axes of cost: a figure, the ranks on each axis, and every count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.report import style, table
from bench.report.axes import AXES, LEAST, Compared, Exchange, exchanges, rankings
from bench.report.counting import RULE, column, source
from bench.report.document import Bullets, Part, Picture, Section, Table, Text

TITLE = "How the ranking changes from axis to axis"
CROWDED = 12  # methods, above which bars would hide them
TOLD = 12  # exchanges that are told one by one
FIGURE = (
    "The same settings over each count of what they cost, relative to vanilla sampling in as many "
    "steps (log scale). A line is a method's settings in order of cost; bars are 95% intervals "
    f"over prompts, left out where there are more than {CROWDED} methods. Up is better: an axis of "
    "distances, in log scale, is upside down."
)
COUNTS = (
    f"What each setting costs, for each delivered image. Evaluations as papers count them: {RULE}. "
    "Then exact samples through the networks, forward / backward, where classifier-free guidance "
    "counts two; seconds relative to vanilla on the same prompts."
)
RANKS = (
    "Ranks at equal budgets (times vanilla's cost), with the quality in brackets: of each method "
    "the best setting that costs no more than the budget, give or take a twentieth. Each column "
    "has its own count of costs; a dash: every setting costs more. Settings are picked by what "
    "they attained, which flatters methods with many."
)
EARLIER = (
    "Records of an earlier version are among these. They do not tell passes of the denoiser: its "
    "samples stand in, where classifier-free guidance counts twice."
)
IDEAL = (
    "On mixtures a student is an ideal one: its jump is an ordinary differential equation, solved "
    "in more than a thousand evaluations, and counts as one call. The seconds of methods that ask "
    "it say nothing."
)
ORDERED = "No two methods change places between these axes."


def axes_section(found: Iterable[Compared | None]) -> Section:
    """Of one or several backbones; empty where none can be compared."""
    every = [one for one in found if one is not None]
    if not every:
        return Section(TITLE, ())

    parts: list[Part] = [
        Picture("axes", "Quality against each count of costs", FIGURE, drawn(every))
    ]
    shown, lines = [], []
    for one in every:
        ranks, changed, dear = ranked(one)
        shown.append(ranks)
        lines += said(one, changed, dear) if len(ranks) else []
    if any(map(len, shown)):
        parts.append(Table("ranks", pd.concat(shown).fillna(table.NONE), RANKS))
        parts.append(Bullets(tuple(lines)))
    else:
        parts.append(Text(f"No ranking: at no budget were {LEAST} methods run."))
    counts = [counted(one) for one in every]
    full = pd.concat([one.frame.assign(domain=one.name) for one in every])
    full = full[["domain", "label", "method", "evaluations", *AXES]].reset_index()
    parts.append(Table("axes", pd.concat(counts), COUNTS, full, ("counted so in",)))
    if any(column(one.results.prompts) != "passes" for one in every):
        parts.append(Text(EARLIER))
    if any("flow_map" in own.values() for one in every for own in one.results.cells.every):
        parts.append(Text(IDEAL))
    return Section(TITLE, tuple(parts))


def drawn(every: Sequence[Compared]) -> Figure:
    """Quality over each cost: a row a backbone, a column an axis."""
    names = [name for name in AXES if any(name in one.axes for one in every)]
    methods = list(dict.fromkeys(m for one in every for m in one.frame.method))
    height = 0.6 + 3.1 * len(every) + 0.2 * (len(methods) // 5)
    fig, axes = style.figure(3.2 * len(names), height, columns=len(names), rows=len(every))
    looks = style.looks(pd.DataFrame({"label": methods, "method": methods}))
    for place, one in enumerate(every):
        for name, ax in zip(names, axes[place * len(names) :], strict=False):
            if name not in one.axes:
                ax.set_axis_off()
                continue
            for method in methods:
                own = one.frame[(one.frame.method == method) & one.frame[name].notna()]
                own, look = own.sort_values(name), looks[method]
                bars = style.errors(own, "quality") if len(methods) <= CROWDED else None
                if len(own):
                    ax.errorbar(
                        own[name], own.quality, yerr=bars,
                        marker=look.marker, markersize=0.8 * look.size, markeredgewidth=0,
                        color=look.color, linewidth=1.2, elinewidth=0.8, alpha=0.85,
                        label=style.plain(method),
                    )  # fmt: skip
            ax.set_xscale("log")
            ax.set_xlim(one.frame[name].min() / 1.3, one.frame[name].max() * 1.3)
            style.log_ticks(ax, "×")
            alone = {f"quality.{end}": one.frame.quality for end in ("low", "high")}
            bare = one.frame.assign(**alone if len(methods) > CROWDED else {})
            style.pad(ax, "y", bare, "quality")
            if one.quality.sign < 0:
                ax.set_yscale("log")
                ax.set_ylim(one.frame.quality.max() * 1.3, one.frame.quality.min() / 1.3)
                ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.set_xlabel(f"{AXES[name]}\n/ vanilla's", fontsize=8)
            if name == names[0]:
                what = f"{one.name}\n{one.quality.label}" if one.name else one.quality.label
                ax.set_ylabel(style.plain(what), fontsize=8)
    style.legend(fig, axes, 5)
    return fig


def ranked(one: Compared) -> tuple[pd.DataFrame, list[Exchange], list[str]]:
    """A row a budget and method with its rank on each axis, as text; all exchanges; and in a
    sentence each the methods that one axis has within a budget and another does not."""
    rows: list[dict[str, str]] = []
    changed: list[Exchange] = []
    dear: list[str] = []
    for budget, found in rankings(one):
        changed += exchanges(one, budget, found)
        first, *others = found
        for axis in others:
            if missing := [m for m in found[first].index if m not in found[axis].index]:
                dear.append(
                    f"Within {budget:g}× vanilla's cost if costs are {AXES[first]}, but not if "
                    f"they are {AXES[axis]}: {', '.join(missing)}."
                )
        for method in dict.fromkeys(m for own in found.values() for m in own.index):
            row = {"domain": one.name} if one.name else {}
            row |= {"budget": f"{budget:g}×", "method": method}
            for axis, own in found.items():
                if method in own:
                    value = one.frame.loc[own[method], "quality"]
                    row[AXES[axis]] = f"{own.index.get_loc(method) + 1} ({value:.3f})"
                else:
                    row[AXES[axis]] = table.NONE
            rows.append(row)
    return pd.DataFrame(rows), changed, dear


def said(one: Compared, changed: Sequence[Exchange], dear: Sequence[str]) -> list[str]:
    """What changes places, the clear cases each in a sentence, and ``dear``."""
    clear, before = [c for c in changed if c.clear], f"{one.name}: " if one.name else ""
    lines = [
        f"At {c.budget:g}× vanilla's cost {c.ahead} is better than {c.behind} if costs are "
        f"{AXES[c.axis]} ({table.spelled(c.gain, '{:+z.3f}')}), and worse if they are "
        f"{AXES[c.other]} ({table.spelled(c.loss, '{:+z.3f}')})."
        for c in clear[:TOLD]
    ]
    if len(clear) > TOLD:
        lines.append(f"And {len(clear) - TOLD} more such exchanges, both differences clear.")
    if rest := len(changed) - len(clear):
        lines.append(f"Exchanges where at least one of the two differences is a tie: {rest}.")
    return [before + line for line in [*(lines or [ORDERED]), *dear]]


def counted(one: Compared) -> pd.DataFrame:
    """A row a cell: what it costs by each count, and where the papers' is written."""
    rows = []
    for cell, row in one.frame.iterrows():
        images = float(one.results.of(str(cell)).images.mean())
        shown = {"domain": one.name} if one.name else {}
        shown |= {"method": row.label, "evaluations": f"{row.evaluations:.4g}"}
        for head, kind in (("denoiser", "denoiser"), ("decodes", "decode"), ("rewards", "reward")):
            ways = (row[f"calls.{kind}{way}"] / images for way in ("", "_backward"))
            shown[f"{head} fwd / bwd"] = " / ".join(f"{count:.4g}" for count in ways)
        shown["seconds / vanilla"] = table.spread(row, "cost", "{:.2f}")
        rows.append(shown | {"counted so in": source(str(row.method))})
    return pd.DataFrame(rows)
