"""posebot.train: the arguments of `posebot train`, without Ray where nothing needs it."""

import subprocess
import sys
from pathlib import Path

import pytest

import posebot

pytest.importorskip("torch")

from tests.training.scenes import write_scenes

CONFIG = """
tracking: false
detector: {pictures: 16, minutes: null, batch: 4}
localizer: {crops: 32, minutes: null, batch: 8}
calibration: {frames: 2}
"""
CODE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ray":
            raise ModuleNotFoundError("No module named 'ray'", name=name)

sys.meta_path.insert(0, Absent())
import posebot

lines = []
report = posebot.train("bop", out="bundle", config="train.yaml", tiny=True, log=lines.append)
assert report and lines
print(posebot.load("./bundle").labels)
"""


def test_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(posebot.InputError, match="--dataset: is missing"):
        posebot.train(out=tmp_path / "bundle")
    with pytest.raises(posebot.InputError, match="--add: renders its own images"):
        posebot.train("bop", out=tmp_path / "bundle", add=tmp_path)
    with pytest.raises(posebot.InputError) as caught:
        posebot.train(tmp_path / "nowhere", out=tmp_path / "bundle", runs=tmp_path / "runs")
    assert caught.value.code == "file_not_found"


@pytest.mark.long
def test_a_small_run_without_ray_gives_a_bundle_that_loads(tmp_path: Path) -> None:
    write_scenes(tmp_path / "bop", scenes=3)
    (tmp_path / "train.yaml").write_text(CONFIG)
    done = subprocess.run([sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(")
