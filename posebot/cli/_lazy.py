"""A command group that knows its commands by name and imports one only when it is called."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


@dataclass(frozen=True)
class Entry:
    """Where a command lives, its line in `posebot --help` and its section there.

    `module` holds a function named as the command (an underscore for each dash), or a `typer.Typer` named `app`.
    """

    module: str
    help: str
    section: str


class LazyCommand(TyperCommand):
    """Stands in for a command in listings; parsing arguments for it imports the real one."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, help=entry.help)
        self.entry = entry

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return self.load().make_context(info_name, args, parent=parent, **extra)

    def load(self) -> Any:
        """The real Typer command."""
        module = import_module(self.entry.module)
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False, rich_markup_mode=None)
            app.command()(getattr(module, str(self.name).replace("-", "_")))
        command = get_command(app)
        command.name = self.name
        return command


class LazyGroup(TyperGroup):
    """A group whose commands are given by `entries`, listed in that order, section by section."""

    entries: ClassVar[dict[str, Entry]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> LazyCommand | None:
        entry = self.entries.get(cmd_name)
        return LazyCommand(cmd_name, entry) if entry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self.commands = {name: LazyCommand(name, entry) for name, entry in self.entries.items()}  # for "did you mean"
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for section in dict.fromkeys(entry.section for entry in self.entries.values()):
            with formatter.section(section):
                rows = [(name, entry.help) for name, entry in self.entries.items() if entry.section == section]
                formatter.write_dl(rows, col_max=12)
