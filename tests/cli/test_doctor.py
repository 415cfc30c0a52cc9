"""`posebot doctor`, against packages and programs that are really there, missing or broken."""

import json
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from posebot.cli import _machine, _packages
from posebot.cli._machine import attempt
from posebot.cli._packages import TASKS, Check, able, conflict, packages, tested_versions
from posebot.cli.doctor import summary
from posebot.cli.main import run


def test_quick_report_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--quick", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    names = [check["name"] for check in report["checks"]]
    assert report["ready"] is True
    assert names[:2] == ["Python", "CPU"]
    assert "runtimes" in names
    assert all(check["status"] in ("ok", "warn", "missing") for check in report["checks"])
    assert all(check["advice"] for check in report["checks"] if check["status"] != "ok")


def test_report_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--quick"]) == 0
    report = capsys.readouterr().out
    assert "Python: 3." in report
    assert report.splitlines()[-1] == (
        "inference: yes, training: yes, serving: yes, rendering: yes; --quick has tried nothing")


def test_the_last_line_says_what_works_and_why_the_rest_does_not() -> None:
    checks = [Check("packages [yolo]", "warn", "not installed: ultralytics", "pip install 'posebot[yolo]'"),
              Check("packages [serve]", "warn", "not installed: fastapi", "pip install 'posebot[serve]'", ("serving",)),
              Check("torch", "warn", "ImportError", "install torch", ("training",))]
    assert summary(able(checks)) == (
        "inference: yes, training: no, because ImportError (install torch), "
        "serving: no, because not installed: fastapi (pip install 'posebot[serve]'), rendering: yes")


def test_what_is_missing_gives_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Check("OpenCV", "missing", "libGL.so.1: cannot open [shared] object", "apt-get install libgl1", TASKS)
    monkeypatch.setattr(_machine, "examine", lambda quick: iter([broken]))
    assert run(["doctor"]) == 3
    why = "no, because libGL.so.1: cannot open [shared] object (apt-get install libgl1)"
    assert capsys.readouterr().out == (
        "missing OpenCV: libGL.so.1: cannot open [shared] object\n        → apt-get install libgl1\n"
        f"inference: {why}, training: {why}, serving: {why}, rendering: {why}\n")


def test_conflict_names_both_versions() -> None:
    version = metadata.version("numpy")
    assert conflict(Requirement(f"numpy=={version}")) == ""
    assert conflict(Requirement("numpy<1")) == f"numpy {version} is installed, posebot needs <1"


def test_conflict_looks_one_level_deeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: ["numpy<1", "absent-package>2", "typer<0; extra == 'x'"])
    found = conflict(Requirement("scipy"))
    assert found == f"numpy {metadata.version('numpy')} is installed, scipy {metadata.version('scipy')} needs <1"


def test_packages_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: ["numpy", "absent-a", "absent-b>1; extra == 'synth'",
                                                          "absent-c; extra == 'serve'"])
    checks = {check.name: check for check in packages()}
    assert checks["packages"].status == "missing"
    assert checks["packages"].found == "not installed: absent-a"
    assert checks["packages [synth]"].status == "warn"
    assert checks["packages [synth]"].advice == "pip install 'posebot[synth]'"
    assert checks["packages [serve]"].stops == ("serving",)
    assert checks["packages [serve]"].advice == "pip install 'posebot[serve]'"


def test_the_cuda_build_stands_in_for_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: ["onnxruntime", "opencv-python"])
    monkeypatch.setattr(_packages, "installed", lambda name: name in ("onnxruntime-gpu", "opencv-python-headless"))
    assert next(packages()).status == "ok"


def test_versions_other_than_the_tested_ones_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: ["numpy"])
    monkeypatch.setattr(_packages, "tested_versions", lambda: {"numpy": "1.0"})
    check = next(check for check in packages() if check.name == "packages")
    assert (check.status, check.found) == ("warn", f"numpy {metadata.version('numpy')} (tested: 1.0)")


def test_tested_versions_are_those_of_the_requirements_file() -> None:
    assert tested_versions()["numpy"] == metadata.version("numpy")


@pytest.mark.parametrize(
    ("code", "status", "found"),
    [
        ("print('noise'); print('llvmpipe')", "ok", "llvmpipe"),
        ("raise ImportError('libGL.so.1: cannot open shared object file')", "missing",
         "ImportError: libGL.so.1: cannot open shared object file"),
        ("import os; os.abort()", "missing", None),
    ],
)
def test_attempt_survives_whatever_happens(code: str, status: str, found: str | None) -> None:
    check = attempt("x", code, "missing", "do this")
    assert check.status == status
    assert found is None or check.found == found
    assert check.advice == ("" if status == "ok" else "do this")
