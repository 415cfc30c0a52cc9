"""Rollout of a model over the replicas of a Ray Serve application.

The active model is part of the deployments' `user_config`; a change makes Serve call `reconfigure` in every replica.
Serve has no public call that changes the `user_config` of a running application and nothing else, so this module talks
to the controller as `serve.run` does. It is the only one that uses Ray's internals.
"""

from __future__ import annotations

from typing import Any

from posebot.service.engine.model_cache import ModelKey


def user_config(model: ModelKey) -> dict[str, str]:
    """Of every deployment."""
    return {"active": model[0], "digest": model[1]}


class ServeRollout:
    """See `engine.activation.Rollout`. `app`: name of the Serve application."""

    def __init__(self, app: str) -> None:
        self._app = app

    def start(self, model: ModelKey) -> None:
        """See `Rollout`."""
        import ray
        from ray.serve.context import _get_global_client
        from ray.serve.generated import serve_pb2

        client: Any = _get_global_client()
        controller = client._controller
        deployments = ray.get(controller.list_deployments_internal.remote())
        arguments = [_deployment_args(deployment.name, info, user_config(model))
                     for deployment, (info, _) in deployments.items() if deployment.app_name == self._app]
        messages: Any = serve_pb2
        options = messages.ApplicationArgs(external_scaler_enabled=False).SerializeToString()
        ray.get(controller.deploy_applications.remote({self._app: arguments}, {self._app: options}))

    def finished(self) -> bool:
        """See `Rollout`."""
        from ray import serve

        status = serve.status().applications[self._app]
        return all(deployment.status == "HEALTHY" for deployment in status.deployments.values())


def _deployment_args(name: str, info: Any, config: dict[str, str]) -> bytes:
    """A deployment as it is, with another user_config. Its version stays, so that replicas are not replaced."""
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
