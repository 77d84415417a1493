"""Compare reward-guided samplers for text-to-image diffusion at matched cost and quality.

  guidance-bench [run] [experiment=NAME] [key=value …]   run an experiment's cells, and report
  guidance-bench list [methods|experiments|…]            what there is to choose from
  guidance-bench report FOLDER                           make the report of a results folder anew
  guidance-bench compare A B                             why two runs differ
  guidance-bench profile [key=value …]                   where one prompt's time goes
  guidance-bench gradient [key=value …]                  whether following a reward repairs images
  guidance-bench judge FOLDER                            judge a results folder again, or any images
  guidance-bench weights list|fetch|check [BACKBONE …]   pretrained weights
  guidance-bench geneval prompts                         GenEval's prompts, byte for byte

Examples
  guidance-bench                                         the demo: minutes on two cores
  guidance-bench method=lidar steps=50                   one method, one setting changed
  guidance-bench -m method=lidar,ug seed=0,1             a sweep
  guidance-bench method=lidar reward=my_module.my_reward a function (images, prompt) of one's own
  guidance-bench --config-dir my_conf method=mine        a folder of one's own method/mine.yaml

`python -m bench` is the same command. Each subcommand has its own --help; --hydra-help and
--cfg job are Hydra's.

Exit codes: 0 all is done; 1 something of it failed, the rest is done; 2 what was asked for cannot
be done as things are (bad input, a full disk, another process at the cell); 130 and 143 stopped by
SIGINT and SIGTERM. After 1, 130, 143 and kill -9 the same command goes on, after 2 when the cause
is mended.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# A module with a main(arguments) -> exit code.
SUBCOMMANDS = {
    "run": "bench.run.command",
    "list": "bench.config.listing",
    "report": "bench.report.__main__",
    "compare": "bench.report.compare",
    "profile": "bench.run.profile",
    "gradient": "bench.run.gradient",
    "judge": "bench.judge.__main__",
    "weights": "bench.weights.__main__",
    "geneval": "bench.geneval.__main__",
}


class Terminated(KeyboardInterrupt):
    """SIGTERM."""


def stop(number: int, frame: Any) -> None:
    raise Terminated


def in_the_way() -> str:
    """Which file is found in the place of one of this installation's packages, and what to do about
    it; "" where there is none."""
    root = Path(__file__).resolve().parents[1]
    for name in ("methods", "conf"):
        spec = find_spec(name)
        origin = (spec and spec.origin) or f"no file named {name}"
        if Path(origin).resolve() != root / name / "__init__.py":
            return (
                f"{origin} is in the way: guidance-bench has a package {name} of its own, in "
                f"{root}; rename yours, start elsewhere, or take its folder off PYTHONPATH"
            )
    return ""


def command(arguments: Sequence[str]) -> int:
    """What the command line asks for; the exit code."""
    first = arguments[0] if arguments else "run"
    if {"-h", "--help"} & set(arguments) and first not in [*SUBCOMMANDS][1:]:
        print(__doc__)
        return 0
    if first == "--version":
        from importlib.metadata import version

        print(f"guidance-bench {version('guidance-bench')}")
        return 0
    name, rest = (first, arguments[1:]) if first in SUBCOMMANDS else ("run", arguments)
    if name == "run" and rest and rest[0].isidentifier():
        from bench.settings import nearest

        known = f"choose from {', '.join(SUBCOMMANDS)}{nearest(rest[0], [*SUBCOMMANDS])}"
        print(f"error: there is no subcommand {rest[0]!r}: {known}", file=sys.stderr)
        return 2
    code: int = import_module(SUBCOMMANDS[name]).main(list(rest))
    return code


def main(subcommand: str | None = None) -> int:
    """The process's command line, of one subcommand where it is given; the exit code."""
    try:
        signal.signal(signal.SIGTERM, stop)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # an ASCII terminal shows ? for what it has not
                stream.reconfigure(errors="replace")
        if foreign := in_the_way():
            print(f"error: {foreign}", file=sys.stderr)
            return 2
        return command([*([subcommand] if subcommand else []), *sys.argv[1:]])
    except KeyboardInterrupt as stopped:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 143 if isinstance(stopped, Terminated) else 130
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


if __name__ == "__main__":
    sys.exit(main())
