"""A table for a paper: booktabs, every text escaped."""

from __future__ import annotations

import re

import pandas as pd

from bench.report.document import Table

SYMBOLS = {
    "<": r"\textless{}", ">": r"\textgreater{}", "–": "--", "−": "$-$", "×": r"$\times$",
    "≥": r"$\geq$", "≤": r"$\leq$", "≈": r"$\approx$", "√": r"$\surd$", "Σ": r"$\Sigma$",
    "λ": r"$\lambda$", "δ": r"$\delta$", "ρ": r"$\rho$", "²": "$^2$", "“": "``", "”": "''",
}  # fmt: skip


def latex(table: Table) -> str:
    """A tabular with booktabs' rules; the caption stands above it as a comment.

    Columns of prose are 5 cm paragraphs. Needs ``\\usepackage{booktabs}``.
    """
    shown: pd.DataFrame = table.shown.map(lambda value: " ".join(str(value).split()))
    columns = "".join(
        "p{5cm}" if head in table.prose else "r" if place else "l"
        for place, head in enumerate(shown.columns)
    )
    text = shown.to_latex(index=False, escape=True, column_format=columns)
    text = text.replace("V̂", r"$\hat V$").translate(str.maketrans(SYMBOLS))
    # A bracket at the head of a row would be read as the argument of the \\ before it.
    text = re.sub(r"^\[", "{}[", text, flags=re.MULTILINE)
    about = " ".join(table.caption.split())
    return f"% {about}\n{text}" if about else text
