"""Shared by the benchmarks of the service: starts `posebot serve` in a process and connects a client."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from posebot.client import Client, ServiceError
from posebot.service.auth.keys import KeyStore


@contextmanager
def serving(config: Path, port: int) -> Iterator[Client]:
    """A client of a service with this configuration (with `state: state`), which is stopped after the block."""
    key = KeyStore(config.parent / "state").create("bench", ["operate"])[1]
    process = subprocess.Popen([sys.executable, "-m", "posebot.cli.main", "serve", "--config", str(config)])
    try:
        with Client(f"http://127.0.0.1:{port}", key, timeout_s=120) as client:
            _wait_until_ready(client, process)
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait_until_ready(client: Client, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            client.models()
            return
        except ServiceError:
            time.sleep(0.5)
    sys.exit("posebot serve did not start")
