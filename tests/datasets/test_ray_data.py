"""Ray Data pipelines: the same samples as the plain functions give, in a cache or as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.datasets import ray_data, sample_source
from posebot.datasets.bop import BopDataset, ImageKey
from posebot.datasets.localizer_samples import CROP_META, image_localizer_samples
from posebot.datasets.sample_cache import SampleCache
from posebot.datasets.sample_source import Kind, SampleSource
from tests.training.scenes import write_scenes


@pytest.fixture
def source(tmp_path: Path) -> SampleSource:
    root = write_scenes(tmp_path / "bop", images=3)
    return SampleSource(str(root), "train", str(root / "models"), ((1, 0), (2, 1)), (0, 1), (96, 128))


@pytest.fixture
def caches(tmp_path: Path) -> dict[Kind, Path]:
    return {"crops": tmp_path / "crops", "frames": tmp_path / "frames"}


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    pytest.importorskip("ray")
    from posebot.training.ray_train import cluster

    with cluster(None, 1):
        yield


def test_records_survive_the_packing(source: SampleSource) -> None:
    crops = sample_source.image_samples(source, "crops", ImageKey(0, 1))
    again = ray_data.unpack_records(ray_data.pack_records(crops))
    assert again["meta"].dtype == CROP_META
    assert np.array_equal(again["meta"], np.stack([crop["meta"] for crop in crops]))
    [frame] = sample_source.image_samples(source, "frames", ImageKey(0, 1))
    boxes = ray_data.unpack_records(ray_data.pack_records([frame, frame]))["boxes"]
    assert boxes.shape == (2, *frame["boxes"].shape)
    assert np.array_equal(boxes[1], frame["boxes"])
    assert ray_data.pack_records([]) == {}


def test_a_scene_is_cut_once(source: SampleSource, caches: dict[Kind, Path]) -> None:
    assert sample_source.missing_scenes(source, caches) == [0, 1]
    assert sample_source.fill_cache(source, 0, caches) == 6 + 3
    assert sample_source.fill_cache(source, 0, caches) == 0
    assert sample_source.missing_scenes(source, caches) == [1]
    assert (len(SampleCache(caches["crops"])), len(SampleCache(caches["frames"]))) == (6, 3)


@pytest.mark.parametrize("few", [1, 4])  # a process for each scene, or none
def test_processes_fill_what_is_missing(source: SampleSource, caches: dict[Kind, Path], few: int,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_source, "_MIN_SCENES_PER_PROCESS", few)
    monkeypatch.setattr(sample_source, "cores", lambda: 2)
    assert sorted(sample_source.fill_caches_locally(source, caches)) == [0, 1]
    assert list(sample_source.fill_caches_locally(source, caches)) == []
    assert (len(SampleCache(caches["crops"])), len(SampleCache(caches["frames"]))) == (12, 6)


def test_a_damaged_scene_is_named_by_the_process_that_cut_it(source: SampleSource, caches: dict[Kind, Path],
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_source, "_MIN_SCENES_PER_PROCESS", 1)
    monkeypatch.setattr(sample_source, "cores", lambda: 2)
    for picture in (Path(source.root) / "train" / "000001" / "rgb").glob("*"):
        picture.write_bytes(b"no picture")
    with pytest.raises(InputError, match="000001"):
        list(sample_source.fill_caches_locally(source, caches))


def test_ray_fills_what_is_missing(source: SampleSource, caches: dict[Kind, Path], ray_cluster: None) -> None:
    sample_source.fill_cache(source, 0, caches)
    assert list(ray_data.fill_caches(source, caches)) == [1]
    assert list(ray_data.fill_caches(source, caches)) == []
    assert len(SampleCache(caches["crops"])) == 12


def test_a_stream_gives_every_sample_once_an_epoch(source: SampleSource, ray_cluster: None) -> None:
    def augment(batch: sample_source.Batch) -> sample_source.Batch:
        return {"rgb": batch["rgb"], "label": batch["meta"]["label"].astype(np.int64)}

    rows = ray_data.streaming_dataset(source, "crops", augment, batch=4)
    dataset, labels = BopDataset(source.root, source.split), dict(source.labels)
    keys = [ImageKey(scene, image) for scene in dataset.scenes for image in range(3)]
    expected = [crop["rgb"] for key in keys for crop in image_localizer_samples(dataset, key, labels)]
    for _ in range(2):
        found = [row for batch in rows.iter_batches(batch_size=5) for row in batch["rgb"]]
        assert sorted(row.tobytes() for row in found) == sorted(crop.tobytes() for crop in expected)
