"""``guidance-bench [run] [experiment=NAME] [key=value …]``: from arguments to an exit code.

``-m`` sweeps: comma-separated values make one job each (Hydra's multirun), spread by ``launch=``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from bench.config.overrides import written_out
from bench.errors import BenchError
from bench.run import job


def main(arguments: Sequence[str]) -> int:
    """0 all is done, 1 something of it failed, 2 it cannot be done as things are."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors come here, not as text to stderr
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before ray starts, in this process
    try:
        sys.argv[1:] = arguments = written_out(arguments)  # where Hydra reads them
        job.check(arguments)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        job.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    except BenchError:  # of a sweep; the job has said it, and the others are done
        return 1
    except (HydraException, OmegaConfBaseException) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0
