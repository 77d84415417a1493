"""The training of the miniature as a whole: started from a checkout, left out of the package."""

import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_stages_are_listed_without_the_training_extra_or_torch():
    command = [sys.executable, "-m", "training", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for stage in ("vae", "judge", "preference", "clip", "diffusion", "curve", "export"):
        assert stage in done.stdout


def test_an_unknown_stage_is_refused():
    command = [sys.executable, "-m", "training", "vea"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "invalid choice: 'vea'" in done.stderr


def test_it_is_not_part_of_the_installed_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["packages"]["find"]["include"]
    assert any(fnmatch("bench.miniature", pattern) for pattern in patterns)
    assert not any(fnmatch("training", pattern) for pattern in patterns)


def test_nothing_in_the_package_imports_it():
    for folder in ("bench", "methods"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text()
            assert "from training" not in text and "import training" not in text, file
