"""`posebot keys`: who may use the service."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posebot.cli._common import JsonFlag, console, print_json

if TYPE_CHECKING:
    from posebot.service.auth.keys import Key, KeyStore

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The service's configuration.")]


@app.callback()
def keys() -> None:
    """Make, list and revoke API keys of the service."""


@app.command()
def create(
    name: Annotated[str, typer.Option("--name", help="Whose key it is, for your own memory.")],
    scope: Annotated[list[str], typer.Option("--scope", help="read, infer, operate or admin; may be repeated.")],
    days: Annotated[float | None, typer.Option("--days", help="It ends after so many; default: never.")] = None,
    config: ConfigOption = None,
    json: JsonFlag = False,
) -> None:
    """Make a key and show it, once: only a fingerprint is kept."""
    key, text = _store(config).create(name, scope, days)
    if json:
        print_json(_told(key) | {"key": text})
    else:
        console().print(f"key {key.id} for {', '.join(key.scopes)}; it will not be shown again:", markup=False)
        typer.echo(text)


@app.command("list")
def list_keys(config: ConfigOption = None, json: JsonFlag = False) -> None:
    """All keys, without their secrets."""
    found = [_told(key) for key in _store(config).all()]
    if json:
        return print_json(found)
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "name", "scopes", "made", "ends", "state", box=None, pad_edge=False)
    for key in found:
        table.add_row(key["id"], key["name"], ", ".join(key["scopes"]), _day(key["created_at"]),
                      _day(key["expires_at"]) or "never", key["state"])
    Console(highlight=False, soft_wrap=True).print(table)
    return None


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="As `posebot keys list` shows it.")],
           config: ConfigOption = None) -> None:
    """Close a key, at once and for good."""
    key = _store(config).revoke(key_id)
    console().print(f"key {key.id} ({key.name}) is revoked", markup=False)


def _store(config: Path | None) -> KeyStore:
    from posebot.service.auth.keys import KeyStore
    from posebot.service.settings import load_settings

    return KeyStore(load_settings(config).state)


def _told(key: Key) -> dict[str, Any]:
    now = time.time()
    state = "revoked" if key.revoked_at is not None else "valid" if key.valid(now) else "expired"
    return {"id": key.id, "name": key.name, "scopes": list(key.scopes), "created_at": key.created_at,
            "expires_at": key.expires_at, "state": state}


def _day(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%d", time.localtime(seconds))
