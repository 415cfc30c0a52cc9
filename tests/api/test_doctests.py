"""The examples in the docstrings of the Python API run."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import posebot
import posebot.api

MODULES = ["posebot", *(f"posebot.api.{entry.name}" for entry in pkgutil.iter_modules(posebot.api.__path__))]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_front_door_has_examples() -> None:
    finder = doctest.DocTestFinder()
    documented = {test.name for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples}
    assert documented >= {"posebot", "posebot.api.model.load", "posebot.api.model.Model", "posebot.api.result.Result",
                          "posebot.api.frames.open_camera", "posebot.api.example.example_frame"}
