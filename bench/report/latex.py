"""A table for a paper: booktabs, every text escaped."""

from __future__ import annotations

import pandas as pd

from bench.report.document import Table

SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≈": r"$\approx$",
    "√": r"$\surd$",
    "Σ": r"$\Sigma$",
    "λ": r"$\lambda$",
    "δ": r"$\delta$",
    "ρ": r"$\rho$",
    "²": r"$^2$",
    "V̂": r"$\hat V$",
    "“": "``",
    "”": "''",
}


def escape(text: str) -> str:
    """``text`` on one line with every character that LaTeX reads as syntax made literal."""
    text = " ".join(text.split())
    found = text.replace("V̂", "\0")
    return "".join(SPECIAL.get("V̂" if c == "\0" else c, c) for c in found)


def latex(table: Table) -> str:
    """A tabular with booktabs' rules; the caption stands above it as a comment.

    Columns of prose are 5 cm paragraphs. Needs ``\\usepackage{booktabs}``.
    """
    shown: pd.DataFrame = table.shown
    heads = [str(column) for column in shown.columns]
    columns = "".join(
        "p{5cm}" if head in table.prose else "r" if place else "l"
        for place, head in enumerate(heads)
    )
    lines = ["% " + " ".join(table.caption.split())] if table.caption else []
    lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _row(heads), r"\midrule"]
    lines += [_row([str(value) for value in row]) for row in shown.to_numpy()]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _row(values: list[str]) -> str:
    # A bracket at the head of a row would be read as the argument of the \\ before it.
    return "{}" + " & ".join(map(escape, values)) + r" \\"
