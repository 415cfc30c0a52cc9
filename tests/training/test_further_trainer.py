"""A further detector trainer is one file (ssd_trainer.py) and one entry; nothing else of posebot is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from posebot.core.camera import box_iou  # noqa: E402
from posebot.datasets.bop import BopDataset  # noqa: E402
from posebot.datasets.sample_cache import SampleCache  # noqa: E402
from posebot.datasets.sample_source import SampleSource, fill_cache  # noqa: E402
from posebot.models.manifest import DetectorSpec  # noqa: E402
from posebot.models.runtime import Network  # noqa: E402
from posebot.stages.detect import OnnxDetector  # noqa: E402
from posebot.training import jobs  # noqa: E402
from posebot.training.config import TINY, load_config  # noqa: E402
from posebot.training.detectors import TRAINERS  # noqa: E402
from posebot.training.export import compare_runtimes, export_onnx  # noqa: E402
from posebot.training.job import Job  # noqa: E402
from posebot.training.loop import Hooks  # noqa: E402
from tests.training.scenes import write_scenes  # noqa: E402
from tests.training.ssd_trainer import overlaps  # noqa: E402

SIZE = (96, 128)


def test_it_trains_exports_and_detects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRAINERS, "ssd", "tests.training.ssd_trainer:SsdTrainer")  # the entry
    (tmp_path / "recipe.yaml").write_text(
        "seed: 3\ndetector: {kind: ssd, input_size: [96, 128], pictures: 960, batch: 8, lr: 3.0e-3}\n")
    config = load_config(tmp_path / "recipe.yaml", TINY)
    root = write_scenes(tmp_path / "bop", images=8)
    data = BopDataset(root, "train")
    source = SampleSource(str(root), "train", str(root / "models"), ((1, 0), (2, 1)), tuple(data.scenes), SIZE)
    for scene in data.scenes:
        fill_cache(source, scene, {"frames": tmp_path / "cache"})
    job = Job("detector", config, source, tmp_path / "cache", tmp_path / "out")
    losses: list[float] = []
    jobs.run(job, Hooks(report=lambda progress, metrics: losses.append(metrics["loss"])))
    assert not job.distributed
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])

    view = jobs.trained(job)
    export_onnx(view, tmp_path / "detector.onnx")
    frame = data.frame(data.keys()[0])
    detector = OnnxDetector(Network(tmp_path / "detector.onnx"), DetectorSpec(SIZE, 0.3, config.detector.kind))
    found = detector(frame.rgb)
    for annotation in data.annotations(data.keys()[0]):
        boxes = [one.box_xyxy for one in found if one.class_index == annotation.obj_id - 1]
        assert boxes and box_iou(np.stack(boxes), annotation.box_amodal[None]).max() > 0.5
    images = torch.from_numpy(SampleCache(job.cache).sample(0)["image"].copy())[None].repeat(3, 1, 1, 1)
    differences = compare_runtimes(view, tmp_path / "detector.onnx", (images,))
    assert all(outputs["scores"] < 1e-2 for outputs in differences.values())
    assert replace(config.detector, kind="heatmap") != config.detector


def test_its_overlaps_are_those_of_torchvision() -> None:
    from torchvision.ops import box_iou as theirs

    low = torch.rand(2, 6, 2, generator=torch.Generator().manual_seed(0))
    boxes = torch.cat([low, low + 0.5], -1)
    assert torch.allclose(overlaps(boxes)[1], theirs(boxes[1], boxes[1]))
