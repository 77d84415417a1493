"""The generator against the published file's digest and a derivation of its own."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.geneval.prompts import CLASSES, COLORS, POSITIONS, TASKS, generate, to_jsonl

ROOT = Path(__file__).parents[2]
OFFICIAL_SHA256 = "5c48e0813e812e3c373fa5c8ed07a8f0a483be30272b4427b0559c8048e67c13"


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "bench.geneval", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False)


def of_task(samples, task):
    return [s for s in samples if s["tag"] == task]


def derived(n, seed):
    """The prompts' texts alone, drawn and spelled without the generator's own functions."""
    rng, texts = np.random.default_rng(seed), []

    def an(noun):
        return ("an " if noun.startswith(("a", "e", "i", "o", "u")) else "a ") + noun

    for i in rng.choice(80, size=80, replace=False):  # every class, whatever n
        texts.append("a photo of " + an(CLASSES[i]))
    for _ in range(n):
        i, j = rng.choice(80, size=2, replace=False)
        texts.append(f"a photo of {an(CLASSES[i])} and {an(CLASSES[j])}")
    for _ in range(n):
        noun = CLASSES[rng.choice(80)]
        number = {2: "two", 3: "three", 4: "four"}[int(rng.integers(2, 5))]
        texts.append(f"a photo of {number} {noun}{'es' if noun[-1] == 's' else 's'}")
    for _ in range(n):
        noun = CLASSES[1:][rng.choice(79)]
        texts.append(f"a photo of {an(COLORS[rng.choice(10)])} {noun}")
    for _ in range(n):
        i, j = rng.choice(80, size=2, replace=False)
        relation = ["left of", "right of", "above", "below"][rng.choice(4)]
        texts.append(f"a photo of {an(CLASSES[i])} {relation} {an(CLASSES[j])}")
    for _ in range(n):
        i, j = rng.choice(79, size=2, replace=False)
        k, m = rng.choice(10, size=2, replace=False)
        first, second = f"{an(COLORS[k])} {CLASSES[1 + i]}", f"{an(COLORS[m])} {CLASSES[1 + j]}"
        texts.append(f"a photo of {first} and {second}")
    return list(dict.fromkeys(texts))


def test_the_command_writes_the_official_file_by_default():
    result = run("prompts")
    assert result.returncode == 0
    assert hashlib.sha256(result.stdout).hexdigest() == OFFICIAL_SHA256


def test_a_small_size_draws_every_class_as_the_official_generator_does():
    """The digest is of the official generator's own output for these arguments."""
    official = "67074d563dfc66427044bb5516283e3c14b02397471bdd3aca38e1093685c017"
    written = run("prompts", "--n", "30", "--seed", "43").stdout
    assert hashlib.sha256(written).hexdigest() == official
    lines = written.decode().splitlines()
    assert len(lines) == 227
    assert len(of_task(map(json.loads, lines), "single_object")) == 80
    assert lines[:80] == to_jsonl(generate(100, 43)).splitlines()[:80]


def test_the_command_takes_size_and_seed():
    assert run("prompts", "--n", "3", "--seed", "7").stdout.decode() == to_jsonl(generate(3, 7))


@pytest.mark.parametrize(
    "arguments", [["--n", "0"], ["--n", "-5"], ["--n", "many"], ["--seed", "-1"], ["--seed", "1.5"]]
)
def test_a_bad_size_or_seed_is_a_one_line_error(arguments):
    result = run("prompts", *arguments)
    assert result.returncode == 2
    assert result.stdout == b""
    assert result.stderr.count(b"\n") == 1
    assert b"error" in result.stderr


def test_a_reader_that_stops_early_sees_no_traceback():
    command = [sys.executable, "-m", "bench.geneval", "prompts", "--n", "2000"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stderr
        os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_the_command_starts_without_heavy_libraries():
    code = "import sys, bench.geneval.__main__; print({'torch', 'pandas'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert result.stdout.strip() == b"set()"


@pytest.mark.parametrize(("n", "seed"), [(1, 0), (7, 1), (80, 2), (100, 43), (250, 5)])
def test_texts_match_an_independent_derivation(n, seed):
    assert [s["prompt"] for s in generate(n, seed)] == derived(n, seed)


@pytest.mark.parametrize(("n", "seed"), [(4, 0), (100, 1), (150, 2)])
def test_tasks_come_in_order_without_duplicates(n, seed):
    samples = generate(n, seed)
    tags = [s["tag"] for s in samples]
    assert list(dict.fromkeys(tags)) == list(TASKS)
    assert tags == sorted(tags, key=TASKS.index)
    assert len({json.dumps(s) for s in samples}) == len(samples)
    assert all(len(of_task(samples, task)) <= n for task in TASKS[1:])


@pytest.mark.parametrize("n", [5, 80, 200])
def test_single_objects_are_every_class_once(n):
    names = [s["include"][0]["class"] for s in of_task(generate(n, 3), "single_object")]
    assert sorted(names) == sorted(CLASSES)


def test_clauses_say_what_the_prompt_says():
    for sample in generate(300, 11):
        include = sample["include"]
        names = [clause["class"] for clause in include]
        assert next(iter(sample)) == "tag"
        assert next(reversed(sample)) == "prompt"
        assert all(name in sample["prompt"] for name in names)
        assert len(set(names)) == len(names)
        match sample["tag"]:
            case "counting":
                count = include[0]["count"]
                assert 2 <= count <= 4
                assert sample["exclude"] == [{"class": names[0], "count": count + 1}]
                assert list(sample) == ["tag", "include", "exclude", "prompt"]
            case "position":
                relation, target = include[1]["position"]
                assert relation in POSITIONS and target == 0
                subject, rest = sample["prompt"].split(f" {relation} ")
                assert subject.endswith(names[1]) and rest.endswith(names[0])
            case "colors" | "color_attr":
                colors = [clause["color"] for clause in include]
                assert "person" not in names
                assert len(set(colors)) == len(colors)
                assert all(
                    f"{c} {n}" in sample["prompt"] for c, n in zip(colors, names, strict=True)
                )


def test_a_larger_size_extends_the_first_two_tasks():
    # The first draw does not depend on the size, so the draws agree until the smaller list turns
    # to counting.
    small, large = generate(30, 4), generate(140, 4)
    assert of_task(small, "single_object") == of_task(large, "single_object")
    pairs = of_task(small, "two_object")
    assert pairs == of_task(large, "two_object")[: len(pairs)]
    assert of_task(small, "counting") != of_task(large, "counting")[:30]


def test_seeds_differ_and_repeat():
    assert generate(10, 1) == generate(10, 1)
    assert generate(10, 1) != generate(10, 2)
