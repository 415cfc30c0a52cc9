"""Weights are stored once: what training starts from comes out of the ONNX files."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from posebot.core.errors import BundleError  # noqa: E402
from posebot.models.bundle import Bundle  # noqa: E402
from posebot.models.detector_net import DetectorExport, DetectorNet  # noqa: E402
from posebot.models.localizer_net import LocalizerExport, LocalizerNet  # noqa: E402
from posebot.models.reference import resolve  # noqa: E402
from posebot.training.export import export_onnx  # noqa: E402
from posebot.training.initializers import state_from_onnx  # noqa: E402
from posebot.training.start import start_weights  # noqa: E402


def test_a_shipped_bundle_exports_to_the_same_bytes_again(tmp_path: Path) -> None:
    bundle = Bundle.open("kit")
    classes = len(bundle.objects)
    detector = DetectorNet(classes)
    detector.load_state_dict(state_from_onnx(bundle.detector, "kit"))
    export_onnx(DetectorExport(detector, bundle.manifest.detector.input_size), tmp_path / "detector.onnx")
    assert (tmp_path / "detector.onnx").read_bytes() == bundle.detector
    localizer = LocalizerNet(classes, crop_size=bundle.manifest.localizer.crop_size)
    localizer.load_state_dict(state_from_onnx(bundle.localizer, "kit"))
    export_onnx(LocalizerExport(localizer), tmp_path / "localizer.onnx")
    assert (tmp_path / "localizer.onnx").read_bytes() == bundle.localizer


def test_parameters_that_are_equal_are_all_found(tmp_path: Path) -> None:
    net = LocalizerNet(classes=3, bins=8, width=32, crop_size=64)  # untrained: most biases are 0
    export_onnx(LocalizerExport(net), tmp_path / "localizer.onnx")
    state = state_from_onnx((tmp_path / "localizer.onnx").read_bytes(), "here")
    assert set(state) == set(net.state_dict())
    assert all(torch.allclose(state[name], value, rtol=1e-3, atol=1e-4) for name, value in net.state_dict().items())


def test_start_weights_name_the_classes_and_never_cross_kinds() -> None:
    path = resolve("kit")
    state, labels = start_weights(path, "localizer", "heatmap")
    assert len(labels) == state["map_weight"].shape[0] == 8
    assert start_weights(path, "detector", "yolo") == ({}, [])


@pytest.mark.parametrize("data", [b"", b"not ONNX at all"])
def test_what_is_not_onnx_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"x\.onnx: (is not an ONNX file|holds no weights)"):
        state_from_onnx(data, "x.onnx")
