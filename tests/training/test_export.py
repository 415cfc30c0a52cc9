"""Export: ONNX agrees with torch in every runtime at any batch size, and weighs half."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from posebot.models.detector_net import DetectorExport, DetectorNet  # noqa: E402
from posebot.models.localizer_net import LocalizerExport, LocalizerNet  # noqa: E402
from posebot.training import export  # noqa: E402


def noise(view: export.ExportView, batch: int, classes: int) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(batch)
    example = view.example(batch)
    pictures = torch.randint(0, 256, example[0].shape, dtype=torch.uint8, generator=random)
    return (pictures, *(torch.randint(0, classes, t.shape, generator=random) for t in example[1:]))


@pytest.fixture(scope="module")
def localizer() -> LocalizerExport:
    torch.manual_seed(0)
    net = LocalizerNet(classes=3, bins=8, width=32, crop_size=64)
    net.encoder.load_imagenet()
    return LocalizerExport(net).eval()


def test_localizer_agrees_in_every_runtime_at_another_batch_size(localizer: LocalizerExport, tmp_path: Path) -> None:
    path = tmp_path / "localizer.onnx"
    export.export_onnx(localizer, path)
    found = export.compare_runtimes(localizer, path, noise(localizer, 5, 3))
    assert found
    assert all(max(outputs.values()) < 1e-2 for outputs in found.values()), found
    assert [file.name for file in tmp_path.iterdir()] == ["localizer.onnx"]


def test_detector_agrees_on_the_scores(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = DetectorNet(classes=3, width=16)
    net.encoder.load_imagenet()
    view = DetectorExport(net, (96, 128)).eval()
    export.export_onnx(view, tmp_path / "detector.onnx")
    found = export.compare_runtimes(view, tmp_path / "detector.onnx", noise(view, 3, 3))
    assert found
    assert all(outputs["scores"] < 1e-2 for outputs in found.values()), found


def test_large_weights_are_halved_and_small_ones_are_not(localizer: LocalizerExport, tmp_path: Path) -> None:
    import onnx

    export.export_onnx(localizer, tmp_path / "a.onnx")
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    kinds = {(bool(np.prod(t.dims) >= 1024), t.data_type)
             for t in onnx.load(tmp_path / "a.onnx").graph.initializer if t.data_type in floats}
    assert kinds == {(True, onnx.TensorProto.FLOAT16), (False, onnx.TensorProto.FLOAT)}
    parameters = sum(p.numel() for p in localizer.parameters())
    assert (tmp_path / "a.onnx").stat().st_size < 2.3 * parameters


def test_relative_difference_sees_shapes_and_sizes() -> None:
    assert export.relative_difference(np.ones(4), np.full(4, 1.5)) == pytest.approx(0.5)
    assert export.relative_difference(np.ones(4), np.ones(5)) == float("inf")
