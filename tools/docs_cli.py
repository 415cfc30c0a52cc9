"""The command-line reference: every command and option of `posebot`, read from Typer."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer.main

from posebot.cli._lazy import LazyCommand
from posebot.cli.main import EPILOG, app

_WORDS = {Path: "path", str: "text", int: "integer", float: "number"}


def page() -> str:
    """Markdown of all commands, in the order of `posebot --help`."""
    root = typer.main.get_command(app)
    parts = ["# Command line", str(root.help or ""), EPILOG,
             "Options of `posebot` itself come before the command: `posebot --debug infer …`.", _parameters(root)]
    for path, command in _walk("posebot", root):
        parts += [f"## {path}" if path.count(" ") == 1 else f"### {path}", *_body(path, command)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _walk(path: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Every command below a group, depth first."""
    context = group.make_context(path, [], resilient_parsing=True)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        command = command.load() if isinstance(command, LazyCommand) else command
        if command.hidden:
            continue
        yield f"{path} {name}", command
        if hasattr(command, "list_commands"):
            yield from _walk(f"{path} {name}", command)


def _body(path: str, command: Any) -> list[str]:
    context = command.make_context(path, [], resilient_parsing=True)
    usage = f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```"
    return [usage, _prose(command.help), _parameters(command)]


def _prose(text: str | None) -> str:
    """Help text as Markdown: paragraphs without line breaks, indented lines as a text block."""
    blocks = inspect.cleandoc((text or "").replace("\b", "").replace("\f", "")).split("\n\n")
    return "\n\n".join(_block(block) for block in blocks if block.strip())


def _block(block: str) -> str:
    if all(line.startswith((" ", "\t")) for line in block.splitlines()):
        return f"```text\n{inspect.cleandoc(block)}\n```"
    return escape(" ".join(block.split()))


def _parameters(command: Any) -> str:
    """A table of arguments and options; empty where there are none but --help."""
    rows = [_row(one) for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
    head = "| Argument or option | Type | Default | Meaning |\n|---|---|---|---|"
    return "\n".join([head, *rows]) if rows else ""


def _row(parameter: Any) -> str:
    option = parameter.param_type_name == "option"
    names = parameter.opts + parameter.secondary_opts if option else [parameter.name.upper()]
    shown = "<br>".join(f"`{name}`" for name in names)
    repeated = ", repeatable" if parameter.multiple or parameter.nargs == -1 else ""
    kind = "flag" if getattr(parameter, "is_flag", False) else _kind(parameter.type_descriptor.annotation)
    return f"| {shown} | {kind}{repeated} | {_default(parameter)} | {escape(getattr(parameter, 'help', None) or '')} |"


def _kind(annotation: Any) -> str:
    """The type of an argument: its choices, or one word."""
    inner = [one for one in typing.get_args(annotation) if one is not type(None)]
    if typing.get_origin(annotation) is typing.Literal:
        return " \\| ".join(f"`{one}`" for one in inner)
    if inner:
        return _kind(inner[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " \\| ".join(f"`{one.value}`" for one in annotation)
    return _WORDS.get(annotation, getattr(annotation, "__name__", "text"))


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "required"
    if value is None or value is False or value == () or callable(value):
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(f"`{one}`" for one in value)
    if getattr(parameter, "is_flag", False):
        return f"`{parameter.opts[0]}`"
    return f"`{getattr(value, 'value', value)}`"


def escape(text: str) -> str:
    """Text as one Markdown table cell or paragraph: on one line, its characters literal outside code spans."""
    parts = " ".join(str(text).split()).split("`")
    parts[::2] = [re.sub(r"([*_<\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts).replace("|", "\\|")
