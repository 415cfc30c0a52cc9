"""The YOLO trainer: labels, a short real training, its resumption, and the detector's contract."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
if find_spec("ultralytics") is None:  # asked without importing it: that would change PIL and OpenCV for all tests
    pytest.skip("ultralytics is not installed", allow_module_level=True)

from posebot.datasets.bop import BopDataset  # noqa: E402
from posebot.datasets.detector_samples import BOX_DTYPE, scene_detector_samples  # noqa: E402
from posebot.datasets.sample_cache import SampleCache, write_shard  # noqa: E402
from posebot.training import export  # noqa: E402
from posebot.training.detectors import yolo  # noqa: E402
from posebot.training.initializers import state_from_onnx  # noqa: E402
from tests.training.scenes import write_scenes  # noqa: E402

SIZE = (96, 128)


def test_labels_are_shares_of_the_picture_and_hidden_objects_are_left_out() -> None:
    boxes = np.zeros(3, BOX_DTYPE)
    boxes["label"] = [2, 1, -1]
    boxes["visible"] = [1.0, 0.05, 1.0]
    boxes["xyxy"] = [-0.5, -0.5, 63.5, 23.5]
    assert yolo.label_lines(boxes, SIZE) == "2 0.250000 0.125000 0.500000 0.250000\n"


def test_trains_resumes_and_obeys_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = BopDataset(write_scenes(tmp_path / "bop", images=4), "train")
    for scene in dataset.scenes:
        write_shard(tmp_path / "shards" / f"{scene:06d}", scene_detector_samples(dataset, scene, {1: 0, 2: 1}, SIZE))
    data = yolo.write_yolo_dataset(tmp_path / "yolo", SampleCache(tmp_path / "shards"), ["box1", "box2"], held_out=4)
    epochs: list[int] = []
    out = tmp_path / "detector"
    yolo.train(data, out, SIZE, seconds=600, batch=4, epochs=2, on_epoch=lambda epoch, metrics: epochs.append(epoch))
    view = yolo.train(data, out, SIZE, seconds=600, batch=4, epochs=2)
    assert epochs == [0, 1]

    export.export_onnx(view, tmp_path / "detector.onnx")
    pictures = torch.from_numpy(SampleCache(tmp_path / "shards").sample(0)["image"].copy())[None].repeat(3, 1, 1, 1)
    found = export.compare_runtimes(view, tmp_path / "detector.onnx", (pictures,))
    assert found
    assert all(outputs["scores"] < 1e-2 for outputs in found.values()), found
    boxes, scores, labels = view(pictures)
    assert boxes.shape == (3, yolo.CANDIDATES, 4)
    assert labels.dtype == torch.int64
    assert (scores.diff(dim=1) <= 0).all()
    state = state_from_onnx((tmp_path / "detector.onnx").read_bytes(), "here")
    learnt = {name for name, value in view.net.named_parameters() if value.requires_grad}
    assert learnt <= set(yolo.start_state(state)), "the export has the weights of all that is trained"
    assert {path.name for path in tmp_path.iterdir()} == {"bop", "shards", "yolo", "detector", "detector.onnx"}
