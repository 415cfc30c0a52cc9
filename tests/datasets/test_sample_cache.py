"""Shards: written atomically, read as one sequence."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posebot.datasets.sample_cache import SampleCache, write_shard


def shard(scene: int, count: int) -> dict[str, np.ndarray]:
    return {"value": np.arange(count) + 100 * scene, "image": np.full((count, 2, 2), scene, np.uint8)}


def test_shards_are_one_sequence(tmp_path: Path) -> None:
    for scene, count in {1: 3, 2: 0, 3: 2}.items():
        write_shard(tmp_path / f"{scene:06d}", shard(scene, count))
    cache = SampleCache(tmp_path)
    assert len(cache) == 5
    assert [int(cache.sample(i)["value"]) for i in range(5)] == [100, 101, 102, 300, 301]
    assert cache.column("value").tolist() == [100, 101, 102, 300, 301]
    assert cache.sample(4)["image"].tolist() == [[3, 3], [3, 3]]


def test_a_partial_shard_is_ignored_and_replaced(tmp_path: Path) -> None:
    (tmp_path / "000001.part").mkdir()
    (tmp_path / "000001.part" / "value.npy").write_bytes(b"torn")
    assert len(SampleCache(tmp_path)) == 0
    write_shard(tmp_path / "000001", shard(1, 4))
    assert len(SampleCache(tmp_path)) == 4
