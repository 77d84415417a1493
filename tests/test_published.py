"""The paper's rows: found for a cell with the paper's settings, and for no other."""

import csv
from dataclasses import astuple
from pathlib import Path

import pytest

from bench.config.compose import cell_settings
from bench.config.defaults import changed
from bench.report.lidar.published import Key, key_of, published, rows

TABLES = Path(__file__).parents[1] / "results" / "published"

SD15 = ["backbone=sd15", "steps=100"]
SDXL = ["backbone=sdxl", "steps=100"]
METRICS = ("geneval", "imagereward", "clip", "hps", "seconds", "memory")


def found(*overrides):
    settings = cell_settings(overrides, [])
    return published(settings | {"changed": changed(settings)})


def line(table, **where):
    """The one line of a table's file where the columns hold these texts."""
    with (TABLES / f"{table}.csv").open() as file:
        (own,) = [r for r in csv.DictReader(file) if all(r[k] == v for k, v in where.items())]
    return own


def numbers(own):
    """A line's metrics as `Published` has them."""
    texts = {name: own.get("memory_gib" if name == "memory" else name) for name in METRICS}
    return {name: float(text) for name, text in texts.items() if text}


def shown(row):
    return {name: getattr(row, name) for name in METRICS if getattr(row, name) is not None}


LCM = "++lookahead={solver:lcm,steps:4,n:100}"
ROWS = [
    ([*SD15, "method=ug"], "table2", {"backbone": "sd15", "solver": "ddpm100", "method": "ug"}),
    ([*SD15, "method=lidar"], "table2", {"backbone": "sd15", "solver": "ddpm100", "n": "50"}),
    ([*SDXL, "method=date"], "table2", {"backbone": "sdxl", "method": "date"}),
    ([*SDXL, "method=lidar", LCM], "table2", {"backbone": "sdxl", "lookahead": "lcm4"}),
    (
        ["backbone=sdxl", "solver=ddim", "steps=50", "method=lidar", "method.efr.lookahead.n=9"],
        "table10_sdxl_ddim",
        {"n": "9"},
    ),
    (
        ["backbone=flux_dev", "steps=28", "method=lidar", "method.efr.lookahead.n=100"],
        "table3_flux",
        {"n": "100"},
    ),
    (
        ["backbone=sd15_dpo", "steps=100", "method=lidar", "method.efr.lookahead.n=3"],
        "table5_small_budget",
        {"backbone": "sd15_dpo", "n": "3"},
    ),
    (
        [*SD15, "method=lidar", "method.efr.lookahead.n=3", "method.efr.lookahead.steps=3"],
        "table5_small_budget",
        {"lookahead": "dpm3"},
    ),
    (
        [*SD15, "method=sparse_repellency"],
        "table7_negative_guidance",
        {"method": "sparse_repellency"},
    ),
]


@pytest.mark.parametrize(("overrides", "table", "where"), ROWS)
def test_a_cell_with_the_paper_s_settings_has_its_line_of_the_file(overrides, table, where):
    row = found(*overrides)
    assert row is not None and shown(row) == numbers(line(table, **where))
    assert table.split("_")[0] in row.tables


def test_numbers_as_printed_in_the_paper():
    row = found(*SDXL, "method=lidar", "++lookahead={solver:dmd2,steps:1,n:100}")
    assert (row.geneval, row.imagereward, row.seconds, row.memory) == (0.598, 1.006, 78.67, 33.84)
    assert row.ratio == pytest.approx(78.67 / 42.00) and row.hps == 0.302


def test_vanilla_with_more_steps_is_the_paper_s_long_vanilla():
    overrides = ["backbone=sd15", "solver=ddim", "steps=50", "method=vanilla_more_steps"]
    row = found(*overrides, "method.steps_factor=4")
    assert row.seconds == 14.09 and row.ratio == pytest.approx(14.09 / 3.58)
    assert found(*overrides) is None, "it has none of 100 steps"
    own = found("backbone=sd15", "steps=250", "method=vanilla")
    assert own.seconds == 17.42 and own.ratio == 1


@pytest.mark.parametrize(("share", "column"), [(0.1, "0.9"), (0.6, "0.4"), (0.9, "0.1")])
def test_a_mix_of_rewards_has_the_line_of_its_weights(share, column):
    weights = f"{{imagereward:{round(1 - share, 1)},clip:{share}}}"
    experiment = ["experiment=paper/table6", "backbone=sd15", "method=lidar"]
    row = found(*experiment, f"++rewards.mix.of={weights}")
    expected = numbers(line("table6_reward_mix", imagereward_weight=column))
    assert shown(row) == expected and row.tables == ("table6",)
    assert found(*experiment, "++rewards.mix.of={imagereward:0.5,hps:0.5}") is None


def test_a_cell_guided_by_clip_alone_has_the_line_of_clip_alone():
    row = found(*SD15, "method=lidar", "reward=clip")
    assert shown(row) == numbers(line("table6_reward_mix", clip_weight="1.0"))


@pytest.mark.parametrize(
    ("overrides", "value"),
    [
        (["method=best_of_n", "method.steer.best_of_n.n=8"], 0.948),
        (["method=lidar_bon", "method.steer.best_of_n.n=64"], 1.418),
        (["method=fk_smc", "method.steer.smc.particles=2"], 0.267),
        (["method=fk_smc"], 0.568),
        (["method=fk_smc", "images=16"], 1.033),
        (["method=lidar_smc", "images=8"], 1.122),
        (["method=smc_bon", "method.steer.best_of_n.n=2", "method.steer.smc.particles=2"], 0.336),
        (
            [
                "method=lidar_smc_bon",
                "method.steer.best_of_n.n=32",
                "method.steer.smc.particles=32",
            ],
            1.452,
        ),
    ],
)
def test_a_population_of_table_8_is_found_by_its_particles(overrides, value):
    row = found(*SD15, *overrides)
    assert row.imagereward == value and row.tables == ("table8",)
    assert row.geneval is None and row.ratio is None


def test_a_line_of_several_tables_names_them_all():
    assert found(*SD15, "method=vanilla").tables == (
        *("table2", "table5", "table6", "table7", "table8"),
    )
    assert found(*SD15, "method=vanilla").ratio == 1


@pytest.mark.parametrize(
    "overrides",
    [
        ["method=vanilla"],
        ["backbone=sd21", "steps=100"],
        [*SD15, "method=lidar", "method.efr.lookahead.n=49"],
        [*SD15, "method=lidar", "method.efr.lookahead.solver=euler"],
        [*SD15, "method=lidar", "method.steer.guidance.scale=3"],
        [*SD15, "method=lidar", "method.steer.guidance.interval=[0,1]"],
        [*SD15, "method=lidar", "reward=hps"],
        [*SD15, "method=lidar", "images=2"],
        [*SD15, "method=ug", "method.efr.tweedie.scale=2"],
        [*SD15, "method=date", "method.steer.embedding.every=1"],
        [*SD15, "method=fk_smc", "method.steer.smc.adaptive=true"],
        [*SD15, "method=smc_bon", "method.steer.best_of_n.n=4"],
        [*SD15, "method=best_of_n", "method.steer.best_of_n.n=4", "images=2"],
        [*SD15, "method=rollout"],
        ["backbone=sd15", "steps=99", "method=ug"],
        [*SD15, "method=pair", "method.name=other"],
    ],
)
def test_another_setting_has_no_line(overrides):
    assert found(*overrides) is None


def test_every_number_of_every_table_with_a_cell_is_in_a_row():
    """All but table 4's, table 9's components and GenEval's own table. Of a row that is in several
    tables the one with most digits is kept."""
    tables = ("table2", "table10_sdxl_ddim", "table3_flux", "table5_small_budget")
    for table in (*tables, "table6_reward_mix", "table7_negative_guidance"):
        own = [row for row in rows().values() if table.split("_")[0] in row["tables"]]
        with (TABLES / f"{table}.csv").open() as file:
            lines = [numbers(line) for line in csv.DictReader(file)]
        assert len(own) == len(lines)
        for line in lines:
            assert any(line == pytest.approx({k: row.get(k) for k in line}, abs=0.005)
                       for row in own), line  # fmt: skip
    with (TABLES / "table8_populations.csv").open() as file:
        shown = {float(v) for line in csv.DictReader(file) for k, v in line.items() if k.isdigit()}
    own = [row["imagereward"] for row in rows().values() if "table8" in row["tables"]]
    assert all(any(value == pytest.approx(v, abs=0.005) for v in own) for value in shown)


def test_the_key_of_a_cell_says_what_it_is_of():
    settings = cell_settings([*SDXL, "method=lidar"], [])
    assert published(settings) is None, "a cell of an earlier version does not say what changed"
    settings |= {"changed": changed(settings)}
    assert key_of(settings) == Key("sdxl", "ddpm100", "lidar", "dpm8", 50)
    assert astuple(published(settings))[0] == 0.585


def fmrg():
    with (TABLES / "fmrg_geneval.csv").open() as file:
        return list(csv.DictReader(file))


def test_fmrg_s_table_has_each_of_its_rows_once_with_its_source():
    lines = fmrg()
    assert len({(line["method"], line["nfe"]) for line in lines}) == len(lines) == 26
    assert all(0.6 < float(line["geneval"]) <= 0.8 and "@" in line["source"] for line in lines)
    by_method = {}
    for line in lines:
        by_method.setdefault(line["method"], []).append(float(line["geneval"]))
    assert all(values == sorted(values) for values in by_method.values()), "more never does harm"
    assert (by_method["fmrg_j"][3], by_method["reno"][-1], by_method["vanilla"]) == (
        *(0.781, 0.719),
        [0.662],
    )


def test_what_fmrg_calls_nfe_are_forward_passes_of_its_flow_map_alone():
    """From its settings: a pass or two a step and particle, one a particle to choose among them,
    one an unguided step. Neither J's backward passes nor E's three iterations of Adam, nor decodes
    and rewards, are in the number. Two of the names are not what their settings give."""
    off = {}
    for line in fmrg():
        if line["guided_steps"]:
            steps, warmup, particles, each, rest = (
                int(line[key])
                for key in (
                    *("guided_steps", "warmup_steps", "warmup_particles"),
                    *("evaluations_a_step", "unguided_steps"),
                )
            )
            chosen = particles if warmup else 0
            passes = (steps - warmup + warmup * particles) * each + chosen + rest
            if passes != int(line["nfe"]):
                off[line["nfe"]] = passes
    assert off == {"100": 101, "81": 101}
