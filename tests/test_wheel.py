"""The package away from a checkout: built as a wheel, unpacked, run from an empty folder."""

import os
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from bench.config.compose import CONF

ROOT = CONF.parent
SOURCES = ("bench", "conf", "methods", "results/__init__.py")
SOURCES += ("results/measured/ground_truth/tables",)
FILES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what the wheel holds; built from a copy, which leaves the checkout alone."""
    copy, site = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("site")
    for name in (*SOURCES, *FILES):
        source, place = ROOT / name, copy / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place)
    build = ["wheel", ".", "--no-deps", "--no-build-isolation", "--quiet", "-w", str(site)]
    subprocess.run([sys.executable, "-m", "pip", *build], cwd=copy, check=True)
    (wheel,) = site.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    return site


def run(installed, folder, *arguments):
    """The console script, as pip would make it."""
    script = ConfigParser()
    script.read(next(installed.glob("*.dist-info/entry_points.txt")))
    module, _, name = script["console_scripts"]["guidance-bench"].partition(":")
    code = f"import sys; from {module} import {name}; sys.exit({name}())"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_it_lists_runs_and_reports_from_an_empty_folder(installed, tmp_path):
    listed = run(installed, tmp_path, "list", "methods")
    assert listed.returncode == 0, listed.stderr
    assert "lookahead × guidance" in " ".join(listed.stdout.split())
    small = ("steps=2", "prompts.limit=1", "images=2", "method.efr.lookahead.n=2")
    done = run(installed, tmp_path, "method=lidar", *small)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "runs_miniature" / "report.html").is_file()


def test_it_has_the_numbers_that_a_report_sets_beside_its_own(installed):
    code = "from bench.report.evidence import ESTIMATORS; from bench.report.lidar.published import "
    code += "TABLE; print(ESTIMATORS, TABLE, sep='\\n')"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-c", code]
    found = subprocess.run(
        command, env=environment, check=True, cwd=installed, capture_output=True, text=True
    ).stdout.splitlines()
    assert len(found) == 2
    for path in map(Path, found):
        assert path.read_bytes() == (ROOT / path.relative_to(installed)).read_bytes()
