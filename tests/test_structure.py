"""The structure holds: small files, light imports, and pins that fit what the package asks for.

Who may import whom is checked by import-linter in `make check`.
"""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "posebot").rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 350, 60
HEAVY = "torch torchvision ray mlflow ultralytics mujoco mitsuba openvino onnxruntime trimesh".split()


def _requirements(text: str) -> dict[str, Requirement]:
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    found = [Requirement(line) for line in lines if line]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pins() -> dict[str, Requirement]:
    return _requirements((ROOT / "requirements.txt").read_text())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    too_long = [node.name for node in functions if node.end_lineno - node.lineno + 1 > MAX_FUNCTION]
    assert not too_long


def test_import_posebot_is_light() -> None:
    modules = "posebot posebot.core.camera posebot.core.objects posebot.core.results posebot.core.frame".split()
    code = f"import sys, {', '.join(modules)}; print(*[name for name in {[*HEAVY, 'cv2']} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_dependency_is_pinned_and_the_pin_fits(project: dict, pins: dict[str, Requirement]) -> None:
    asked = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    for requirement in map(Requirement, asked):
        if requirement.name == "posebot":
            continue
        pin = pins[canonicalize_name(requirement.name)]
        [version] = pin.specifier
        assert version.operator == "=="
        assert requirement.specifier.contains(version.version), f"{requirement} against {pin}"


def test_pins_are_what_requirements_in_resolves_to(pins: dict[str, Requirement]) -> None:
    for name, requirement in _requirements((ROOT / "requirements.in").read_text()).items():
        assert pins[name].specifier == requirement.specifier


def test_pins_name_no_host_and_one_opencv(pins: dict[str, Requirement]) -> None:
    text = (ROOT / "requirements.txt").read_text()
    assert "://" not in text
    assert "index" not in text
    assert [name for name in pins if name.startswith("opencv")] == ["opencv-python"]


def test_inference_needs_no_trainer(project: dict) -> None:
    base = {Requirement(line).name for line in project["dependencies"]}
    assert not base & {"torch", "torchvision", "ray", "mlflow", "ultralytics", "onnx", "safetensors", "mujoco"}
