"""A real service: the tiny bundle, streams as threads, a web server, no Ray."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.service.helpers import CAMERA, Running, Service, picture


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three images with intrinsics beside it."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "pictures").mkdir()
    for number in range(3):
        (folder / "pictures" / f"{number}.png").write_bytes(picture(seed=number))
    (folder / "camera.json").write_text(json.dumps(CAMERA))
    return folder


@pytest.fixture(scope="session")
def config(tiny_bundle: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with two names of one bundle and cameras of several kinds."""
    pictures, intrinsics = str(photos / "pictures"), str(photos / "camera.json")
    data = {
        "state": "state", "bundles": {"tiny": str(tiny_bundle), "second": str(tiny_bundle)}, "active": "tiny",
        "cameras": {
            "loop": {"kind": "folder", "source": pictures, "intrinsics": intrinsics, "fps": 20},
            "once": {"kind": "folder", "source": pictures, "intrinsics": intrinsics},
            "robot": {"kind": "folder", "source": pictures, "intrinsics": intrinsics, "fps": 20},
            "gone": {"kind": "folder", "source": str(photos / "nothing"), "intrinsics": intrinsics},
            "secret": {"kind": "rtsp", "source": "rtsp://user:hunter2@127.0.0.1:9/cam", "intrinsics": intrinsics},
        },
        "streams": {"loop": {"loop": True, "record": {"mcap": True}}, "robot": {"loop": True, "robot_pose": "pushed"},
                    "once": {"bundle": "second"}},
        "jobs": {"folder": "jobs"}, "limits": {"failures_per_minute": 100_000, "requests_per_minute": 1_000_000},
    }
    file = tmp_path_factory.mktemp("service") / "serve.yaml"
    file.write_text(yaml.safe_dump(data))
    return file


@pytest.fixture(scope="session")
def service(config: Path) -> Iterator[Running]:
    """The service of `config`, for all tests."""
    with Service(config) as found:
        yield found
