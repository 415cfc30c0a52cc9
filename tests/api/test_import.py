"""`import posebot` is instant, and everything it offers is found: by people, type checkers and editors."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

import posebot

HEAVY = "numpy cv2 scipy torch ray yaml pydantic trimesh onnxruntime openvino PIL httpx typer rich numba".split()
DOWNSTREAM = '''
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import posebot


def grasp(rgb: NDArray[np.uint8], depth: NDArray[np.float32]) -> NDArray[np.float64] | None:
    model = posebot.load("kit", masks=True)
    result = model(rgb, K=[[600, 0, 320], [0, 600, 240], [0, 0, 1]], depth=depth)
    for pose in result:
        if pose.status == "ok" and pose.region90 is not None and pose.region90.translation_mm < 5:
            return pose.base_from_obj
    result.plot(rgb).save("overlay.png")
    rows: list[dict[str, object]] = result.to_bop(scene_id=1, im_id=2)
    print(len(rows), result.to_coco(), result.to_ros(), result.to_json(), result[0].label)
    print([known.label for known in model.objects])
    return None


def follow(config: Path) -> None:
    model = posebot.load(config.parent / "kit")
    with posebot.open_camera(config, "wrist") as camera:
        for frame, result in ((frame, model(frame)) for frame in camera):
            print(frame.frame_id, len(result), camera.dropped)


def ask(address: str, camera: posebot.Camera) -> posebot.Result | None:
    try:
        with posebot.Client(address, "pb_key") as client:
            return client.infer("image.png", camera)
    except posebot.InputError as error:
        print(error.code, error.where)
    except posebot.PosebotError as error:
        print(error.code)
    return None


report = posebot.train("data", out="bundle", tiny=True)
'''
WRONG = '''
import posebot

posebot.load(3)
posebot.loads("kit")
posebot.load("kit")(posebot.example_frame()).to_coco("a")
'''


def test_import_takes_at_most_60_ms_and_brings_nothing_heavy() -> None:
    code = "import sys, time; start = time.perf_counter(); import posebot; " \
           "print(1000 * (time.perf_counter() - start)); " \
           f"print(*[name for name in {HEAVY} if name in sys.modules])"
    runs = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        duration, heavy = done.stdout.splitlines()
        assert heavy == ""
        runs.append(float(duration))
        time.sleep(0.01)
    assert min(runs) <= 60, runs


@pytest.mark.parametrize("name", posebot.__all__)
def test_every_name_is_there(name: str) -> None:
    value = getattr(posebot, name)
    assert name in dir(posebot)
    assert name == "__version__" or value.__doc__


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="module 'posebot' has no attribute 'lod'"):
        posebot.lod  # type: ignore[attr-defined]  # noqa: B018


def test_a_project_that_uses_posebot_passes_mypy_strict(tmp_path: Path) -> None:
    assert (Path(posebot.__file__).parent / "py.typed").is_file()
    (tmp_path / "good.py").write_text(DOWNSTREAM)
    (tmp_path / "wrong.py").write_text(WRONG)
    slow = ",".join(f"{name}.*" for name in "torch torchvision ray mlflow scipy cv2 numba trimesh".split())
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = True\n[mypy-{slow}]\nfollow_imports = skip\n")
    done = subprocess.run([sys.executable, "-m", "mypy", "good.py", "wrong.py"], capture_output=True, text=True,
                          cwd=tmp_path)
    errors = done.stdout.splitlines()
    places = [line.partition(": error: ")[0] for line in errors[:-1]]
    assert places == ["wrong.py:4", "wrong.py:5", "wrong.py:6"], errors
    assert 'Module has no attribute "loads"' in errors[1]
