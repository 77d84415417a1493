"""Lookahead samples reused between cells: the same results, honest costs, a bounded folder."""

import numpy as np
import pytest
import torch

import bench
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.run.cells import run_cell
from bench.store.cache import Cache
from bench.store.records import read_records
from bench.store.schema import canonical

TOY = ["prompts.limit=3", "steps=3", "images=2", "yardstick_every=3", "judge=none", "scores=[]"]
LIDAR = ["method=lidar", "method.efr.lookahead.n=4", "method.efr.lookahead.steps=2"]
WEAK, STRONG = "method.steer.guidance.scale=1", "method.steer.guidance.scale=8"


def run(results, *overrides):
    cell = make_cell(cell_settings([*TOY, *LIDAR, *overrides], []))
    return list(read_records(run_cell(cell, results, lambda: None) / "records.jsonl"))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Two strengths in one folder, and the second one alone."""
    folder = tmp_path_factory.mktemp("swept")
    alone = run(tmp_path_factory.mktemp("alone"), STRONG, "cache_gb=0")
    return folder, run(folder, WEAK), run(folder, STRONG), alone


def test_what_is_reused_changes_no_image_score_or_count(swept):
    _, _, strong, alone = swept
    assert any(record.reused for record in strong)
    assert list(map(canonical, strong)) == list(map(canonical, alone))


def test_only_untimed_prompts_reuse_and_the_record_says_what(swept):
    _, weak, strong, alone = swept
    assert not any(record.reused for record in [*weak, *alone])
    for record in strong:
        assert bool(record.reused) == (not record.yardstick)
        if record.reused:
            assert record.reused["prepare"] == {"denoiser": 2 * 4 * 2, "decode": 4}
            assert record.reused["annotate"] == {"reward": 4}
            assert record.calls["prepare"]["denoiser"] == 2 * 4 * 2


def test_the_seconds_of_a_prompt_that_reused_samples_count_nowhere(swept):
    folder, _, strong, _ = swept
    images = bench.load(folder)
    unclocked = images[images.seconds.isna()]
    assert set(unclocked["set.method.steer.guidance.scale"]) == {8}
    assert set(unclocked["index"]) == {record.index for record in strong if record.reused}


def test_another_seed_reward_or_solver_draws_its_own_samples(swept):
    folder, *_ = swept
    for change in ("seed=1", "reward=jpeg", "method.efr.lookahead.steps=3"):
        assert not any(record.reused for record in run(folder, "prompts.limit=2", change)), change


def test_a_damaged_entry_is_drawn_again(tmp_path):
    few = "prompts.limit=2"
    expected = run(tmp_path, WEAK, few)
    for entry in (tmp_path / "lookahead").iterdir():
        content = bytearray(entry.read_bytes())
        content[-1] ^= 1
        entry.write_bytes(content)
    records = run(tmp_path, STRONG, few)
    assert not any(record.reused for record in records)
    assert [r.calls for r in records] == [r.calls for r in expected]


def test_a_cache_gives_back_what_was_kept_under_a_key(tmp_path):
    cache = Cache(tmp_path, 10**6)
    tensors = [torch.arange(6.0).reshape(2, 3), torch.tensor([1, 2])]
    cache.put({"prompt": "a"}, tensors, {"calls": 3})
    found, note = cache.get({"prompt": "a"})
    assert all(torch.equal(a, b) for a, b in zip(tensors, found, strict=True))
    assert note == {"calls": 3} and cache.get({"prompt": "b"}) is None


def test_a_cache_never_exceeds_its_limit_and_keeps_what_fits(tmp_path):
    cache, limit = Cache(tmp_path, 6000), 6000
    for number in range(20):
        cache.put({"n": number}, [torch.full((200,), float(number))], {})
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= limit
    kept = [n for n in range(20) if cache.get({"n": n})]
    assert 3 <= len(kept) <= 6 and 19 in kept
    cache.put({"n": "too large"}, [torch.zeros(10_000)], {})
    assert len(list(tmp_path.iterdir())) == len(kept)


def test_prompts_met_again_and_again_in_one_order_find_some_of_their_entries(tmp_path):
    """To drop what was used longest ago would find none of them."""
    cache, hits = Cache(tmp_path, 12_000), 0
    for _ in range(5):
        for number in range(20):
            if cache.get({"n": number}):
                hits += 1
            else:
                cache.put({"n": number}, [torch.zeros(200)], {})
    assert hits >= 10


def test_a_folder_that_cannot_be_made_keeps_nothing_and_stops_nothing(tmp_path):
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file" / "below", 10**6)
    cache.put({"n": 1}, [torch.zeros(2)], {})
    assert cache.get({"n": 1}) is None


def test_bfloat16_and_empty_tensors_come_back(tmp_path):
    cache = Cache(tmp_path, 10**6)
    cache.put({}, [torch.ones(3, dtype=torch.bfloat16), torch.zeros(0)], {})
    found, _ = cache.get({})
    assert found[0].dtype == torch.bfloat16 and np.prod(found[1].shape) == 0
