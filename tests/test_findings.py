"""README's findings are those of the committed records."""

import re

import pandas as pd
import pytest

import bench
from bench.config.compose import CONF
from bench.report.evidence import gather
from bench.report.load import load

ROOT = CONF.parent
MEASURED = ROOT / "results" / "measured"
README = (ROOT / "README.md").read_text()
WORDS = " ".join(README.split())
CELLS = {  # README's words -> the cell's method, and settings that single it out
    "vanilla": ("vanilla", {}),
    "LiDAR, n = 16": ("lidar", {"efr.lookahead.n": "16.0"}),
    "LiDAR, n = 50": ("lidar", {"efr.lookahead.n": "50.0"}),
    "its best lookahead samples alone": ("best_of_lookahead", {}),
    "Best-of-N, jointly": ("best_of_n_joint", {}),
    "FK steering": ("fk_smc", {}),
    "SVDD": ("svdd", {}),
    "universal guidance": ("ug", {}),
    "DATE": ("date", {}),
    "FMTT": ("fmtt", {}),
    "FMRG-J": ("fmrg_j", {}),
    "RBF": ("rbf", {}),
}
ROWS = [words for words in CELLS if re.search(rf"^\| {re.escape(words)} \|", README, re.MULTILINE)]


@pytest.fixture(scope="module")
def evidence():
    return gather(load(MEASURED / "evidence"))


def cell_of(evidence, words):
    method, settings = CELLS[words]
    cells = evidence.results.cells
    own = cells[cells.method == method]
    own = own[[all(every.get(k) == v for k, v in settings.items()) for every in own.every]]
    (cell,) = own.index
    return str(cell)


def told(value, low, high):
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]".replace("-", "−")


def row_of(evidence, words):
    """README's row of a cell, worked out from the records."""
    results, summary = evidence.results, evidence.summary
    cell = cell_of(evidence, words)
    own, row = results.of(cell), summary.loc[cell]
    by_task = (own.correct / own.images).groupby(own.tag).mean()
    assert row.geneval == pytest.approx(by_task.mean()), "GenEval is the mean of its tasks"
    change = evidence.estimate(cell, "geneval.change")
    vanilla = results.references[cell]
    calls = own[["calls.denoiser", "calls.denoiser_backward"]].sum().sum() / len(own)
    other = results.of(vanilla)
    base = other[["calls.denoiser", "calls.denoiser_backward"]].sum().sum() / len(other)
    return [
        str(len(own)),
        f"{row.geneval:.3f}",
        "–" if cell == vanilla else told(change.value, change.low, change.high),
        f"{row.strict:.3f}",
        f"{row.clutter:.3f}",
        f"{own.distinct.mean():.2f}",
        f"{row.diversity:.2f}",
        f"{calls / base:.2f}×",
    ]


@pytest.mark.parametrize("words", ROWS)
def test_a_row_of_the_findings_is_recomputed_from_the_committed_records(words, evidence):
    row = re.search(rf"^\| {re.escape(words)} \|(.*)\|$", README, re.MULTILINE)[1]
    assert [part.strip() for part in row.split("|")] == row_of(evidence, words)


def test_the_diversity_that_is_kept_is_told(evidence):
    vanilla = evidence.summary.diversity[cell_of(evidence, "vanilla")]
    for words, name in (
        ("it keeps {} of vanilla's diversity", "LiDAR, n = 16"),
        ("its best lookahead samples {}.", "its best lookahead samples alone"),
    ):
        share = evidence.summary.diversity[cell_of(evidence, name)] / vanilla
        assert words.format(f"{100 * share:.0f} %") in WORDS


def test_the_primary_contrasts_are_told_with_their_answers(evidence):
    assert len(evidence.contrasts) == 3
    for one in evidence.contrasts:
        difference = one.difference
        words = f"{told(difference.value, difference.low, difference.high)}, {one.answer}"
        assert words in WORDS, (one.name, words)


def test_what_strength_leaves_behind_is_that_of_the_tuning_trials():
    images = bench.load(MEASURED / "tune")
    found = images.groupby("set.method.steer.guidance.scale").extras.apply(
        lambda extras: (extras.astype(float) > 0).mean()
    )
    words = re.search(
        r"(\d+) % of the images at s = 4 have extra objects, (\d+) % at s = 12, (\d+) % at s = 36",
        WORDS,
    )
    told_shares = [int(share) for share in words.groups()]
    assert len(images) == 3 * 48 * 4
    assert told_shares == [round(100 * found[s]) for s in (4, 12, 36)]


@pytest.mark.parametrize("folder", ["ground_truth", "reward_gradients", "second_reward"])
def test_intervals_of_a_paragraph_stand_in_the_report_that_it_links(folder):
    report = (MEASURED / folder / "report.md").read_text().replace("\\", "").replace("-", "−")
    paragraph = next(p for p in re.split(r"\n(?:\n|- )", README) if f"{folder}/report.md" in p)
    numbers = re.findall(r"−?\d\.\d+ \[[^\]]+\]", " ".join(paragraph.split()))
    assert len(numbers) >= 2
    for number in numbers:
        assert number in report, number


def test_lidar_gains_in_nine_domains_and_beats_its_samples_in_none():
    tables = MEASURED / "domains" / "tables"
    controls, gains = (pd.read_csv(tables / f"{name}.csv") for name in ("controls", "gains"))
    own = controls[controls.control == "best_of_lookahead"].drop_duplicates("domain")
    assert len(own) == 10
    assert ((own["less.high"] < 0).sum(), (own["less.low"] > 0).sum()) == (8, 0)
    lidar = gains[gains.cell.isin(own.cell)].drop_duplicates("domain")
    assert (lidar["gain.low"] > 0).sum() == 9
    assert "over vanilla in nine and over its own best lookahead samples in none" in WORDS
    assert "loses to them in eight and ties in two" in WORDS


def seconds():
    summary = gather(load(MEASURED / "timing")).summary
    assert (summary.busy == "").all(), "the machine was quiet"
    return {row.label: f"{row.cost:.2f}×" for row in summary.itertuples()}


def test_seconds_are_those_of_the_timing_run():
    known = seconds()
    words = re.search(
        r"LiDAR takes (\S+) its seconds, universal guidance (\S+), FMTT (\S+), FMRG-J (\S+)\.",
        WORDS,
    )
    cells = ("lidar (n 16)", "ug", "fmtt", "fmrg_j")
    assert list(words.groups()) == [known[cell] for cell in cells]


def test_the_tuned_settings_are_those_of_the_miniature():
    from bench.config.compose import cell_settings

    rows = pd.read_csv(MEASURED / "tune" / "tuning.csv")
    chosen = rows[rows.chosen]
    assert len(chosen) >= 9 and (chosen.prompts == 48).all()
    for row in chosen.itertuples():
        settings = cell_settings([f"method={row.method}"], [])
        for key in row.setting.split(", "):
            value = settings["method"]
            for part in key.split("."):
                value = value[part]
            assert float(value) == row.value, (row.method, key)


def test_the_cost_model_is_as_near_to_the_paper_as_readme_says():
    folders = MEASURED.glob("cost_model_sd*")
    tables = [pd.read_csv(folder / "tables" / "predicted.csv") for folder in folders]
    found = pd.concat(tables)
    error = (found.roofline / found.paper - 1).abs()
    near, count, percent = map(
        int,
        re.search(
            r"(\d+) of the (\d+) cost ratios that the paper measured within (\d+) %", WORDS
        ).groups(),
    )
    assert len(found) == count and (error <= percent / 100).sum() == near
    assert (error <= 0.055).sum() > near / 2, "most within 5 %"
    assert set(found.method[error > percent / 100]) == {"date"}
