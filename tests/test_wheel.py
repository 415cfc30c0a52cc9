"""The wheel in an environment of its own, with the base dependencies only: what a robot's computer would have."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.long
TRAINERS = ["torch", "torchvision", "ray", "mlflow", "ultralytics", "onnx", "safetensors", "mujoco", "mitsuba"]


def _uv(*arguments: object, **options: object) -> None:
    uv = Path(sys.prefix) / "bin" / "uv"
    if not uv.exists():
        pytest.skip(f"{uv} is missing (make install brings it)")
    subprocess.run([uv, *map(str, arguments)], check=True, capture_output=True, **options)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _uv("build", "--wheel", "--out-dir", folder, cwd=root)
    [path] = folder.glob("posebot-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """bin/ of a fresh environment with the wheel."""
    home = tmp_path_factory.mktemp("robot") / "venv"
    _uv("venv", "--python", sys.executable, home)
    _uv("pip", "install", "--python", home / "bin" / "python", "-c", root / "requirements.txt", wheel)
    return home / "bin"


def _run(program: Path, *arguments: str, cwd: Path) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True, cwd=cwd, env=clean).stdout


def test_the_wheel_holds_code_licence_pins_and_the_kit(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "posebot/requirements.txt" in names
    assert "posebot/bundles/kit/bundle.yaml" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "docs")) or "__pycache__" in name]


def test_the_command_works_without_any_trainer(installed: Path, tmp_path: Path) -> None:
    assert "Usage: posebot" in _run(installed / "posebot", "--help", cwd=tmp_path)
    report = json.loads(_run(installed / "posebot", "doctor", "--json", cwd=tmp_path))
    assert report["ready"]
    code = f"import importlib.util as u; print([m for m in {TRAINERS} if u.find_spec(m)])"
    assert _run(installed / "python", "-c", code, cwd=tmp_path).strip() == "[]"


def test_what_needs_an_extra_says_so(installed: Path, tmp_path: Path) -> None:
    demo = [installed / "posebot", "demo", "--frames", "1"]
    done = subprocess.run(demo, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'posebot[synth]'" in done.stderr
