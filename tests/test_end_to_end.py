"""From a mesh to poses by the commands a user types, each killed once on the way and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600), pytest.mark.xdist_group("end_to_end")]
FRAMES, SCENE = 24, 6
BUDGET = ("--tiny", "--no-ray", "--pictures", "400", "--crops", "1200")


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "posebot.cli.main", *map(str, arguments)]


def _run(*arguments: object, cwd: Path) -> str:
    """Run to the end; what it printed, both streams."""
    done = subprocess.run(_command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _kill(*arguments: object, cwd: Path, when: Callable[[], bool]) -> None:
    """Start, wait for `when`, and kill -9 the process with all its children."""
    process = subprocess.Popen(_command(*arguments), cwd=cwd, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not when():
            assert process.poll() is None, "ended before it could be killed"
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _pictures(folder: Path) -> dict[str, int]:
    """The finished pictures of a split, with the time they were written."""
    return {str(path): path.stat().st_mtime_ns for path in folder.glob("*/rgb/*") if "." not in path.parts[-3]}


def _scenes(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/scene_gt.json") if path.parent.name.isdigit())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the models of one of the kit's parts, built from its STL file."""
    home = tmp_path_factory.mktemp("home")
    _run("objects", "kit", "--out", "kit", cwd=home)
    [mesh] = (home / "kit" / "stl").glob("*bracket*.stl")
    assert "mm, diameter" in _run("objects", "check", mesh, cwd=home)
    _run("objects", "build", mesh, "--label", "bracket", "--out", "data/models", cwd=home)
    return home


@pytest.fixture(scope="module")
def dataset(home: Path) -> Path:
    """Rendered pictures; the rendering was killed after the first scene."""
    train = home / "data" / "train"
    synth = ("synth", "--objects", "data/models", "--frames", FRAMES, "--per-scene", SCENE, "--out", "data",
             "--size", "320x240", "--seed", 7)
    _kill(*synth, cwd=home, when=lambda: bool(_scenes(train)))
    finished = {path: stamp for scene in _scenes(train) for path, stamp in _pictures(train).items()
                if path.startswith(f"{scene}/")}
    _run(*synth, cwd=home)
    after = _pictures(train)
    assert len(after) == FRAMES
    assert finished.items() <= after.items()
    return home / "data"


@pytest.fixture(scope="module")
def bundle(home: Path, dataset: Path) -> Path:
    """A trained bundle; the training was killed in the localizer."""
    train = ("train", "--dataset", "data", "--out", "bundles/bracket", *BUDGET)
    _kill(*train, cwd=home, when=lambda: (home / "runs/train/bracket/localizer/metrics.jsonl").exists())
    printed = _run(*train, cwd=home)
    assert "detector   done before" in printed
    return home / "bundles" / "bracket"


def test_the_same_seed_gives_the_same_pictures(home: Path, dataset: Path) -> None:
    _run("synth", "--objects", "data/models", "--frames", SCENE, "--per-scene", SCENE, "--out", "again",
         "--size", "320x240", "--seed", 7, cwd=home)
    [first, *_], [again] = _scenes(dataset / "train"), _scenes(home / "again" / "train")
    assert (first / "scene_gt.json").read_bytes() == (again / "scene_gt.json").read_bytes()
    pictures = sorted((again / "rgb").iterdir())
    assert len(pictures) == SCENE
    assert all((first / "rgb" / path.name).read_bytes() == path.read_bytes() for path in pictures)


def test_the_bundle_says_where_it_comes_from(home: Path, bundle: Path) -> None:
    described = json.loads(_run("models", "show", bundle, "--json", cwd=home))
    assert [entry["label"] for entry in described["objects"]] == ["bracket"]
    assert described["provenance"]["data"]["name"] == "data"
    assert {"detector.onnx", "localizer.onnx"} < {path.name for path in bundle.iterdir()}
    assert not (bundle / "weights").exists()


def test_infer_goes_on_after_a_kill(home: Path, bundle: Path) -> None:
    results = home / "results.jsonl"
    infer = ("infer", "--source", "data", "--split", "train", "--bundle", bundle, "--out", results, "--bop", "out.csv")

    def begun() -> bool:
        return results.exists() and results.read_bytes().count(b"\n") >= 2

    _kill(*infer, cwd=home, when=begun)
    before = results.read_text().splitlines(keepends=True)
    _run(*infer, cwd=home)
    after = results.read_text().splitlines(keepends=True)
    whole = [line for line in before if line.endswith("\n")]
    assert after[:len(whole)] == whole
    assert len({json.loads(line)["frame_id"] for line in after}) == len(after) == FRAMES
    assert (home / "out.csv").read_text().startswith("scene_id,im_id,obj_id,score,R,t,time")


def test_evaluate_reports(home: Path, bundle: Path) -> None:
    _run("evaluate", "--dataset", "data", "--split", "train", "--bundle", bundle, "--processes", 1, "--out", "report",
         cwd=home)
    assert json.loads((home / "report" / "report.json").read_text())
    assert (home / "report" / "report.html").exists()
