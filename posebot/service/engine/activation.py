"""Which bundle is active is the deployments' `user_config`; changing it makes Ray Serve call `reconfigure`.

`serve deploy` changes it from outside. From inside there is no public call that changes nothing else, so this one file
speaks to Serve's controller as `serve.run` does, with everything but `user_config` as it is.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from posebot.core.errors import InputError
from posebot.core.files import write_atomic
from posebot.service.engine.model_cache import digest_of
from posebot.service.settings import Settings
from posebot.service.web.error_responses import ApiError

_PATIENCE_S, _POLL_S = 120.0, 0.1


class ModelActivator:
    """Activates a bundle in all replicas of an application. `active`: what this replica uses now."""

    def __init__(self, settings: Settings, app: str, active: Callable[[], str]) -> None:
        self._settings, self._app, self._active = settings, app, active
        self._lock = asyncio.Lock()

    async def __call__(self, name: str, digest: str) -> None:
        """Returns when every replica answers with it.

        Raises:
            ApiError: 503 where that takes more than two minutes; the old one answers on.
        """
        async with self._lock:
            remember(self._settings, name)
            await asyncio.to_thread(_set_user_config, self._app, {"active": name, "digest": digest})
            end = time.monotonic() + _PATIENCE_S
            while self._active() != name or not await asyncio.to_thread(_settled, self._app):
                if time.monotonic() > end:
                    raise ApiError(503, f"{name} is not active everywhere after {_PATIENCE_S:.0f} s", "timeout")
                await asyncio.sleep(_POLL_S)


def user_config(settings: Settings) -> dict[str, str]:
    """What the deployments start with: the bundle that was activated last, else the configuration's."""
    name = settings.active
    try:
        last = json.loads((settings.state / "active.json").read_text())["active"]
        name = last if last in settings.bundles else name
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        return {"active": name, "digest": digest_of(settings.bundles[name])}
    except InputError:
        if name == settings.active:
            raise
        return {"active": settings.active, "digest": digest_of(settings.bundles[settings.active])}


def remember(settings: Settings, name: str) -> None:
    """Over restarts."""
    settings.state.mkdir(parents=True, exist_ok=True)
    write_atomic(settings.state / "active.json", json.dumps({"active": name}))


def _set_user_config(app: str, config: dict[str, str]) -> None:
    import ray
    from ray.serve.context import _get_global_client
    from ray.serve.generated import serve_pb2

    client: Any = _get_global_client()
    controller = client._controller
    deployments = ray.get(controller.list_deployments_internal.remote())
    arguments = [_arguments(number.name, info, config) for number, (info, _) in deployments.items()
                 if number.app_name == app]
    messages: Any = serve_pb2
    about = messages.ApplicationArgs(external_scaler_enabled=False).SerializeToString()
    ray.get(controller.deploy_applications.remote({app: arguments}, {app: about}))


def _arguments(name: str, info: Any, config: dict[str, str]) -> bytes:
    """A deployment as it is, with another user_config. The same version: replicas are not replaced."""
    from ray.serve.generated import serve_pb2

    messages: Any = serve_pb2
    deployment_config = info.deployment_config.model_copy(deep=True)
    deployment_config.user_config = config
    deployment_config.version = info.version
    arguments = messages.DeploymentArgs(
        deployment_name=name, deployment_config=deployment_config.to_proto_bytes(),
        replica_config=info.replica_config.to_proto_bytes(), deployer_job_id=info.deployer_job_id,
        ingress=info.ingress, ingress_request_router=info.ingress_request_router)
    if info.route_prefix is not None:
        arguments.route_prefix = info.route_prefix
    data: bytes = arguments.SerializeToString()
    return data


def _settled(app: str) -> bool:
    from ray import serve

    status = serve.status().applications[app]
    return all(deployment.status == "HEALTHY" for deployment in status.deployments.values())
