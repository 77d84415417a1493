"""What a user writes on the command line: composed, checked, explained before anything starts."""

import pytest
from omegaconf import OmegaConf

from bench.config.build import build_method, check_method
from bench.config.cell import identity, make_cell, parse_shard
from bench.config.compose import CONF, cell_settings, composed, groups
from bench.config.overrides import check_command_line, expand
from bench.errors import BenchError
from bench.report.domains.controls import LIDAR
from bench.run.job import cell_lines, plan
from methods.efr import ESTIMATORS
from methods.steer import STEERS
from tests.small import GUIDERS, STILL

METHODS = [m for m in groups()["method"] if m not in ("lidar_tokens", *GUIDERS)]


def settings(*overrides):
    return cell_settings(overrides, [])


ANALYTIC = ("exact", "exact_smc", "probe")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_config_builds_a_valid_cell(method):
    solver = "ddim" if method in STILL else "ddpm"
    if method not in ANALYTIC:
        cell = make_cell(settings(f"method={method}", f"solver={solver}"))
        assert cell.method.name == method
    on_mixture = make_cell(settings(f"method={method}", f"solver={solver}", "backbone=mixture"))
    assert on_mixture.method.name == method
    scales = {e.scale for e in on_mixture.method.estimators.values()}
    assert scales <= {1.0}, "every estimator's λ follows the target's"


@pytest.mark.parametrize("file", sorted((CONF / "settings").rglob("*.yaml")), ids=str)
def test_settings_of_a_backbone_change_keys_that_their_method_has(file):
    method = settings("backbone=mixture", f"method={file.stem}")["method"]
    target = {"target_scale": 1.0}  # the mixture's, which a setting may follow
    whole = OmegaConf.to_container(OmegaConf.merge(target, OmegaConf.load(file)), resolve=True)
    assert set(whole) - {*target} <= {"defaults", "method", "solver"}
    changed = whole.get("method", {})

    def check(node, known, path):
        for key, value in node.items():
            assert key in known, f"{path}.{key}"
            if isinstance(value, dict):
                check(value, known[key], f"{path}.{key}")

    check(changed, method, "method")
    build_method(OmegaConf.to_container(OmegaConf.merge(method, changed)))


@pytest.mark.parametrize("method", ANALYTIC)
def test_the_exact_estimate_is_refused_where_there_is_none(method):
    message = r"method\.efr\.exact needs a prior and a reward in closed form: backbone=mixture"
    with pytest.raises(BenchError, match=message):
        make_cell(settings(f"method={method}"))


def test_every_estimator_and_steer_has_a_config_with_all_its_keys():
    assert sorted(groups()["efr"]) == sorted(ESTIMATORS)
    assert sorted(groups()["steer"]) == sorted(STEERS)
    from dataclasses import fields

    for group, classes in (("efr", ESTIMATORS), ("steer", STEERS)):
        for name, cls in classes.items():
            node = settings("method=pair", f"{group}@method.{group}={name}")["method"][group][name]
            assert sorted(node) == sorted(f.name for f in fields(cls)), name


def test_a_line_with_commas_makes_a_cell_of_every_combination():
    assert expand("method=vanilla") == [["method=vanilla"]]
    assert expand("method=a,b n=1,2 interval=[0,1]") == [
        [f"method={m}", f"n={n}", "interval=[0,1]"] for m in "ab" for n in (1, 2)
    ]
    assert expand("efr@method.efr=[exact,tweedie]") == [["efr@method.efr=[exact,tweedie]"]]
    assert expand("") == [[]]


def test_a_pair_is_named_on_the_command_line():
    method = make_cell(
        settings("method=pair", "efr@method.efr=tweedie", "steer@method.steer=smc")
    ).method
    assert list(method.estimators) == ["tweedie"]
    assert [type(s).__name__ for s in method.steers.values()] == ["Smc"]


def test_the_command_line_wins_over_the_experiment_s_cell():
    plain = cell_settings(["steps=7", "method.efr.lookahead.n=9"], ["method=lidar", "steps=3"])
    assert plain["steps"] == 7 and plain["method"]["efr"]["lookahead"]["n"] == 9
    assert plain["prompts"]["per_task"] == 2  # the demo's


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method=lidr", "did you mean 'lidar'"),
        ("backbone=minature", "did you mean 'miniature'"),
        ("experiment=dem", "did you mean 'demo'"),
        ("stesp=3", "did you mean 'steps'"),
        ("backbone=mixture reward=clip", "reward must be one of quadratic, linear, got 'clip'"),
        (
            "reward=linear",
            "reward must be one of preference, taste, both, .*got 'linear'",
        ),
        ("backbone=mixture judge=miniature", "go together"),
        ("backbone=mixture target_scale=-1", "target_scale must be a number >= 0"),
        ("backbone=mixture backbone.path=vq", "did you mean 'vp'"),
        ("backbone=mixture prompts.n=0", "prompts.n must be an integer >= 1"),
        ("reward=preferense", "did you mean 'preference'"),
        ("solver=ddpn", "did you mean 'ddpm'"),
        ("judge=minature", "did you mean 'miniature'"),
        ("prompts=drawbensh", "did you mean 'drawbench'"),
        ("prompts.source=genval", "prompts.source must be one of .* did you mean 'geneval'"),
        (
            "prompts.source=file",
            "prompts.source=file needs prompts.path: choose it as prompts=file",
        ),
        ("prompts.per_task=0", "prompts.per_task must be an integer >= 1"),
        ("judge.kind=minature", "judge.kind must be one of .* did you mean 'miniature'"),
        ("judge=none backbone=mixture", "go together"),
        ("judge=truth", "truth goes with another backbone than miniature"),
        ("judge=mask2former judge.batch=0", "judge.batch must be an integer >= 1"),
        ("judge=mask2former judge.thresholds.max_overlap=3", r"max_overlap in \[0, 1\]"),
        ("+judge.batch=2", "judge.batch is unknown: judge has name, kind"),
        ("steps=0", "steps must be an integer >= 1"),
        ("steps=many", "steps must be an integer, got 'many'"),
        ("images=-1", "images must be an integer >= 1"),
        ("backbone.guidance=-2", "backbone.guidance must be a number >= 0"),
        ("shard=8/8", "shard must be K/N with 0 <= K < N"),
        ("method.name=lidar method.efr.lookahed.n=3", "lookahed"),
    ],
)
def test_a_wrong_word_or_number_is_explained(override, message):
    with pytest.raises(BenchError, match=message):
        arguments = override.split()
        check_command_line(arguments)
        make_cell(settings(*arguments))


@pytest.mark.parametrize(
    ("method", "override", "message"),
    [
        ("lidar", "efr.lookahead.n=-3", "method.efr.lookahead.n must be an integer >= 1"),
        ("lidar", "efr.lookahead.n=few", "method.efr.lookahead.n must be an integer, got 'few'"),
        ("lidar", "efr.lookahead.solver=dpn", "did you mean 'dpm'"),
        ("lidar", "steer.guidance.interval=[0.5,2]", "0 <= low < high <= 1"),
        (
            "lidar",
            "steer.guidance.efr=tweedy",
            "guidance.efr must be one of lookahead",
        ),
        ("lidar_smc", "steer.smc.efr=null", "there are several"),
        ("fk_smc", "steer.smc.particles=3", "must divide the 4 particles"),
        ("fk_smc", "steer.smc.potential=maximum", "did you mean 'max'"),
        ("rollout", "efr.rollout.steps=0", "method.efr.rollout.steps must be an integer >= 1"),
        ("best_of_lookahead", "efr.lookahead.n=3", "must be an integer >= 4"),
        ("vanilla", "steps_factor=0", "steps_factor must be"),
        ("vanilla", "best_seen=true", "best_seen changes nothing where a method decodes nothing"),
        ("ug", "best_seen=maybe", "best_seen must be true or false, got 'maybe'"),
        ("draft_best_of_n", "steer.draft_best_of_n.n=0", "n must be an integer >= 1"),
        ("rollout", "efr.rollout.by=ode", "n must be 1 where by is 'ode'"),
        ("rollout", "efr.rollout.by=glas", "did you mean 'glass'"),
        ("lidar", "efr.lookahead.smoothing=-1", "smoothing must be a number >= 0"),
        ("lgd", "efr.tweedie.perturbations=-1", "perturbations must be an integer >= 0"),
        ("date", "steer.embedding.every=0", "every must be an integer >= 1"),
        ("ug_full", "steer.recurrence.repeats=-1", "repeats must be an integer >= 0"),
        ("svdd", "steer.search.pick=bst", "did you mean 'best'"),
        ("noise_search", "steer.noise_search.radius=2", r"radius must be in \[0, 1\]"),
        ("safe_denoiser", "steer.repel.count=51", "must be an integer >= 51, got 16"),
        ("safe_denoiser", "steer.repel.rule=safe", "did you mean 'safe_denoiser'"),
        ("best_of_lookahead", "steer.best_of_lookahead.renoise=2", r"renoise must be in \[0, 1\]"),
    ],
)
def test_a_wrong_method_setting_names_the_key_and_what_is_allowed(method, override, message):
    with pytest.raises(BenchError, match=message):
        make_cell(settings(f"method={method}", f"method.{override}"))


def test_unknown_keys_of_a_method_built_in_python_are_explained():
    with pytest.raises(BenchError, match=r"method\.efr\.lookahead\.m is unknown: .* has n, solver"):
        build_method({"name": "x", "efr": {"lookahead": {"m": 3}}})
    with pytest.raises(BenchError, match="did you mean 'lookahead'"):
        build_method({"name": "x", "efr": {"look": {}}})
    with pytest.raises(BenchError, match="has no estimator"):
        check_method(build_method({"name": "x", "steer": {"smc": {}}}), ["stochastic"], images=4)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("method=svdd solver=ddim", "search needs a stochastic target solver"),
        ("method=das method.steer.guidance.last=true", "guidance with last=false"),
        ("method=noise_search", "noise_search needs a deterministic target solver"),
        ("method=draft_best_of_n", "draft_best_of_n needs a deterministic target solver"),
        ("method=noise_search +method.steer.smc={efr:x}", "comes last"),
        ("method=svdd +method.steer={smc:{},search:{n:2}}", "the only one that tilts"),
        (
            "method=das +method.steer.recurrence={repeats:1}",
            "density is known.* combined with recurrence",
        ),
        (
            "method=date +method.efr.rollout={n:2} +method.steer.smc={}",
            "under the prompt's own embedding",
        ),
        (
            "method=ug +method.steer.embedding={scale:1}",
            "whole denoiser.* combined with embedding",
        ),
        ("method=lidar scores=[clip]", "scores must hold the guiding reward preference"),
        ("method=das solver=ddim", "smc needs a stochastic target solver"),
        ("method=best_of_n +method.efr.tweedie={} +method.steer.smc={}", "comes last"),
        (
            "method=best_of_lookahead +method.steer.guidance={scale:1}",
            "only steer.* combined with guidance",
        ),
        ("method=probe backbone=mixture efr@method.efr=exact", "needs an estimator beside"),
        ("method=lidar backbone=mixture method.efr.lookahead.cfg=3", "cfg must be null"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(overrides, message):
    with pytest.raises(BenchError, match=message):
        make_cell(settings(*overrides.split()))


def test_a_gradient_method_refuses_a_reward_without_a_derivative():
    with pytest.raises(
        BenchError, match=r"method ug: method\.steer\.guidance needs a reward that has a derivative"
    ):
        make_cell(settings("method=ug", "reward=jpeg"))
    for method in ("lidar", "rollout", "fk_smc", "best_of_n"):
        make_cell(settings(f"method={method}", "reward=jpeg"))


def test_shards_part_the_prompts_between_them():
    whole = {p.index for p in make_cell(settings()).prompts}
    parts = [{p.index for p in make_cell(settings(f"shard={k}/3")).prompts} for k in range(3)]
    assert set.union(*parts) == whole and sum(map(len, parts)) == len(whole)
    assert parse_shard("2/3") == (2, 3)


def test_the_identity_hashes_what_decides_a_result_and_nothing_else():
    def of(*overrides, weights="w"):
        return identity(make_cell(settings(*overrides)), {"backbone": weights})

    base = of("method=lidar")
    assert base == of("method=lidar", "shard=1/2")
    assert base == of("method=lidar", "yardstick_every=2")
    by_detector = ("method=lidar", "judge=mask2former")
    assert of(*by_detector) == of(*by_detector, "judge.device=cpu", "judge.batch=1")
    others = [
        of("method=lidar", "seed=1"),
        of("method=lidar", "steps=7"),
        of("method=lidar", "method.efr.lookahead.n=9"),
        of("method=lidar", "reward=clip"),
        of("method=lidar", "prompts.seed=44"),
        of("method=lidar", weights="other"),
        of("method=lidar", "judge=none"),
        of("method=lidar", "judge=mask2former"),
        of("method=ug"),
    ]
    assert len({base, *others}) == 1 + len(others)


OURS = [name for name in groups()["experiment"] if not name.startswith("paper/")]


def ends(line):
    """Of each method of a line the first and the last cell."""
    groups = {}
    for own in expand(line):
        groups.setdefault(own[0], []).append(own)
    return [own for group in groups.values() for own in group[:: max(1, len(group) - 1)]]


@pytest.mark.parametrize("experiment", OURS)
def test_every_line_of_every_experiment_is_valid(experiment, monkeypatch):
    """The paper's: tests/test_paper.py."""
    monkeypatch.setattr("bench.run.job.expand", ends)
    overrides = [f"experiment={experiment}"]
    config = composed(overrides)
    cells = plan(config, overrides)
    named = set()
    for line in cell_lines(config.cells):
        given = dict(word.split("=", 1) for word in line.split())
        named |= {*given.get("method.name", given["method"]).split(",")}
    assert {c.method.name for c in cells} == named
    if experiment == "miniature":
        assert cells[0].total == 553 and cells[0].steps == 50


def test_in_every_domain_lidar_draws_ahead_for_as_many_calls_as_its_target_sampling_takes():
    """And each line brings what goes with its own backbone: prompts, judge, tuned settings."""
    overrides = ["experiment=domains"]
    own = {
        "miniature": ("miniature", "preference", 48, 12),
        "mixture": ("truth", "quadratic", 16, 1.0),
    }
    for cell in plan(composed(overrides), overrides):
        lidar = cell.method.name in LIDAR
        if lidar:
            ahead = cell.method.estimators["lookahead"]
            assert ahead.n * ahead.steps == pytest.approx(cell.images * cell.steps, rel=0.05)
        if cell.backbone["name"] in own:
            *brought, scale = own[cell.backbone["name"]]
            assert [cell.judge["kind"], cell.reward, cell.total] == brought
            assert not lidar or cell.method.steers["guidance"].scale == scale


@pytest.mark.parametrize(
    ("overrides", "steps"),
    [
        ("backbone=sd15 method=lidar", 100),
        ("backbone=sdxl method=lidar", 100),
        ("backbone=flux_dev method=lidar", 28),
        ("backbone=flux_schnell method=lidar", 4),
        ("method=lidar", 20),
        ("backbone=mixture method=lidar", 20),
        ("experiment=miniature", 50),
        ("experiment=cost backbone=flux_dev", 28),
        ("backbone=sd15 scale=quick", 10),
        ("backbone=sd15 method=lidar steps=30", 30),
    ],
)
def test_a_backbone_brings_its_steps_unless_an_experiment_or_the_user_says_others(overrides, steps):
    assert settings(*overrides.split())["steps"] == steps


def test_a_backbone_brings_its_judge_and_the_command_line_chooses_another():
    assert settings()["judge"] == {"name": "miniature", "kind": "miniature"}
    assert settings("backbone=mixture")["judge"]["kind"] == "truth"
    assert settings("judge=none")["judge"] == {"name": "none", "kind": "none"}
    assert settings("experiment=ground_truth")["judge"]["kind"] == "truth"
    detector = settings("judge=mask2former")["judge"]
    assert detector["weights"] == "pretrained" and detector["self_test"] is True
    assert settings("judge=mask2former", "+weights=tiny")["judge"]["weights"] == "tiny"


def test_without_a_detector_scores_are_as_given_and_may_be_empty():
    cell = make_cell(settings("judge=none", "scores=[]"))
    assert not cell.scores and cell.reward == "preference"
    assert make_cell(settings("judge=none")).scores == ["preference", "clip", "jpeg"]
    assert make_cell(settings("judge=none", "scores=[jpeg]")).scores == ["jpeg"]
    with pytest.raises(
        BenchError, match=r"scores must hold the guiding reward preference, got .*judge=none"
    ):
        make_cell(settings("scores=[]"))
