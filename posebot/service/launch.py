"""`posebot serve`: a Ray cluster of this machine (or one that is there), Serve on it, until somebody ends it."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from posebot.core.errors import PosebotError
from posebot.service.composition import build
from posebot.service.settings import LOOPBACK, Settings
from posebot.service.web.ingress_server import bind_socket
from posebot.training.ray_start import connect

APP = "posebot"
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_SERVE_LOG_TO_STDERR": "0", "MUJOCO_GL": "egl",
                "RAY_raylet_start_wait_time_s": "180"}  # on a machine that does other things, 30 is too short


def address_of(settings: Settings) -> str:
    """Where the page is."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.tls else 'http'}://{host}:{settings.port}"


def warnings(settings: Settings) -> list[str]:
    """What is not wrong but should be known."""
    told = []
    if settings.tls is None and settings.host not in LOOPBACK:
        told.append(f"no TLS: keys and images go to and from {settings.host} in the clear; tls in docs/how-to/serve.md")
    if not settings.auth.enabled:
        told.append("authentication is off: whoever can log in on this machine can do everything")
    return told


def start(settings: Settings, address: str | None = None) -> None:
    """Deploy and return when requests are answered.

    Args:
        address: of a Ray cluster; None: RAY_ADDRESS, else a new one. Its dashboard and job server stay on loopback,
            behind Ray's token.
    Raises:
        PosebotError: the application does not start; the message says why. InputError: no cluster is at the address,
            or the port is taken.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from ray import serve
    from ray.serve.config import HTTPOptions

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    address = address or os.environ.get("RAY_ADDRESS")
    own_port = not address
    if own_port:
        bind_socket(settings).close()  # says at once that it cannot be had
    new: dict[str, Any] = {} if address else {"include_dashboard": True, "dashboard_host": "127.0.0.1"}
    connect(address, namespace=APP, **new)
    if own_port:
        serve.start(proxy_location="Disabled")
    else:  # on whatever machine of the cluster the API runs, it is reached at the head
        tls = settings.tls
        serve.start(proxy_location="HeadOnly", http_options=HTTPOptions(
            host=settings.host, port=settings.port, ssl_certfile=str(tls.certificate) if tls else None,
            ssl_keyfile=str(tls.key) if tls else None, keep_alive_timeout_s=75))
    try:
        serve.run(build(settings, own_port), name=APP, route_prefix="/")
    except RuntimeError as error:
        deployments = serve.status().applications[APP].deployments.values()
        told = [one.message.strip().splitlines()[-1] for one in deployments if one.message.strip()] or [str(error)]
        raise PosebotError(f"the service does not start: {told[0][:600]}; the rest is in Ray's log") from None


def stop() -> None:
    """End streams, requests and the cluster, if it is ours."""
    import ray
    from ray import serve

    if ray.is_initialized():
        serve.delete(APP)  # and nobody else's application
        ray.shutdown()


def run(settings: Settings, address: str | None, ready: Callable[[], None]) -> None:
    """Start, tell that it is `ready`, and wait for Ctrl-C or SIGTERM."""
    ended = threading.Event()
    try:
        start(settings, address)
        for number in (signal.SIGINT, signal.SIGTERM):  # after ray.init, which takes SIGTERM for itself
            signal.signal(number, lambda *_: ended.set())
        ready()
        ended.wait()
    finally:
        stop()
