"""`posebot serve`: the API, live streams and the web page."""

from __future__ import annotations

from enum import StrEnum
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
    from posebot.service.auth.keys import KeyStore
    from posebot.service.launch import address_of, run, warnings
    from posebot.service.settings import load_settings

    settings = load_settings(config, profile=profile and profile.value, host=host, port=port)
    terminal = console()
    for warning in warnings(settings):
        terminal.print(f"warning: {warning}", style="yellow", soft_wrap=True, markup=False)
    if settings.auth.enabled and not any(key.revoked_at is None for key in KeyStore(settings.state).all()):
        option = f" --config {config}" if config else ""
        terminal.print(f"there is no key yet; create one: posebot keys create --name me --scope admin{option}",
                       markup=False)
    terminal.print(f"posebot serve: starting ({settings.profile}) …")
    run(settings, address, lambda: terminal.print(f"ready: {address_of(settings)}", markup=False))
