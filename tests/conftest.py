"""What all tests share: quiet and offline tools, one property-test profile, the developers' real photographs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", MLFLOW_DISABLE_TELEMETRY="true",
                  RAY_USAGE_STATS_ENABLED="0")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that spin for each other make small machines slower
os.environ.setdefault("MUJOCO_GL", "egl")

# Triton (behind torch; YOLO loads it) crashes when loaded after the LLVM of Mesa or Mitsuba, but not before it.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

settings.register_profile("posebot", deadline=None, max_examples=60)
settings.load_profile("posebot")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs, from POSEBOT_DATA or beside the repository; without it the test is skipped."""
    folder = Path(os.environ.get("POSEBOT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is missing (set POSEBOT_DATA)")
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole, valid bundle of one box, its small networks untrained. Copy it before you change it."""
    torch = pytest.importorskip("torch")
    import trimesh

    from posebot.core.objects import Mesh
    from posebot.models.bundle import write_bundle
    from posebot.models.detector_net import DetectorExport, DetectorNet
    from posebot.models.localizer_net import LocalizerExport, LocalizerNet
    from posebot.models.manifest import DetectorSpec, LocalizerSpec, Manifest, ObjectRef
    from posebot.objects.bop_models import make_object, save_objects
    from posebot.training.export import export_onnx

    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    export_onnx(DetectorExport(DetectorNet(1, width=16), (96, 128)), folder / "detector.onnx")
    export_onnx(LocalizerExport(LocalizerNet(1, bins=8, width=32, crop_size=64)), folder / "localizer.onnx")
    box = trimesh.creation.box((0.06, 0.08, 0.1))
    save_objects(folder / "models", {1: make_object(1, "box", Mesh(box.vertices, box.faces.astype("int32")))})
    manifest = Manifest("tiny", "0.0.1", (ObjectRef(1, "box"),), DetectorSpec((96, 128), 0.3), LocalizerSpec(64), "MIT")
    networks = [(folder / name).read_bytes() for name in ("detector.onnx", "localizer.onnx")]
    return write_bundle(folder / "bundle", manifest, *networks, folder / "models")
