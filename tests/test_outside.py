"""A user's own rewards, methods, backbones, judges and prompts: YAML in a folder, and a module."""

import json
import sys
from pathlib import Path

import pytest
import torch

from bench.backbones import load_backbone
from bench.config.cell import identity, make_cell
from bench.config.compose import cell_settings, groups
from bench.config.listing import main as listing
from bench.config.overrides import check_command_line, written_out
from bench.errors import BenchError
from bench.judge.judges import load_judge
from bench.outside import digest
from bench.rewards import load_reward
from bench.run.cells import run_cell
from bench.run.command import main as command

MODULE = """
from dataclasses import dataclass

from bench.backbones import load_backbone
from bench.config.compose import cell_settings
from methods.efr import ESTIMATORS
from methods.steer import STEERS
from own_helper import SCALE


def bright(images, prompt):
    return SCALE * images.mean(dim=(1, 2, 3))


def counting(images, prompt):
    return [float(image.round().sum()) for image in images.detach()]


class Red:
    differentiable = True

    def __init__(self, weight=1.0):
        self.weight = weight

    def __call__(self, images, prompt):
        return self.weight * images[:, 0].mean(dim=(1, 2))

    def digest(self):
        return f"red {self.weight}"


def factory(weight):
    return Red(weight)


def flat(images, prompt):
    return images.mean(dim=(1, 2))


def raises(images, prompt):
    raise RuntimeError("the model is not there")


def moody(images, prompt):
    if "zebra" in prompt:
        raise RuntimeError("no zebras")
    return images.mean(dim=(1, 2, 3))


def not_a_number(images, prompt):
    return images.mean(dim=(1, 2, 3)) * float("nan")


not_a_number.differentiable = False
number = 3


@dataclass(frozen=True)
class BestOfTwo(STEERS["best_of_n"]):
    n: int = 2


@dataclass(frozen=True)
class Near(ESTIMATORS["tweedie"]):
    pass


def backbone(solvers, device):
    return load_backbone(cell_settings(["backbone=miniature"], [])["backbone"], str(device))[0]


def nothing():
    return 3


class Judge:
    def judge(self, metadata, images):
        return {"geneval": [True for _ in images], "mood": "good"}


def prompts(count):
    for number in range(count):
        yield {"prompt": f"a photo of {number} cats", "tag": "mine", "number": number}
"""
CONF = {
    "rewards/own": "bright: {_target_: own_module.bright} # mean pixel\n"
    "red: {_target_: own_module.Red, weight: 2}\n",
    "judge/own": "name: own\n_target_: own_module.Judge\n",
    "prompts/own": "source: own_module.prompts\ncount: 2\nper_task: null\nlimit: null\n",
    "method/own": """# Best of two.
defaults: [vanilla, _self_]
name: own
steer:
  best: {_target_: own_module.BestOfTwo}
""",
    "backbone/own": """# @package _global_
# A backbone of one's own.
defaults:
  - /rewards: own
  - /judge: own
  - /prompts: own
backbone:
  name: own
  _target_: own_module.backbone
  solvers: {ddpm: {eta: 1.0}}
reward: bright
scores: [bright, red]
images: 2
""",
    "experiment/own": """# @package _global_
# One's own.
defaults:
  - override /backbone: own
experiment_name: own
steps: 2
cells: ["method=vanilla,own"]
""",
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of one's own, the current one; its configurations are in ``conf``."""
    (tmp_path / "own_module.py").write_text(MODULE)
    (tmp_path / "own_helper.py").write_text("SCALE = 1000\n")
    for name, text in CONF.items():
        path = tmp_path / "own_conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setattr(sys, "argv", ["bench"])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # an edit of the same second is seen
    forget()
    yield tmp_path
    forget()


def forget():
    for name in ("own_module", "own_helper"):
        sys.modules.pop(name, None)
    digest.cache_clear()


def settings(*overrides):
    return cell_settings(written_out(["--config-dir", "own_conf", *overrides]), [])


def test_a_whole_world_of_one_s_own_runs_from_a_folder_and_a_module(own):
    given = ["--config-dir", "own_conf", "experiment=own", "results=results"]
    assert command(given) == 0
    for method in ("vanilla", "own"):
        (path,) = (own / "results" / "own" / "cells").glob(f"{method}-*/records.jsonl")
        records = [json.loads(line) for line in path.read_text().splitlines()]
        assert [record["error"] for record in records] == [None, None]
        assert sorted(record["fields"]["number"] for record in records) == [0, 1]
        assert records[0]["geneval"] == [True, True]
        assert records[0]["judged"] == {"mood": "good"}
        assert list(records[0]["scores"]) == ["bright", "red"]
    assert "bright" in (own / "results" / "own" / "report.md").read_text()


def test_a_reward_is_named_by_its_import_path_and_is_scored_too(own):
    given = settings("reward=own_module.bright")
    assert given["rewards"]["own_module.bright"] == {"_target_": "own_module.bright"}
    cell = make_cell(given)
    assert cell.reward == "own_module.bright"
    assert list(cell.scores) == ["own_module.bright", "preference", "clip", "jpeg"]
    assert "own_module.counting" in settings("scores=[clip,own_module.counting]")["rewards"]


@pytest.mark.parametrize(
    ("given", "factor"),
    [
        ({"_target_": "own_module.bright"}, None),
        ({"_target_": "own_module.Red"}, 1),
        ({"_target_": "own_module.Red", "weight": 3}, 3),
        ({"_target_": "own_module.factory", "weight": 4}, 4),
    ],
)
def test_functions_classes_and_factories_are_rewards(own, given, factor):
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    red, bright = images[:, 0].mean(dim=(1, 2)), 1000 * images.mean(dim=(1, 2, 3))
    reward = load_reward("it", {"it": given})
    torch.testing.assert_close(reward(images, ""), bright if factor is None else factor * red)
    assert reward.name == "it" and reward.differentiable and reward.cut("a cat") == 0
    assert ("red" in reward.digest()) == (factor is not None)


def test_whether_a_reward_has_a_derivative_is_tried_unless_it_says_so(own):
    assert make_cell(settings("method=ug", "reward=own_module.bright"))
    with pytest.raises(BenchError, match=r"method ug: .* needs a reward that has a derivative"):
        make_cell(settings("method=ug", "reward=own_module.counting"))
    assert make_cell(settings("method=lidar", "reward=own_module.counting"))
    assert make_cell(settings("method=lidar", "reward=own_module.not_a_number")), "not tried"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("reward=own_modul.bright", "there is no module 'own_modul'; did you mean 'own_module'"),
        ("reward=elsewhere.f", "no module 'elsewhere'; its folder must be .* on PYTHONPATH"),
        ("reward=own_module.brigth", "own_module has no 'brigth'; did you mean 'bright'"),
        ("reward=own_module.number", "is of type int and cannot be called"),
        ("reward=own_module.factory", "missing a required argument: 'weight'"),
        ("reward=own_module.nothing", "a reward must be a function .* got int"),
        ("reward=own_module.flat", r"one number for each image, shape \(2,\), got \(2, 64\)"),
        ("reward=own_module.raises", "failed when it was tried .* the model is not there"),
        ("rewards=own +rewards.red.wieght=2 reward=red scores=[red]", "did you mean 'weight'"),
        ("method=own method.steer.best._target_=own_module.BestOfTow", "mean 'BestOfTwo'"),
        ("method=own +method.steer.best.m=3", "method.steer.best.m is unknown: .* has n"),
        (
            "method=own +method.steer.best.n=few",
            "method.steer.best.n must be an integer, got 'few'",
        ),
        (
            "method=own method.steer.best._target_=own_module.nothing",
            "of type int, which is no methods.base.Steer",
        ),
        (
            "method=ug +method.efr.x={_target_:own_module.nothing}",
            "of type int, which is no methods.base.Estimator",
        ),
        ("backbone=own backbone._target_=own_module.bright", "missing a required argument"),
        ("backbone=own backbone.solvers=null", "backbone.solvers must name one solver or more"),
        ("backbone=own solver=dpm", "solver must be one of ddpm, got 'dpm'"),
        ("backbone=own +backbone.size=3", "backbone.size is unknown: backbone has solvers, device"),
        ("judge=own judge._target_=own_module.Jugde", "did you mean 'Judge'"),
        ("judge=own +judge.strict=true", "judge.strict is unknown"),
        ("prompts=own judge=none +prompts.cuont=2", "prompts.cuont is unknown: .* mean 'count'"),
        ("prompts=own judge=none prompts.count=0", "own_module.prompts gave no prompt"),
        ("prompts=own judge=none prompts.source=own_module.promps", "did you mean 'prompts'"),
    ],
)
def test_what_is_wrong_with_a_component_is_told_before_a_model_is_loaded(own, overrides, message):
    with pytest.raises(BenchError, match=message):
        make_cell(settings(*overrides.split()))


def test_a_module_that_cannot_be_imported_says_why_in_one_line(own):
    (own / "own_module.py").write_text("import not_installed_anywhere\n")
    with pytest.raises(BenchError, match="own_module cannot be imported: No module named 'not_in"):
        make_cell(settings("reward=own_module.bright"))
    (own / "own_module.py").write_text("def bright(:\n")
    with pytest.raises(BenchError, match="own_module cannot be imported: SyntaxError"):
        make_cell(settings("reward=own_module.bright"))


def test_what_is_no_backbone_and_no_judge_is_told(own):
    given = settings("backbone=own", "backbone._target_=own_module.nothing")
    with pytest.raises(BenchError, match=r"of type int that lacks latent_shape, device, .* decode"):
        load_backbone(given["backbone"])
    given = settings("judge=own", "judge._target_=own_module.nothing")
    with pytest.raises(BenchError, match="of type int, which has neither judge"):
        load_judge(given["judge"], given)


def test_a_reward_that_fails_on_a_prompt_fails_that_prompt_alone(own):
    small = ("steps=1", "images=2", "prompts.limit=40", "prompts.per_task=null", "judge=none")
    given = settings("method=best_of_n", "reward=own_module.moody", *small, "shard=10/20")
    folder = run_cell(make_cell(given), own / "results", lambda: None)
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    for record in records:
        failed = record["error"] is not None
        assert failed == ("zebra" in record["prompt"])
        assert not failed or "no zebras" in record["error"]
    given = settings("method=best_of_n", "reward=own_module.not_a_number", *small, "shard=0/40")
    (line,) = (run_cell(make_cell(given), own / "results", lambda: None) / "records.jsonl").open()
    assert "own_module.not_a_number is not finite" in json.loads(line)["error"]


def test_the_identity_covers_the_sources_and_what_they_import_beside_them(own):
    def of(*overrides):
        forget()
        return identity(make_cell(settings(*overrides)), {})

    lidar = of("method=lidar")
    before = of("method=lidar", "reward=own_module.bright"), of("method=own")
    assert before == (of("method=lidar", "reward=own_module.bright"), of("method=own"))
    (own / "unrelated.py").write_text("x = 1\n")
    assert before[1] == of("method=own")
    (own / "own_helper.py").write_text("SCALE = 2000\n")
    after = of("method=lidar", "reward=own_module.bright"), of("method=own")
    assert after[0] != before[0] and after[1] != before[1]
    (own / "own_module.py").write_text(MODULE.replace("mean(dim=(1, 2, 3))", "amax(dim=(1, 2, 3))"))
    assert len({*before, *after, of("method=own")}) == 5
    assert lidar == of("method=lidar"), "nothing of it comes from outside"


def test_a_search_path_of_hydra_s_own_does_the_same(own, capsys):
    search = written_out(["hydra.searchpath=[file://own_conf]", "method=own"])
    assert search == ["method=own", f"hydra.searchpath=['{own}/own_conf']"]
    check_command_line(search)
    assert make_cell(cell_settings(search, [])).method.name == "own"
    assert "own" in groups(search)["method"] and "own" not in groups()["method"]
    with pytest.raises(BenchError, match="there is no folder of configurations /nowhere"):
        groups(written_out(["--config-dir=/nowhere"]))
    with pytest.raises(BenchError, match=r"there is no method 'onw': .* did you mean 'own'"):
        check_command_line([*search[1:], "method=onw"])
    assert listing(["methods", "backbones", "--config-dir", "own_conf"]) == 0
    out = capsys.readouterr().out
    assert "Best of two" in out and "A backbone of one's own" in out


def test_a_configuration_says_every_setting_of_a_method_that_named_some(tmp_path):
    (tmp_path / "method").mkdir()
    text = (
        "defaults: [vanilla, _self_]\nname: short\nefr: {tweedie: {scale: 3}}\nsteer: {smc: {}}\n"
    )
    (tmp_path / "method" / "short.yaml").write_text(text)
    search = f"hydra.searchpath=[file://{tmp_path}]"
    method = make_cell(cell_settings([search, "method=short"], [])).settings["method"]
    assert method["efr"]["tweedie"] == {"scale": 3, "perturbations": 0, "damping": 0.0}
    assert method["steer"]["smc"]["potential"] == "difference"
    packaged = make_cell(cell_settings(["method=lidar"], [])).settings["method"]
    assert packaged == cell_settings(["method=lidar"], [])["method"], "as the files say it"


def test_a_method_file_without_a_name_is_named_as_the_file(tmp_path):
    (tmp_path / "method").mkdir()
    text = "defaults: [lidar, _self_]\nsteer: {guidance: {scale: 2}}\n"
    (tmp_path / "method" / "gentle.yaml").write_text(text)
    search = f"hydra.searchpath=[file://{tmp_path}]"
    assert make_cell(cell_settings([search, "method=gentle"], [])).method.name == "gentle"
    named = make_cell(cell_settings([search, "method=gentle", "method.name=mine"], []))
    assert named.method.name == "mine"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("method/lidar.yaml", "name: lidar\n", "lidar.yaml has the name of a packaged file"),
        ("method/broken.yaml", "steer: {guidance: [\n", "broken.yaml"),
        ("method/wrong.yaml", "defaults: [lidr, _self_]\n", "no method/lidr.yaml; .* 'lidar'"),
    ],
)
def test_a_file_of_ones_own_that_is_wrong_is_told_in_a_line(name, text, message, tmp_path):
    (tmp_path / "method").mkdir()
    (tmp_path / name).write_text(text)
    search = f"hydra.searchpath=[file://{tmp_path}]"
    method = f"method={Path(name).stem}"
    with pytest.raises(BenchError, match=message) as caught:
        cell_settings([search, method], [])
    assert "\n" not in str(caught.value)


def test_a_list_tells_of_a_file_that_cannot_be_read(tmp_path, capsys):
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "broken.yaml").write_text("steer: {guidance: [\n")
    assert listing(["methods", "--config-dir", str(tmp_path)]) == 2
    assert "broken.yaml" in capsys.readouterr().err
