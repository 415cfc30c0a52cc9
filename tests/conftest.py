"""What all tests share: quiet and offline tools, one property-test profile, the developers' real photographs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", MLFLOW_DISABLE_TELEMETRY="true",
                  RAY_USAGE_STATS_ENABLED="0")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that spin for each other make small machines slower
os.environ.setdefault("MUJOCO_GL", "egl")

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
