"""Rewards by name: what is known before loading, mixes, and what a cell makes of them."""

import pytest
import torch
from tiny import PROMPT, pictures

from bench.config.cell import identity, make_cell
from bench.config.compose import cell_settings
from bench.errors import BenchError
from bench.geneval.detector import Detections
from bench.judge.judges import ImageJudge, diversity, load_detector, load_judge
from bench.rewards import KINDS, differentiable, load_reward, used

TINY = {k: {"kind": k, "weights": "tiny"} for k in ("imagereward", "clip", "hps")}
MIX = {"kind": "mix", "of": {"imagereward": 0.7, "clip": -2}}
PLAIN = {"preference": {"kind": "preference"}, "jpeg": {"kind": "jpeg"}}


def settings(*overrides):
    return cell_settings(overrides, [])


def test_a_reward_is_loaded_once_for_the_same_settings_and_device():
    first = load_reward("clip", TINY)
    assert load_reward("clip", dict(reversed(TINY.items()))) is first
    assert load_reward("clip", {"clip": {**TINY["clip"], "batch": 2}}) is not first


def test_a_mix_is_the_weighted_sum_of_its_parts():
    rewards = TINY | {"both": MIX}
    parts = {n: load_reward(n, rewards)(pictures(), PROMPT) for n in MIX["of"]}
    both = load_reward("both", rewards)
    torch.testing.assert_close(
        both(pictures(), PROMPT), 0.7 * parts["imagereward"] - 2 * parts["clip"]
    )
    assert both.name == "both" and both.cut("dog " * 100) == 102 - 35
    assert "0.7 imagereward (tiny)" in both.digest()
    assert both.parts["clip"][1] is load_reward("clip", rewards)


def test_a_mix_differentiates_where_all_its_parts_do():
    of = {
        "a": {"kind": "mix", "of": {"b": 1.0}},
        "b": {"kind": "mix", "of": {"jpeg": 1.0, "clip": 1.0}},
    }
    rewards = TINY | PLAIN | of | {"both": MIX}
    known = {name: differentiable(name, rewards) for name in ("a", "b", "both", "clip", "jpeg")}
    assert known == {"a": False, "b": False, "both": True, "clip": True, "jpeg": False}
    for name in known:
        assert load_reward(name, rewards).differentiable == known[name]


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "mix"])
def test_a_kind_says_of_itself_before_loading_what_it_is_when_loaded(kind):
    tiny = {"weights": "tiny"} if "weights" in KINDS[kind].settings.__dataclass_fields__ else {}
    reward = load_reward("it", {"it": {"kind": kind, **tiny}})
    assert reward.name == "it" and reward.differentiable == KINDS[kind].differentiable
    assert hasattr(reward, "closed_form") == (KINDS[kind].world != "pictures")
    assert isinstance(reward.digest(), str)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "rewards.it has no kind: choose from preference, .*imagereward"),
        ({"kind": "imagreward"}, r"rewards\.it\.kind .*did you mean 'imagereward'"),
        ({"kind": "jpeg", "quality": 3}, r"rewards\.it\.quality is unknown"),
        ({"kind": "clip", "wieghts": "tiny"}, r"rewards\.it\.wieghts .*did you mean 'weights'"),
        ({"kind": "clip", "weights": "tny"}, r"rewards\.it\.weights must be pretrained, random"),
        ({"kind": "clip"}, r"rewards\.it\.source must have the keys repo, revision, files, gb"),
        ({"kind": "clip", "source": {"repo": "a/b"}}, r"rewards\.it\.source must have the keys"),
        ({"kind": "hps", "weights": "tiny", "tokenizer": "nowhere"}, "no folder 'nowhere'"),
        ({"kind": "hps", "weights": "tiny", "batch": 0}, r"rewards\.it\.batch must be an integer"),
        (
            {"kind": "hps", "weights": "tiny", "batch": "all"},
            r"batch must be an integer, got 'all'",
        ),
        ({"kind": "hps", "weights": "tiny", "dtype": "float8"}, r"rewards\.it\.dtype must be one"),
        ({"kind": "aesthetic", "weights": "tiny", "head": "mpl"}, "did you mean 'mlp'"),
        (
            {"kind": "aesthetic", "weights": "tiny", "head_weights": "pretrained"},
            "head_source must",
        ),
        ({"kind": "mix"}, "of must give rewards weights other than 0"),
        ({"kind": "mix", "of": {"jpeg": 0}}, "of must give rewards weights other than 0"),
        ({"kind": "mix", "of": {"jpeg": float("nan")}}, "of must give rewards weights"),
        ({"kind": "mix", "of": {"jpge": 1}}, r"rewards\.it\.of .*did you mean 'jpeg'"),
        ({"kind": "mix", "of": {"it": 1}}, r"rewards\.it is mixed of itself: it -> it"),
        ({"kind": "mix", "of": {"linear": 1}}, "linear scores points, a mix pictures"),
    ],
)
def test_wrong_settings_name_the_key_and_what_is_allowed(given, message):
    rewards = PLAIN | {"linear": {"kind": "linear"}, "it": given}
    for ask in (used, lambda names, rewards: load_reward(names[0], rewards)):
        with pytest.raises(BenchError if ask is not used else ValueError, match=message):
            ask(["it"], rewards)


def test_a_circle_of_mixes_is_told():
    circle = {name: {"kind": "mix", "of": {other: 1.0}} for name, other in ("ab", "bc", "cb")}
    with pytest.raises(BenchError, match="b is mixed of itself: b -> c -> b"):
        load_reward("a", circle)


def test_an_unknown_reward_suggests_the_nearest():
    with pytest.raises(BenchError, match="did you mean 'clip'"):
        load_reward("clipp", TINY)


# What a cell makes of them

PRETRAINED = ("rewards=pretrained", "reward=imagereward", "scores=[imagereward,jpeg]")
BOTH = "+rewards.both={kind: mix, of: {imagereward: 0.7, clip: 0.3}}"


def test_a_cell_of_pretrained_rewards_is_valid_before_their_weights_are_here():
    names = ["imagereward", "clip", "hps", "pickscore", "aesthetic", "aesthetic_mlp", "jpeg"]
    given = settings("rewards=pretrained", "reward=hps", f"scores=[{','.join(names)}]")
    assert make_cell(given).reward == "hps" and list(given["rewards"]) == names
    for name in names[:-1]:
        assert given["rewards"][name]["weights"] == "pretrained"
        revision = given["rewards"][name]["source"]["revision"]
        assert len(revision) == 40 and set(revision) <= set("0123456789abcdef")


def test_a_gradient_method_takes_a_mix_of_differentiable_rewards_alone():
    guided = (*PRETRAINED[:1], "method=ug", "reward=both", "scores=[both,clip]")
    assert make_cell(settings(*guided, BOTH)).reward == "both"
    with pytest.raises(BenchError, match="guidance needs a reward that has a derivative"):
        make_cell(settings(*guided, "+rewards.both={kind: mix, of: {jpeg: 0.7, clip: 0.3}}"))


def test_a_cell_with_wrong_settings_of_a_reward_that_it_uses_is_refused():
    with pytest.raises(BenchError, match=r"rewards\.imagereward\.batch must be an integer >= 1"):
        make_cell(settings(*PRETRAINED, "rewards.imagereward.batch=0"))
    with pytest.raises(BenchError, match=r"rewards\.clip\.batch"):  # used for diversity
        make_cell(settings(*PRETRAINED, "rewards.clip.batch=0"))
    make_cell(settings(*PRETRAINED, "rewards.hps.batch=0"))


def test_pictures_and_points_are_not_scored_by_each_other_s_rewards():
    with pytest.raises(BenchError, match="reward linear does not score the pictures of miniature"):
        make_cell(settings("+rewards.linear={kind: linear}", "reward=linear", "scores=[linear]"))
    with pytest.raises(BenchError, match="reward jpeg does not score the points of mixture"):
        make_cell(settings("backbone=mixture", "+rewards.jpeg={kind: jpeg}", "reward=jpeg"))


def test_the_identity_hashes_the_settings_of_the_rewards_that_are_used():
    def of(*overrides):
        both = ("reward=both", "scores=[both,jpeg]", BOTH)
        return identity(make_cell(settings(PRETRAINED[0], *both, *overrides)), {})

    base = of()
    assert base == of("rewards.hps.weights=tiny")
    changed = [of("rewards.imagereward.weights=tiny"), of("rewards.both.of.clip=0.4")]
    assert len({base, *changed}) == 3


class NoDetector:
    thresholds = {}  # noqa: RUF012

    def examine(self, images):
        return [Detections({}, lambda name, indices: []) for _ in images]

    def digest(self):
        return "none"


RECORD = {
    "tag": "single_object",
    "include": [{"class": "dog", "count": 1}],
    "prompt": "a dog " * 20,
}


def test_a_record_tells_what_of_a_prompt_a_score_did_not_read():
    scores = {name: load_reward(name, TINY | PLAIN) for name in ("imagereward", "clip", "jpeg")}
    record = ImageJudge(NoDetector(), scores, scores["clip"]).judge(RECORD, pictures())
    assert record["cut"] == {"imagereward": 42 - 35}
    assert list(record["scores"]) == ["imagereward", "clip", "jpeg"]
    assert record["diversity"] == pytest.approx(
        diversity(scores["clip"].features(pictures())), abs=1e-6
    )
    short = ImageJudge(NoDetector(), scores).judge(RECORD | {"prompt": "a dog"}, pictures())
    assert "cut" not in short


@pytest.mark.parametrize("clip", [None, {"kind": "jpeg"}])
def test_diversity_is_null_where_no_reward_named_clip_has_features(clip):
    rewards = PLAIN | ({"clip": clip} if clip else {})
    given = {"rewards": rewards, "scores": ["jpeg"], "reward": "jpeg"}
    given["judge"] = {"name": "miniature", "kind": "miniature"}
    judge = load_judge(given["judge"], given)
    assert judge.judge(RECORD, pictures(2, 64, 64))["diversity"] is None


def test_a_cell_guided_by_a_mix_of_pretrained_kinds_runs_at_tiny_size(tmp_path):
    from bench.run.cells import run_cell
    from bench.store.records import read_records

    small = ("+weights=tiny", "prompts.per_task=1", "images=2", "steps=2", "shard=0/6")
    cell = make_cell(
        settings("method=ug", *PRETRAINED[:1], *small, BOTH, "reward=both", "scores=[both,hps]")
    )
    folder = run_cell(cell, tmp_path, lambda: None)
    (record,) = read_records(folder / "records.jsonl").by_index.values()
    assert record.error is None and list(record.scores) == ["both", "hps"]
    assert record.calls["denoise"]["reward_backward"] > 0 and record.diversity > 0


def test_one_clip_model_serves_all_who_ask_for_its_weights():
    settings = cell_settings(["backbone=sd15", "weights=tiny"], [])
    rewards = {k: load_reward(k, settings["rewards"]) for k in ("clip", "aesthetic", "hps")}
    judge = load_detector(settings["judge"])
    shared = rewards["clip"].encoder.model
    assert rewards["aesthetic"].encoder.model is shared
    assert judge.classifier.clip is shared
    assert rewards["hps"].encoder.model is not shared
