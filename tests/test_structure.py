"""The structure holds: small files, light imports, and pins that fit what the package asks for.

Who may import whom is checked by import-linter in `make check`.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "posebot").rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 350, 60
_OWN = r"((?:posebot|ray_apps|tests)(?:\.\w+)*)"
_FROM_IMPORT = re.compile(rf"\bfrom {_OWN} import (?:\(([\w\s,]+)\)|(\w+(?: as \w+)?(?:, *\w+(?: as \w+)?)*))")
_IMPORT = re.compile(rf"^[ >.]*import {_OWN}", re.MULTILINE)
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
    assert not base & {"torch", "torchvision", "ray", "mlflow", "ultralytics", "onnx", "mujoco"}


def test_imports_of_our_own_modules_resolve() -> None:
    """mypy checks posebot and ray_apps. Nothing is imported here: tests, tools, pages and code in texts are read."""
    files = [ROOT / "README.md", *(path for folder in ("tests", "tools", "docs") for path in (ROOT / folder).rglob("*")
                                   if path.suffix in (".py", ".md", ".ipynb") and path != Path(__file__))]
    wrong = [f"{path.relative_to(ROOT)}: {module} {name}" for path in files
             for module, name in _own_imports(path.read_text()) if not _resolves(module, name)]
    assert not wrong


@pytest.mark.parametrize(("code", "right"), [
    ("from posebot import load", True), ("from posebot.core import camera", True),
    ("import posebot.core.camera as lens", True), ("from posebot.core.camera import (\n    Camera as Lens,\n)", True),
    ("from posebot.core.camera import Lens", False), ("import posebot.lens", False),
    ("from posebot.lens import Camera", False), ("from posebot.core.camera import Camera, Lens", False)])
def test_a_wrong_import_does_not_resolve(code: str, right: bool) -> None:
    assert all(_resolves(module, name) for module, name in _own_imports(code)) == right


def _own_imports(text: str) -> Iterator[tuple[str, str]]:
    """Module and name of each import of our own; the name is empty where a module is imported."""
    for module, several, names in _FROM_IMPORT.findall(text):
        yield from ((module, name.split()[0]) for name in (several or names).split(",") if name.strip())
    yield from ((module, "") for module in _IMPORT.findall(text))


def _resolves(module: str, name: str) -> bool:
    base = ROOT.joinpath(*module.split("."))
    file = next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)
    if file is None and not base.is_dir():
        return False
    return not name or name in _names(file) or base.joinpath(name).is_dir() or base.joinpath(f"{name}.py").exists()


@cache
def _names(file: Path | None) -> set[str]:
    """What a module binds at its top level, also in `if` and `try`."""
    names: set[str] = set()
    rest: list[ast.AST] = [*ast.parse(file.read_text()).body] if file else []
    while rest:
        node = rest.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        else:
            rest += ast.iter_child_nodes(node)
    return names
