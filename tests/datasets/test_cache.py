"""Shards: written whole, read as one sequence."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posebot.datasets.cache import Cache, build, write_shard


def shard(scene: int, count: int) -> dict[str, np.ndarray]:
    return {"value": np.arange(count) + 100 * scene, "picture": np.full((count, 2, 2), scene, np.uint8)}


def test_shards_are_one_sequence(tmp_path: Path) -> None:
    build(tmp_path, [1, 2, 3], lambda scene: shard(scene, {1: 3, 2: 0, 3: 2}[scene]))
    cache = Cache(tmp_path)
    assert len(cache) == 5
    assert [int(cache.sample(i)["value"]) for i in range(5)] == [100, 101, 102, 300, 301]
    assert cache.column("value").tolist() == [100, 101, 102, 300, 301]
    assert cache.sample(4)["picture"].tolist() == [[3, 3], [3, 3]]


def test_build_adds_only_what_is_missing(tmp_path: Path) -> None:
    made: list[int] = []

    def make(scene: int) -> dict[str, np.ndarray]:
        made.append(scene)
        return shard(scene, 1)

    build(tmp_path, [1, 2], make)
    build(tmp_path, [1, 2, 5], make)
    assert made == [1, 2, 5]


def test_a_half_written_shard_is_not_seen_and_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "000001.part").mkdir()
    (tmp_path / "000001.part" / "value.npy").write_bytes(b"torn")
    assert len(Cache(tmp_path)) == 0
    write_shard(tmp_path / "000001", shard(1, 4))
    assert len(Cache(tmp_path)) == 4


def test_parts_deal_out_the_shards(tmp_path: Path) -> None:
    build(tmp_path, [1, 2, 3, 4], lambda scene: shard(scene, scene))
    assert (len(Cache(tmp_path, slice(0, None, 2))), len(Cache(tmp_path, slice(1, None, 2)))) == (4, 6)
