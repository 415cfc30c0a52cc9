"""The wheels in environments of their own: with the base dependencies only, as on a robot's computer, and each extra.

Each extra does there what it promises: renders, evaluates, trains, serves.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
TRAINERS = ["torch", "torchvision", "ray", "mlflow", "ultralytics", "onnx", "mujoco", "mitsuba"]
MAX_WHEEL = 14_000_000  # bytes
FIVE_LINES = """
import posebot

frame = posebot.example_frame()
model = posebot.load("kit")
result = model(frame)
for pose in result:
    print(pose.label, pose.p_correct)
result.plot(frame.rgb).save("overlay.png")
assert len(result) >= 3
"""


def _uv(*arguments: object) -> None:
    uv = Path(sys.prefix) / "bin" / "uv"
    if not uv.exists():
        pytest.skip(f"{uv} is missing (make install brings it)")
    done = subprocess.run([uv, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory, root: Path) -> dict[str, Path]:
    """The wheels of posebot and posebot_bundles, by the name of the package."""
    folder = tmp_path_factory.mktemp("dist")
    for project in (root, root / "packages" / "posebot-bundles"):
        _uv("build", "--wheel", "--out-dir", folder, project)
    return {path.name.split("-")[0]: path for path in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def installed(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, root: Path) -> Callable[[str], Path]:
    """bin/ of a fresh environment with the wheel and one extra ("": none), made once for each."""
    made: dict[str, Path] = {}

    def environment(extra: str) -> Path:
        if extra not in made:
            home = tmp_path_factory.mktemp("machine") / "venv"
            _uv("venv", "--python", sys.executable, home)
            what = f"posebot[{extra}] @ {wheels['posebot'].as_uri()}" if extra else str(wheels["posebot"])
            _uv("pip", "install", "--python", home / "bin" / "python", "-c", root / "requirements.txt", what)
            made[extra] = home / "bin"
        return made[extra]

    return environment


@pytest.fixture(scope="module")
def data(installed: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BOP data set of the kit, rendered by what the extra `synth` brings."""
    folder = tmp_path_factory.mktemp("data")
    bin_ = installed("synth")
    _run(bin_ / "posebot", "objects", "kit", "--out", "kit", cwd=folder)
    options = "--objects kit/models --frames 8 --out set".split()
    _run(bin_ / "python", "-m", "ray_apps.synth", *options, cwd=folder)
    return folder / "set"


def _clean() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def _run(program: Path, *arguments: object, cwd: Path) -> str:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=_clean(),
                          check=False)
    assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def test_the_wheel_holds_code_licence_pins_and_the_kit(wheels: dict[str, Path]) -> None:
    path = wheels["posebot"]
    names = zipfile.ZipFile(path).namelist()
    assert {"posebot/requirements.txt", "posebot/py.typed", "posebot/bundles/kit/bundle.yaml", "ray_apps/train.py",
            "ray_apps/serve.yaml"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "docs", "tools")) or "__pycache__" in name]
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB (at most {MAX_WHEEL / 1e6:.0f} MB)")
    assert path.stat().st_size <= MAX_WHEEL


def test_the_command_works_without_any_trainer(installed: Callable[[str], Path], tmp_path: Path) -> None:
    bin_ = installed("")
    assert "Usage: posebot" in _run(bin_ / "posebot", "--help", cwd=tmp_path)
    report = json.loads(_run(bin_ / "posebot", "doctor", "--json", cwd=tmp_path))
    assert report["ready"]
    code = f"import importlib.util as u; print([m for m in {TRAINERS} if u.find_spec(m)])"
    assert _run(bin_ / "python", "-c", code, cwd=tmp_path).strip() == "[]"


def test_five_lines_of_python_give_poses(installed: Callable[[str], Path], tmp_path: Path) -> None:
    assert _run(installed("") / "python", "-c", FIVE_LINES, cwd=tmp_path).strip()
    assert (tmp_path / "overlay.png").stat().st_size > 10_000


def test_what_needs_an_extra_says_so(installed: Callable[[str], Path], tmp_path: Path) -> None:
    for command, extra in (("demo --frames 1", "synth"), ("serve", "serve"), ("train --dataset x --out y", "train")):
        program = [installed("") / "posebot", *command.split()]
        done = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 2
        assert f"pip install 'posebot[{extra}]'" in done.stderr


def test_the_bundles_package_adds_its_models(installed: Callable[[str], Path], wheels: dict[str, Path],
                                             tmp_path: Path) -> None:
    bin_ = installed("")
    _uv("pip", "install", "--python", bin_ / "python", "--no-deps", wheels["posebot_bundles"])
    for name in ("lmo", "ycb"):
        assert name in _run(bin_ / "python", "-c", f"import posebot; print(posebot.load('{name}').name)", cwd=tmp_path)


def test_extra_synth_renders_and_shows_the_demo(installed: Callable[[str], Path], data: Path, tmp_path: Path) -> None:
    assert len(list((data / "train").rglob("rgb/*"))) == 8
    _run(installed("synth") / "posebot", "demo", "--frames", "2", "--no-page", cwd=tmp_path)
    assert (tmp_path / "runs" / "demo" / "results.jsonl").exists()


def test_extra_evaluate_scores_a_bundle(installed: Callable[[str], Path], data: Path, tmp_path: Path) -> None:
    options = "--split train --bundle kit --out report".split()
    _run(installed("evaluate") / "posebot", "evaluate", "--dataset", data, *options, cwd=tmp_path)
    assert list(tmp_path.rglob("report.html"))


def test_extra_train_trains_through_ray_and_its_bundle_infers(installed: Callable[[str], Path], data: Path,
                                                              tmp_path: Path) -> None:
    bin_ = installed("train")
    _run(bin_ / "python", "-m", "ray_apps.train", "--dataset", data, "--out", "tiny", "--tiny", cwd=tmp_path)
    assert "tiny" in _run(installed("") / "python", "-c", "import posebot; print(posebot.load('./tiny'))", cwd=tmp_path)


def test_extra_yolo_trains_a_detector(installed: Callable[[str], Path], data: Path, tmp_path: Path) -> None:
    _run(installed("yolo") / "posebot", "train", "--dataset", data, "--out", "tiny", "--tiny", "--detector", "yolo",
         "--no-ray", cwd=tmp_path)
    assert (tmp_path / "tiny" / "detector.onnx").exists()


def test_extra_serve_answers(installed: Callable[[str], Path], tmp_path: Path, root: Path) -> None:
    bin_, address = installed("serve"), "http://127.0.0.1:8765"
    (tmp_path / "serve.yaml").write_text("port: 8765\nauth: {enabled: false}\nlimits: {infer_seconds: 300}\n")
    image = root / "posebot" / "api" / "example" / "view0.jpg"
    code = (f"import posebot; client = posebot.Client('{address}', timeout_s=300)\n"
            f"print(client.infer('{image}', posebot.example_frame().camera))")
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen([bin_ / "posebot", "serve", "--config", "serve.yaml"], cwd=tmp_path, env=_clean(),
                                  stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(f"{address}/v1/health/ready", server, tmp_path / "log")
        assert "tea_box" in _run(bin_ / "python", "-c", code, cwd=tmp_path)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=120)


def _wait(url: str, server: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 300
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            assert server.poll() is None and time.monotonic() < end, log.read_text()[-4000:]
            time.sleep(1)


def test_a_wheelhouse_installs_without_a_network(tmp_path: Path, root: Path) -> None:
    house = tmp_path / "wheelhouse"
    subprocess.run([sys.executable, root / "tools" / "wheelhouse.py", "--extras", "", "--out", house], check=True)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    bin_ = tmp_path / "venv" / "bin"
    _run(bin_ / "pip", "install", "--no-index", "--find-links", house, "-r", house / "requirements.txt", cwd=tmp_path)
    assert _run(bin_ / "python", "-c", FIVE_LINES, cwd=tmp_path).strip()
