"""Who may write a cell: shards without a prompt in common side by side, others not."""

import errno
import fcntl
from itertools import product

import pytest

from bench.errors import BenchError
from bench.store.locks import holding, overlap

SHARDS = [(k, n) for n in range(1, 7) for k in range(n)]


def test_shards_overlap_where_they_have_a_prompt_in_common():
    for (k, n), (m, o) in product(SHARDS, SHARDS):
        common = set(range(k, 60, n)) & set(range(m, 60, o))
        assert overlap((k, n), (m, o)) == bool(common)


@pytest.mark.parametrize("shard", [(0, 1), (0, 2), (2, 4), (1, 3)])
def test_a_shard_that_shares_a_prompt_with_one_being_written_is_refused(tmp_path, shard):
    with holding(tmp_path / "locks", (0, 2)):
        with pytest.raises(BenchError, match="another process is writing"):
            holding(tmp_path / "locks", shard).__enter__()
        with holding(tmp_path / "locks", (1, 2)):
            pass
    with holding(tmp_path / "locks", shard):
        pass


def test_a_refused_shard_holds_nothing(tmp_path):
    with holding(tmp_path, (0, 1)):
        for _ in range(2):
            with pytest.raises(BenchError, match="another process"):
                holding(tmp_path, (1, 2)).__enter__()
    with holding(tmp_path, (0, 2)), holding(tmp_path, (1, 2)):
        pass


def test_a_file_system_without_locks_is_said_to_have_none(tmp_path, monkeypatch):
    def flock(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(BenchError, match="has no locks"):
        holding(tmp_path, (0, 1)).__enter__()
