"""Every method, at settings that are small enough for a test."""

from bench.config.build import build_method
from bench.config.compose import cell_settings, groups

GUIDERS = ("apg", "cfg_zero", "pag")  # for UNets under classifier-free guidance
# Of other worlds than pictures, or not for every family.
ELSEWHERE = ("exact", "exact_smc", "probe", "lidar_tokens", *GUIDERS)
STILL = ("noise_search", "draft_best_of_n", "sop")  # that need a deterministic target solver
# Where the backbone has a student: tests/methods/test_student_on_pictures.py
STUDENTS = (
    *("diamond", "diamond_reward", "fmrg_e", "fmrg_j", "fmtt", "fmtt_smc"),
    *("psi_sampler", "reno", "student_rollout", "student_smc"),
)
METHODS = [m for m in groups()["method"] if m not in (*ELSEWHERE, *STUDENTS)]
SMALL = {
    "lookahead": {"n": 6, "steps": 2, "scale": 2.0},
    "rollout": {"n": 2},
    "diamond": {"n": 2},
    "repel": {"count": 3},
    "noise_search": {"n": 2, "rounds": 2},
    "best_of_n": {"n": 2},
    "draft_best_of_n": {"n": 2, "steps": 2},
    "search": {"n": 2, "every": 1},
    "rbf": {"budget": 9, "starts": 2},
    "sop": {"start": 0.25, "up": 0.25, "down": 0.5},
    "evosearch": {"schedule": [0.0, 0.5], "sizes": [2, 2, 1]},
    "smc": {"every": 0.25, "start": 0.25, "stop": 0.75},
    "demon": {"n": 2},
    "dno": {"iterations": 1, "shuffles": 1},
    "tfg": {"draws": 2},
    "reno": {"steps": 2, "iterations": 2},
    "fmrg": {"grid": 4, "guided": 2, "warmup": 1, "starts": 2},
    "pcnl": {"iterations": 3, "burn_in": 1, "share": 2},
}
TOY = ("weights=tiny", "prompts.per_task=1", "prompts.limit=1", "steps=4", "images=2")
NO_JUDGE = ("judge=none", "scores=[]")
FAMILIES = {
    "sd15": (),
    "sdxl": NO_JUDGE,
    "flux_dev": (*NO_JUDGE, "backbone.pixels=16", "backbone.tokens=16"),
}


def shrunk(method):
    """A method's settings, made small."""
    for side in ("efr", "steer"):
        for kind, own in method[side].items():
            assert {*SMALL.get(kind, ())} <= {*own}
            own.update(SMALL.get(kind, {}))
    return method


def small_method(method, lookahead_solver="dpm"):
    """The small method itself."""
    given = shrunk(cell_settings([f"method={method}"], [])["method"])
    for part in (given["efr"].get("lookahead"), given["steer"].get("draft_best_of_n")):
        if part is not None:
            part["solver"] = lookahead_solver
    return build_method(given)


def methods_of(family):
    """Every method that a family takes."""
    return [*METHODS, *(() if family == "flux_dev" else ("apg", "pag"))]


def target_solver(family, method):
    """A target solver that suits the method."""
    noisy, still = ("ancestral", "euler") if family == "flux_dev" else ("ddpm", "ddim")
    return still if method in STILL else noisy


def small_settings(family, method, *own):
    """A cell's settings, composed once, with a target solver that suits the small method."""
    chosen = (f"method={method}", f"solver={target_solver(family, method)}")
    settings = cell_settings([*TOY, *FAMILIES[family], *own, *chosen], [])
    shrunk(settings["method"])
    return settings
