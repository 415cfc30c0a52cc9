"""The real hand-eye sets."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def handeye(real_data: Path) -> Path:
    """The folder of the real sets; without it the test is skipped."""
    folder = real_data / "handeye"
    if not folder.is_dir():
        pytest.skip(f"no real hand-eye sets: {folder} is missing (set POSEBOT_DATA)")
    return folder
