"""`posebot serve`: the API, live streams and the web page."""

from __future__ import annotations

import time
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from posebot.cli._common import console


class Profile(StrEnum):
    """Where the stages of inference run."""

    fused = "fused"
    distributed = "distributed"


def serve(
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file (YAML).")] = None,
    profile: Annotated[Profile | None, typer.Option("--profile", help="Inference in one process or more.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Default 8000.")] = None,
    address: Annotated[str | None, typer.Option("--address", help="A running Ray cluster; default: a new one.")] = None,
) -> None:
    """Serve the HTTP API, live streams and the web page, until Ctrl-C."""
    from posebot.service.launch import address_of, run, warnings
    from posebot.service.settings import load_settings

    settings = load_settings(config, profile=profile and profile.value, host=host, port=port)
    say = partial(console().print, soft_wrap=True, markup=False)
    for warning in warnings(settings):
        say(f"warning: {warning}", style="yellow")
    if settings.auth.enabled:
        say(_keys(settings.state, config))
    run(settings, address, lambda: say(f"ready: {address_of(settings)}"), say)


def _keys(state: Path, config: Path | None) -> str:
    """Which keys the service accepts, and from which file; with none, how to create one."""
    from posebot.service.auth.keys import KeyStore

    store = KeyStore(state)
    count = sum(key.valid(time.time()) for key in store.all())
    if count:
        return f"{count} valid {'key' if count == 1 else 'keys'} in {store.file}"
    option = f" --config {config}" if config else ""
    return f"no valid key in {store.file}; create one: posebot keys create --name me --scope admin{option}"
