"""`posebot serve`: starts or joins a Ray cluster, deploys the application, and waits for a signal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from posebot.core.errors import PosebotError
from posebot.core.waiting import announced
from posebot.service.composition import application
from posebot.service.deployments.api import NAME
from posebot.service.settings import LOOPBACK, Settings
from posebot.service.web.ingress_server import bind_socket
from posebot.training.ray_start import connect

Say = Callable[[str], object]
APP = "posebot"
_WARM_UP_S = 60.0
# The default of 30 s for a node to start is short on a busy machine. But a node whose agents do not start in 15 s ends
# itself: better to try again soon (`connect`) than to wait for it.
_ENVIRONMENT = {"RAY_SERVE_LOG_TO_STDERR": "0", "MUJOCO_GL": "egl", "RAY_raylet_start_wait_time_s": "60"}


def address_of(settings: Settings) -> str:
    """URL of the service and its page."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.tls else 'http'}://{host}:{settings.port}"


def warnings(settings: Settings) -> list[str]:
    """Risks of a valid configuration."""
    messages = []
    if settings.tls is None and settings.host not in LOOPBACK:
        messages.append(f"no TLS: keys and images are sent unencrypted to and from {settings.host}; set `tls`")
    if not settings.auth.enabled:
        messages.append("authentication is off: every user of this machine has full access")
    return messages


def start(settings: Settings, address: str | None = None, say: Say = lambda line: None) -> None:
    """Deploy the application; returns when it serves requests and has answered one.

    Args:
        address: of a Ray cluster; None: RAY_ADDRESS, else a new one. Its dashboard and job server listen on loopback
            and require Ray's token.
        say: receives a line for each stage, and another every few seconds while it lasts.
    Raises:
        PosebotError: the application does not start; the message says why. InputError: there is no cluster at the
            address, or the port is in use.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    address = address or os.environ.get("RAY_ADDRESS")
    if not address:
        bind_socket(settings).close()  # fail early if the port is not available
    with announced(say, f"joining the Ray cluster at {address}" if address else "starting Ray"):
        from ray import serve

        if address:
            connect(address, namespace=APP)
            _start_proxy(settings)
        else:
            connect(None, namespace=APP, include_dashboard=True, dashboard_host="127.0.0.1")
            serve.start(proxy_location="Disabled")
    with announced(say, f"loading bundle {settings.active}"):
        try:
            serve.run(application(settings, own_port=not address), name=APP, route_prefix="/")
        except RuntimeError as error:
            raise PosebotError(
                f"the service does not start: {_reason(error)[:600]}; see Ray's log for details") from None
    with announced(say, "warming up"):
        _warm_up(say)


def stop() -> None:
    """Stop streams and requests, and the cluster if this process started it."""
    import ray
    from ray import serve

    if ray.is_initialized():
        serve.delete(APP)  # not serve.shutdown: the cluster may run other applications
        ray.shutdown()


def run(settings: Settings, address: str | None, ready: Callable[[], None], say: Say) -> None:
    """Start (`say`: see `start`), call `ready`, and wait for SIGINT or SIGTERM."""
    stopping = threading.Event()
    try:
        start(settings, address, say)
        for number in (signal.SIGINT, signal.SIGTERM):  # after ray.init, which handles SIGTERM itself
            signal.signal(number, lambda *_: stopping.set())
        ready()
        stopping.wait()
    finally:
        stop()


def _warm_up(say: Say) -> None:
    """One inference, as the first one takes seconds longer. Where it fails, the service runs, not ready yet."""
    from ray import serve

    try:
        serve.get_deployment_handle(NAME, APP).check_health.remote().result(timeout_s=_WARM_UP_S)
    except Exception as error:  # whatever the replica raised, wrapped by Ray
        reason = next(iter(str(error).strip().splitlines()[::-1]), "") or type(error).__name__
        say(f"warning: the first inference did not succeed ({reason[:200]}); /v1/health/ready says when one does")


def _start_proxy(settings: Settings) -> None:
    """Wherever the API runs in the cluster, it is reached through Serve's proxy on the head node."""
    from ray import serve
    from ray.serve.config import HTTPOptions

    tls = settings.tls
    serve.start(proxy_location="HeadOnly", http_options=HTTPOptions(
        host=settings.host, port=settings.port, ssl_certfile=str(tls.certificate) if tls else None,
        ssl_keyfile=str(tls.key) if tls else None, keep_alive_timeout_s=75))


def _reason(error: RuntimeError) -> str:
    """Why a deployment failed: the last line of Serve's message."""
    from ray import serve

    deployments: Any = serve.status().applications[APP].deployments.values()
    messages = [deployment.message.strip() for deployment in deployments]
    return next((message.splitlines()[-1] for message in messages if message), str(error))
