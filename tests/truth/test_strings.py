"""The enumerated world of strings: its problems, its judge, its report, and what runs there."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from rich.console import Console

from bench.config.cell import make_cell
from bench.config.compose import cell_settings, groups
from bench.errors import BenchError
from bench.report.build import build
from bench.report.truth.curves import slope
from bench.report.truth.findings import rules
from bench.report.truth.read import load as load_report
from bench.run.cells import run_cells
from bench.run.job import plan
from bench.store.records import read_records
from bench.tokens.judge import StringsJudge, load, reference
from bench.tokens.problems import generate, prior, reward
from bench.tokens.reward import StringsReward
from tests.small import GUIDERS, STUDENTS, shrunk

L, K, SCALE = 3, 4, 1.5
EVERY = torch.tensor(list(product(range(K), repeat=L)))  # all strings, (64, 3)
INDEPENDENT, CORRELATED = (row["prompt"] for row in generate(1, 0))
METADATA = {"tag": "correlated", "prompt": CORRELATED}


def target(prompt, name="table"):
    table = prior(prompt, L, K)
    return table.tilted(reward(name, prompt, EVERY), SCALE)[1]


def exact(prompt, count):
    uniform = torch.rand(count, generator=torch.Generator().manual_seed(3)).double()
    return target(prompt).sample(uniform).argmax(dim=-1)


def test_a_problem_is_drawn_by_its_text():
    assert [row["tag"] for row in generate(2, 0)] == ["independent"] * 2 + ["correlated"] * 2
    same, other = prior(CORRELATED, L, K), prior(CORRELATED.replace("0 of", "1 of"), L, K)
    assert torch.equal(same.log_weights, prior(CORRELATED, L, K).log_weights)
    assert not torch.allclose(same.log_weights, other.log_weights)
    assert torch.equal(same.points.argmax(dim=-1), EVERY)
    with pytest.raises(ValueError, match="first word must be one of independent, correlated"):
        prior("a cat", L, K)


def test_independent_tokens_are_independent_and_correlated_ones_are_not():
    def gap(prompt):
        table = prior(prompt, L, K)
        letters = table.mean()
        product_ = torch.einsum("a,b,c->abc", *letters).flatten()
        return float((table.probabilities() - product_).abs().sum())

    assert gap(INDEPENDENT) < 1e-6 < 0.1 < gap(CORRELATED)


def test_an_additive_reward_adds_a_number_for_each_token_and_a_table_does_not():
    def mixed(name):  # r(ab) − r(cb) − r(ad) + r(cd), on the first two places
        r = reward(name, CORRELATED, EVERY).reshape(K, K, K)
        return float((r[0, 0] - r[1, 0] - r[0, 1] + r[1, 1]).abs().max())

    assert mixed("additive") < 1e-6 and mixed("table") > 0.1


def test_a_reward_looks_a_string_up_whatever_else_is_scored_and_however_many_letters_there_are():
    for name in ("table", "additive"):
        known = StringsReward(name)
        whole = known.closed_form(CORRELATED, prior(CORRELATED, L, K))
        assert torch.equal(known(EVERY[[7, 7, 2]], CORRELATED), whole[[7, 7, 2]])
        larger = known.closed_form(CORRELATED, prior(CORRELATED, L, 5)).reshape(5, 5, 5)
        assert torch.equal(larger[:K, :K, :K].flatten(), whole)
    with pytest.raises(ValueError, match=r"reward table scores token ids \(B, L\)"):
        StringsReward("table")(torch.rand(2, 3), CORRELATED)


def test_total_variation_is_that_of_a_direct_count():
    strings, truth = exact(CORRELATED, 200), target(CORRELATED).probabilities()
    found = StringsJudge(["table", "additive"], "table", SCALE, K).judge(METADATA, strings)
    counted = dict.fromkeys(product(range(K), repeat=L), 0)
    for row in strings.tolist():
        counted[tuple(row)] += 1
    by_hand = sum(abs(c / 200 - float(p)) for c, p in zip(counted.values(), truth, strict=True)) / 2
    assert found["distance"]["tv"] == pytest.approx(by_hand, abs=1e-6)
    marginals = [
        sum(abs(float((own == a).double().mean() - truth[every == a].sum())) for a in range(K)) / 2
        for own, every in zip(strings.T, EVERY.T, strict=True)
    ]
    assert found["distance"]["letters"] == pytest.approx(np.mean(marginals), abs=1e-6)
    pairs = [int((a != b).sum()) for a, b in combinations(strings, 2)]
    assert found["diversity"] == pytest.approx(np.mean(pairs), abs=1e-6)
    apart = (EVERY[:, None] != EVERY[None]).sum(-1).double()
    assert found["target_diversity"] == pytest.approx(float(truth @ apart @ truth), abs=1e-5)
    for name in ("table", "additive"):
        every = reward(name, CORRELATED, EVERY)
        assert found["target"][name] == pytest.approx(float(truth @ every), abs=1e-5)
    assert len(found["scores"]["additive"]) == 200


def test_exact_strings_judge_as_the_floor_and_the_prior_s_do_not():
    judge = StringsJudge(["table"], "table", SCALE, K)
    uniform = torch.rand(500, generator=torch.Generator().manual_seed(4)).double()
    plain = prior(CORRELATED, L, K).sample(uniform).argmax(dim=-1)
    good, bad = (judge.judge(METADATA, own)["distance"] for own in (exact(CORRELATED, 500), plain))
    assert good["tv"] < 1.5 * good["tv_floor"] and good["letters"] < 2 * good["letters_floor"]
    assert bad["tv"] > 3 * bad["tv_floor"]
    few, many = (reference(CORRELATED, "table", SCALE, n, L, K).floors for n in (200, 3200))
    assert many["tv"] == pytest.approx(few["tv"] / 4, rel=0.2)  # as one over the root of n


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("backbone.length=17", "backbone.length must be an integer from 1 to 16"),
        ("backbone.letters=1", "backbone.letters must be an integer >= 2"),
        ("backbone.length=9 backbone.letters=4", "must be at most 65536 strings, got 262144"),
        ("~backbone.letters", "there is no backbone.letters, and it is needed"),
        ("backbone.solvers.ancestral.stochastic=false", "backbone.solvers must be {'ancestral'"),
        ("solver=ddpm", "solver must be one of ancestral, got 'ddpm'"),
        ("judge=none", "backbone=strings, prompts.source=strings and judge=truth go together"),
        ("prompts=mixture", "backbone=strings, prompts.source=strings and judge=truth go together"),
        ("reward=quadratic", "reward must be one of table, additive, got 'quadratic'"),
        ("+rewards.jpeg={kind:jpeg} reward=jpeg", "reward jpeg does not score the strings"),
        ("method=lidar method.efr.lookahead.cfg=3", "cfg must be null"),
        ("method=lidar method.efr.lookahead.smoothing=1", "no Gaussian noise around it"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_explained(overrides, message):
    with pytest.raises(BenchError, match=message):
        make_cell(cell_settings(["backbone=strings", *overrides.split()], []))


def test_truth_needs_the_target_s_lambda():
    with pytest.raises(BenchError, match="judge=truth needs target_scale"):
        load(["table"], "table", None, {"kind": "strings", "letters": K})


CONTINUOUS = {
    *("das", "date", "dno", "lgd", "noise_search", "rollout_glass", "sparse_repellency"),
    *("demon", "draft_best_of_n", "evosearch", "sop"),
    *("tfg", "ug", "ug_full"),
}


@pytest.mark.parametrize("method", groups()["method"])
def test_every_method_runs_on_strings_or_is_refused_for_a_reason(method, tmp_path):
    settings = cell_settings(
        ["backbone=strings", f"method={method}", "steps=4", "images=4", "prompts.limit=1"], []
    )
    shrunk(settings["method"])
    if method in STUDENTS:
        with pytest.raises(BenchError, match="must name the solver of a distilled denoiser"):
            make_cell(settings)
        return
    if method in GUIDERS:
        with pytest.raises(BenchError, match=r"needs a (UNet under|flow-matching model)"):
            make_cell(settings)
        return
    if method in STUDENTS:
        with pytest.raises(BenchError, match=r"solver of a distilled denoiser, and .* has none"):
            make_cell(settings)
        return
    if method in CONTINUOUS:
        with pytest.raises(BenchError, match="continuous latents: a string of tokens has no"):
            make_cell(settings)
        return
    run_cells([make_cell(settings)], tmp_path, Console(quiet=True))
    (path,) = tmp_path.glob("cells/*/records.jsonl")
    (record,) = read_records(path).by_index.values()
    assert record.error is None
    strings = np.load(path.parent / "images" / record.images[0])
    assert strings.shape == (4, L) and strings.dtype == np.int64
    ends = ("", "_floor", "_perfect")
    assert set(record.distance) == {name + end for name in ("tv", "letters") for end in ends}


TOY = ["experiment=ground_truth", "prompts.n=2"]
STRINGS = "backbone=strings steps=12 images=100 lookahead.steps=12"
LINES = [
    f"method=vanilla,exact {STRINGS}",
    "method=lidar_tokens method.steer.token_guidance.rule=token,ratio method.efr.lookahead.n=256 "
    f"reward=table,additive {STRINGS}",
    f"method=probe method.efr.lookahead.n=64,256,1024 {STRINGS} images=10 prompts.n=6",
]
ON_MIXTURES = ["method=vanilla,exact images=24 steps=8 prompts.n=1"]


def run(folder, lines):
    run_cells(plan(OmegaConf.create({"cells": lines}), TOY), folder, Console(quiet=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    results = tmp_path_factory.mktemp("strings") / "ground_truth"
    run(results, LINES)
    build(results)
    return results


def test_the_error_of_lidar_s_estimate_falls_as_one_over_the_root_of_n(folder):
    errors = pd.read_csv(folder / "tables" / "estimators_strings.csv")
    assert list(errors.n) == [64, 256, 1024]
    assert -0.6 < slope(errors.n, errors["shift"]) < -0.4


def test_the_report_on_strings_orders_methods_by_total_variation(folder):
    page = (folder / "report.md").read_text()
    table = pd.read_csv(folder / "tables" / "methods_strings.csv").set_index("label")
    assert list(table.tv) == sorted(table.tv) and table.method.iloc[-1] == "vanilla"
    assert "TV / floor" in page and "theorem 3.5" in page and "W2" not in page
    assert not (folder / "tables" / "methods.csv").exists()
    assert table.tv[table.method == "exact"].iloc[0] < 1.4
    missing = (
        "Knobs, Methods against the length, Estimators against λ, Estimators against the length."
    )
    assert f"lack of such cells: {missing}" in page


def test_the_token_rule_is_right_where_tokens_are_independent_and_their_rewards_add_up(folder):
    (truth,) = load_report(folder)
    said = list(rules(truth.cells, truth.methods))
    assert len(said) == 4 and said[0].startswith("reward additive, correlated tokens, n = 256")
    rows = truth.methods.merge(
        truth.cells.assign(rule=truth.cells.settings.str["steer.token_guidance.rule"])[["rule"]],
        left_on="cell", right_index=True,
    )  # fmt: skip
    form = rows.cell.map(truth.cells.reward)
    found = rows.groupby([form, rows.tag, rows.rule]).tv.mean()
    assert found["additive", "independent", "token"] < 1.5
    for place in (("additive", "correlated"), ("table", "independent"), ("table", "correlated")):
        assert found[(*place, "token")] > 1.3 * found[(*place, "ratio")]


def test_strings_and_mixtures_share_a_folder_and_keep_their_tables_apart(folder, tmp_path):
    copy = tmp_path / "ground_truth"
    run(copy, ON_MIXTURES)
    build(copy)
    alone = (copy / "tables" / "methods.csv").read_bytes()
    for cell in folder.glob("cells/*"):
        (copy / "cells" / cell.name).symlink_to(cell)
    page = build(copy).read_text()
    assert (copy / "tables" / "methods.csv").read_bytes() == alone
    both = (folder / "tables" / "methods_strings.csv").read_bytes()
    assert (copy / "tables" / "methods_strings.csv").read_bytes() == both
    for title in ("Methods on mixture", "Methods on strings", "Estimators on strings"):
        assert f"## {title}\n" in page
