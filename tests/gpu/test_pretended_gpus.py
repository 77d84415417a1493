"""Every method on two pretended GPUs: everything lies where it belongs, and no step waits in vain.

Without a GPU; g++ is needed, for what autograd asks of a device. ``every_method.py`` runs it all
once, in a process of its own.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

from tests.small import FAMILIES, methods_of

HERE = Path(__file__).parent
# The guard comes before torch, which asks once whether there is CUDA.
PROCESS = """
import ctypes, sys
ctypes.CDLL(sys.argv[1])
from tests.gpu.every_method import main
main(sys.argv[2])
"""
# Those that choose among particles read their values on the host: once where they choose.
CHOOSING = {"code", "das", "fk_smc", "lidar_smc", "lidar_smc_bon", "smc_bon", "svdd", "svdd_best"}
# That goes from child to child by what the last one was worth.
ONE_AT_A_TIME = {"rbf"}
RUNS = [("cuda:1", f, m) for f in FAMILIES for m in methods_of(f)]
RUNS += [("cuda:0", f, m) for f in FAMILIES for m in ("vanilla", "das")]
DENOISER = {"sd15": "float16", "sdxl": "float16", "flux_dev": "bfloat16"}
DECODER = DENOISER | {"sdxl": "float32"}  # SDXL's overflows in half precision

pytestmark = [
    pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++"),
    pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has CUDA of its own"),
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What ``every_method.py`` saw."""
    folder = tmp_path_factory.mktemp("gpus")
    guard, out = folder / "guard.so", folder / "seen.json"
    root = Path(torch.__file__).parent
    libraries = [f"-L{root / 'lib'}", f"-Wl,-rpath,{root / 'lib'}", "-lc10", "-ltorch_cpu"]
    sources = [f"-I{root / 'include'}", str(HERE / "guard.cpp"), "-o", str(guard)]
    subprocess.run(["g++", "-std=c++20", "-shared", "-fPIC", *sources, *libraries], check=True)
    command = [sys.executable, "-c", PROCESS, str(guard), str(out)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(HERE.parents[1])})
    return json.loads(out.read_text())


def counted(step):
    """(waits, copies that hold up the host) of what was noted from one step to the next."""
    kinds = Counter(kind for kind, _ in step)
    return kinds["wait"], kinds["blocking copy"]


@pytest.mark.parametrize("run", RUNS, ids=" ".join)
def test_a_method_runs_and_its_steps_wait_only_to_choose(seen, run):
    device, _, method = run
    found = seen[" ".join(run)]
    assert "error" not in found, found["error"]
    assert found["images"] == [2, 16, 16, 3]
    if not method.startswith("best_of_lookahead"):  # which take one step or none here
        assert len(found["steps"]) >= 3
        assert found["latents"] == [[device, "torch.float32"]]
    for step in found["steps"]:
        waits, blocking = counted(step)
        assert waits <= (method in CHOOSING) or method in ONE_AT_A_TIME, step
        assert not blocking, step


@pytest.mark.parametrize("device", ["cuda:0", "cuda:1"])
@pytest.mark.parametrize("family", FAMILIES)
def test_networks_lie_on_their_device_in_half_precision(seen, device, family):
    places = seen[f"{device} {family} places"]
    for name, (devices, types, _) in places.items():
        dtype = DECODER[family] if name == "vae" else DENOISER[family]
        assert (devices, types) == ([device], [f"torch.{dtype}"]), name
    assert not places["vae"][2], "its convolutions would copy latents to another layout"
    assert places["denoiser"][2] == (family != "flux_dev"), "a UNet is asked to be channels_last"


def test_rewards_wait_for_nothing_at_their_second_call(seen):
    rewards = {name: found for name, found in seen.items() if name.startswith("reward ")}
    assert len(rewards) >= 7
    for name, found in rewards.items():
        assert "error" not in found, found["error"]
        assert counted(found["steps"][0]) == (0, 0), (name, found["steps"])


@pytest.mark.parametrize("method", ["ug", "fk_smc", "svdd", "rollout", "lidar", "best_of_n"])
def test_a_reward_that_is_not_finite_stops_the_prompt_though_no_step_looks(seen, method):
    assert "FloatingPointError" in seen[f"broken {method}"]["error"]


@pytest.mark.parametrize("device", ["cuda:0", "cuda:1"])
def test_loading_touches_no_other_device(seen, device):
    assert seen[f"{device} contexts"] == [device]


def test_draws_are_copied_while_the_host_goes_on(seen):
    assert all("copy" in dict(step) for step in seen["cuda:1 sd15 vanilla"]["steps"])


def test_a_wait_is_noticed_and_tensors_that_lie_apart_are_refused(seen):
    """So that the tests above can fail."""
    assert [counted(step)[0] for step in seen["Waiting"]["steps"]] == [1, 1, 1]
    assert "its tensors lie apart" in seen["Astray"]["error"]


def test_images_are_judged_on_the_device(seen):
    for device in ("cuda:0", "cuda:1"):
        judged = seen[f"{device} sd15 judged"]
        assert "error" not in judged, judged["error"]
        assert len(judged["geneval"]) == 2 and judged["diversity"] > 0
