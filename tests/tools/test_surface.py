"""The Python API and the command line change on purpose only: `python tools/surface.py` writes their lists anew."""

from __future__ import annotations

from types import ModuleType


def test_python(tool: ModuleType) -> None:
    assert tool.python_surface().splitlines() == tool.PYTHON.read_text().splitlines()


def test_command_line(tool: ModuleType) -> None:
    assert tool.command_line_surface().splitlines() == tool.COMMAND_LINE.read_text().splitlines()
