"""report.md: the tables and figures of a results folder, with captions, coverage and provenance."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pandas as pd
from rich.console import Console

from bench import stats
from bench.report import cost, grid, quality, style, table
from bench.report.load import Results, load
from bench.report.summary import summarize, tasks

Pictures = list[tuple[str, str, str]]  # file name, heading, caption


def build(folder: Path, show: bool = False, only: Collection[str] | None = None) -> Path:
    """Write tables, figures and report.md into ``folder``; returns the path of report.md.

    ``only`` these cells, None for all there are; ``show`` also prints the result table and the
    notes. Raises FileNotFoundError where there is no cell, ValueError where the records make no
    sense.
    """
    results = load(folder, only)
    summary, by_task = summarize(results), tasks(results)
    table.write_csv(results, summary, by_task)
    lines = table.markdown(table.result_display(results, summary))
    (folder / "table.md").write_text(lines, encoding="utf-8")
    pictures, absent = draw(results, summary, by_task)
    page = [
        f"# {table.escape(', '.join(sorted(set(results.cells.experiment.astype(str)))))}\n",
        *(f"- {table.escape(note)}" for note in notes(results, summary)),
        "\n## Results\n",
        caption(results, summary) + "\n",
        lines,
        *by_task_section(results, by_task),
        *(f"## {head}\n\n{text}\n\n![{head}]({name})\n" for name, head, text in pictures),
        *(f"{text}\n" for text in absent),
        "## Provenance\n",
        "All figures with their intervals: [table.csv](table.csv), [tasks.csv](tasks.csv).\n",
        table.markdown(provenance(results)),
    ]
    path = folder / "report.md"
    path.write_text("\n".join(page), encoding="utf-8")
    if show:
        console = Console()
        brief = table.result_display(results, summary, brief=True)
        table.show(brief, f"{folder.name}: {results.notes[0]}", console)
        for note in notes(results, summary)[1:]:
            console.print(f"- {note}", markup=False, highlight=False)
    return path


def by_task_section(results: Results, by_task: pd.DataFrame) -> list[str]:
    """GenEval by task, in words and as a table; nothing where nothing was judged."""
    if by_task.empty:
        return []
    return [
        "## GenEval by task\n",
        "Share of images correct [95% interval]. An interval of no width, as at 0 or 1, means that "
        f"the prompts do not differ, not that the share is certain. {coverage(results)}\n",
        table.markdown(table.tasks_display(by_task)),
    ]


def draw(
    results: Results, summary: pd.DataFrame, by_task: pd.DataFrame
) -> tuple[Pictures, list[str]]:
    """Write every figure that the records allow; a line for each that they do not."""
    styles = style.looks(summary)
    about = coverage(results)
    figures = [
        (
            "geneval_vs_cost.png",
            "GenEval against cost",
            cost.geneval_vs_cost(summary, styles),
            "Up and to the left is better. Cost is relative to vanilla sampling timed on the same "
            "prompts beside the method.",
        ),
        (
            "speedup.png",
            "Plain cost",
            cost.plain_cost(summary, styles),
            "The plain ratio at these settings, not at matched quality: with a smaller budget a "
            "method would be cheaper and perhaps as good.",
        ),
        (
            "tasks.png",
            "Tasks",
            quality.by_task(by_task, styles),
            "GenEval by task with 95% intervals over prompts.",
        ),
        (
            "tradeoff.png",
            "Reward against other judges",
            quality.tradeoff(summary, results.scores, styles),
            "Changes relative to vanilla on the prompts that both finished. Right of 0 and below "
            "it: the guiding reward rose at that judge's or diversity's expense.",
        ),
    ]
    pictures, absent = [], []
    for name, head, figure, text in figures:
        (results.folder / name).unlink(missing_ok=True)  # none of an earlier report may stay
        if figure is None:
            absent.append(f"No figure “{head}”: the cells hold no measurement for it.")
        else:
            style.save(figure, results.folder / name)
            pictures.append((name, head, f"{text} {about}"))
    grid.draw(results, grid.choose(results)).save(results.folder / "grid.png")
    noise = "the same initial noise" if results.cells.seed.nunique() == 1 else "different seeds"
    text = (
        f"The first image of each method, same prompts, {noise}; tick or cross is GenEval's "
        f"verdict, the number is {table.escape(results.reward)}. Not picked by hand: the first "
        "prompt of every task, those finished by all methods first."
    )
    return [*pictures, ("grid.png", "Images", text)], absent


def coverage(results: Results) -> str:
    """One sentence for every caption: complete, or which cells are not."""
    partial = results.cells[results.cells.coverage != ""]
    if partial.empty:
        return "Complete: every cell has all its prompts and images."
    parts = [f"{row.label} {row.coverage}" for row in partial.itertuples()]
    return table.escape(f"Not complete: {'; '.join(parts)}.")


def caption(results: Results, summary: pd.DataFrame) -> str:
    """What the columns of the result table are, and over which prompts."""
    sizes = sorted({int(n) for n in summary["cost.prompts"] if n})
    timed = f"{'–'.join(map(str, {sizes[0]: 0, sizes[-1]: 0}))} timed" if sizes else "no timed"
    return (
        "GenEval is the mean over tasks of the share of correct images. Intervals are 95% "
        f"intervals by Student's t over prompts, with standard errors from {stats.DRAWS} "
        "bootstrap draws stratified by task, the same draws for every method that finished the "
        "same prompts; a task's own share has Wilson's interval. [–]: a task with a single "
        "prompt, so no interval. “Tie”: the interval of the paired difference to vanilla covers "
        "0. Seconds are the median a prompt; cost is the "
        f"ratio to vanilla on {timed} prompts a cell; calls are means a prompt, forward / "
        f"backward. {coverage(results)}"
    )


def notes(results: Results, summary: pd.DataFrame) -> list[str]:
    """What was skipped or is missing, and where a comparison rests on fewer prompts."""
    found = list(results.notes)
    if results.reference is None:
        return [*found, "no vanilla cell: no differences to vanilla"]
    found.append(f"differences are to the cell {results.reference}")
    for row in summary.itertuples():
        own, common = (
            results.cells.total[row.Index],
            int(summary.loc[row.Index, "geneval.change.prompts"]),
        )
        judged = pd.notna(row.geneval)
        if judged and row.Index != results.reference and common < own:
            found.append(f"{row.label}: compared with vanilla on {common} common prompts of {own}")
    return found


def provenance(results: Results) -> pd.DataFrame:
    """Which cell stands behind each label, with its settings and coverage."""
    columns = ["label", "backbone", "experiment", "seed", "steps", "solver", "code"]
    frame = results.cells[columns].reset_index()
    frame["prompts"] = [f"{row.done} of {row.total}" for row in results.cells.itertuples()]
    return frame[["label", "cell", "prompts", *columns[1:]]]
