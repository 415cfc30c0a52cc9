"""`posebot keys`: API keys of the service."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posebot.cli._common import JsonFlag, console, output, print_json

if TYPE_CHECKING:
    from posebot.service.auth.keys import Key, KeyStore

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file of the service.")]


@app.callback()
def keys() -> None:
    """Create, list and revoke API keys of the service."""


@app.command()
def create(
    name: Annotated[str, typer.Option("--name", help="Who uses the key.")],
    scope: Annotated[list[str], typer.Option("--scope", help="read, infer, operate or admin; repeatable.")],
    days: Annotated[float | None, typer.Option("--days", help="Days until it expires; default: never.")] = None,
    config: ConfigOption = None,
    json: JsonFlag = False,
) -> None:
    """Create a key and print it, once: only its hash is stored."""
    store = _store(config)
    key, text = store.create(name, scope, days)
    if json:
        print_json(_summary(key) | {"key": text, "file": str(store.file)})
    else:
        console().print(f"wrote key {key.id} for {', '.join(key.scopes)} to {store.file}; it is not shown again:",
                        markup=False, soft_wrap=True)
        typer.echo(text)


@app.command("list")
def list_keys(config: ConfigOption = None, json: JsonFlag = False) -> None:
    """List all keys, without their secrets."""
    store = _store(config)
    listed = [_summary(key) for key in store.all()]
    if json:
        return print_json(listed)
    console().print(f"keys in {store.file}", markup=False, soft_wrap=True)
    from rich.table import Table

    table = Table("id", "name", "scopes", "created", "expires", "state", box=None, pad_edge=False)
    for key in listed:
        table.add_row(key["id"], key["name"], ", ".join(key["scopes"]), _day(key["created_at"]),
                      _day(key["expires_at"]) or "never", key["state"])
    output().print(table)
    return None


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="As `posebot keys list` shows it.")],
           config: ConfigOption = None) -> None:
    """Revoke a key, effective immediately."""
    store = _store(config)
    key = store.revoke(key_id)
    console().print(f"key {key.id} ({key.name}) is revoked in {store.file}", markup=False, soft_wrap=True)


def _store(config: Path | None) -> KeyStore:
    from posebot.service.auth.keys import KeyStore
    from posebot.service.settings import load_settings

    return KeyStore(load_settings(config).state)


def _summary(key: Key) -> dict[str, Any]:
    now = time.time()
    state = "revoked" if key.revoked_at is not None else "valid" if key.valid(now) else "expired"
    return {"id": key.id, "name": key.name, "scopes": list(key.scopes), "created_at": key.created_at,
            "expires_at": key.expires_at, "state": state}


def _day(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%d", time.localtime(seconds))
