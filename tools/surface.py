"""Write what posebot promises to its users: `python tools/surface.py`.

`tests/tools/surface/python.txt`: names, signatures and fields of `posebot`.
`tests/tools/surface/command_line.txt`: commands, arguments, options and defaults.
A test compares them with the code, so that nothing changes unnoticed.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer.core
from typer.main import get_command

import posebot
from posebot.cli.main import app

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "tools" / "surface"
PYTHON, COMMAND_LINE = FOLDER / "python.txt", FOLDER / "command_line.txt"


def python_surface() -> str:
    """One line for each public name, method, property and field."""
    names = [name for name in posebot.__all__ if name != "__version__"]
    lines = [line for name in names for line in _public(name, getattr(posebot, name))]
    return "\n".join(lines) + "\n"


def _public(name: str, value: Any) -> Iterator[str]:
    if not inspect.isclass(value):
        yield f"{name}{inspect.signature(value)}"
        return
    bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
    yield f"class {name}({bases})" if bases else f"class {name}"
    if dataclasses.is_dataclass(value):
        for entry in dataclasses.fields(value):
            yield f"  {name}.{entry.name}: {entry.type}"
    elif "__init__" in vars(value):
        yield f"  {name}.__init__{inspect.signature(value.__init__)}"
    for member in sorted(dir(value)):
        yield from _member(name, member, inspect.getattr_static(value, member))


def _member(owner: str, name: str, value: Any) -> Iterator[str]:
    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    special = ("__call__", "__iter__", "__len__", "__getitem__", "__enter__", "__exit__")
    if name.startswith("_") and name not in special:
        return
    if isinstance(value, property):
        yield f"  {owner}.{name}: property"
    elif inspect.isfunction(value) and value.__module__.startswith("posebot"):
        yield f"  {owner}.{name}{inspect.signature(value)}"


def command_line_surface() -> str:
    """One line for each command, argument and option."""
    return "\n".join(_command("posebot", get_command(app))) + "\n"


def _command(path: str, command: Any) -> Iterator[str]:
    command = command.load() if hasattr(command, "load") else command
    yield path
    for parameter in command.params:
        if parameter.name != "help" and not getattr(parameter, "hidden", False):
            yield f"  {_parameter(parameter)}"
    if isinstance(command, typer.core.TyperGroup):
        context = typer.Context(command)
        for name in command.list_commands(context):
            yield from _command(f"{path} {name}", command.get_command(context, name))


def _parameter(parameter: Any) -> str:
    names = parameter.name.upper() if parameter.param_type_name == "argument" else "/".join(
        [*parameter.opts, *parameter.secondary_opts])
    default = "required" if parameter.required else f"default {parameter.default!s}"
    many = ", repeatable" if getattr(parameter, "multiple", False) or parameter.nargs == -1 else ""
    kind = "flag" if getattr(parameter, "is_flag", False) else _kind(parameter.type_descriptor.annotation)
    return f"{names} {kind}, {default}{many}"


def _kind(annotation: Any) -> str:
    """The type of an argument: its choices, or the name of its class."""
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return "|".join(str(member.value) for member in annotation)
    return inspect.formatannotation(annotation)


if __name__ == "__main__":
    for path, text in ((PYTHON, python_surface()), (COMMAND_LINE, command_line_surface())):
        path.write_text(text)
        print(f"wrote {path}")
