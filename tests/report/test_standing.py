"""The line of a cell in the table that grows while a run is under way."""

from bench.report.load import load
from bench.report.summary import summarize
from bench.run.standing import line
from bench.store.records import read_records


def test_a_cells_line_has_the_means_that_the_report_will_have(folder):
    results = load(folder)
    summary = summarize(results)
    for cell, row in summary.iterrows():
        records = read_records(folder / "cells" / cell / "records.jsonl").finished.values()
        parts = line("3/9", row.method, records, results.reward).split()
        shown = [f"{row.geneval:.3f}", f"{row[f'score.{results.reward}']:.3f}", f"{row.cost:.2f}×"]
        assert parts == ["3/9", row.method, *shown, f"{row.seconds:.3g}"]


def test_a_cell_without_a_finished_prompt_has_a_line_of_dashes():
    assert line("1/9", "vanilla", [], "preference").split() == ["1/9", "vanilla", *"––––"]
