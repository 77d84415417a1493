"""``python -m bench.geneval prompts``: the GenEval metadata as JSON lines on stdout."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from bench.geneval.prompts import generate, to_jsonl


class Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, without the usage text before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Parser(prog="python -m bench.geneval", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    prompts = commands.add_parser("prompts", help="write the prompts' metadata to stdout")
    prompts.add_argument("--n", type=int, default=100, help="prompts a task (default: 100)")
    prompts.add_argument("--seed", type=int, default=43, help="generator's seed (default: 43)")
    options = parser.parse_args(arguments)
    try:
        samples = generate(options.n, options.seed)
    except ValueError as error:
        prompts.error(str(error))
    try:
        sys.stdout.write(to_jsonl(samples))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    from bench.__main__ import main as entry

    sys.exit(entry("geneval"))
