"""The application's graph for Ray Serve. One switch: `profile`."""

from __future__ import annotations

from typing import Any

from posebot.service.engine.activation import user_config
from posebot.service.settings import Replicas, Settings

_COMMON: dict[str, Any] = {"health_check_period_s": 2.0, "health_check_timeout_s": 60.0,
                           "graceful_shutdown_wait_loop_s": 0.5, "graceful_shutdown_timeout_s": 20.0}


def build(settings: Settings, own_port: bool = False) -> Any:
    """A `ray.serve.Application`: one deployment in the fused profile, four in the distributed one. `own_port`: the API
    listens where the settings say; else Ray's proxy does, where Serve's options say.

    The API has one replica: limits, tickets and the streams' watch are its own. It waits more than it works, so it
    takes many requests at once (WebSockets count); what inference can bear is checked by the engine.
    """
    from ray import serve

    from posebot.service.deployments.api import NAME, Api

    common = _COMMON | {"user_config": user_config(settings)}
    options = {"num_cpus": settings.graph.cpus, "num_gpus": settings.graph.gpus}
    api: Any = serve.deployment(serve.ingress()(Api), name=NAME, num_replicas=1, max_ongoing_requests=1000,
                           max_queued_requests=200, ray_actor_options=options, **common)
    if settings.profile == "fused":
        return api.bind(settings, own_port=own_port)
    return api.bind(settings, *_stages(settings, common), own_port=own_port)


def _stages(settings: Settings, common: dict[str, Any]) -> list[Any]:
    from ray import serve

    from posebot.service.deployments.stages import NetworkStage, SolverStage

    def deployed(stage: type, name: str, size: Replicas) -> Any:
        return serve.deployment(stage, name=name, **_size(size), max_ongoing_requests=2 * settings.graph.batch,
                                max_queued_requests=64,
                                ray_actor_options={"num_cpus": size.cpus, "num_gpus": size.gpus}, **common)

    graph = settings.graph
    return [deployed(NetworkStage, "Detector", graph.detector).bind(settings, "detector"),
            deployed(NetworkStage, "Localizer", graph.localizer).bind(settings, "localizer"),
            deployed(SolverStage, "PoseSolver", graph.solver).bind(settings)]


def _size(size: Replicas) -> dict[str, Any]:
    if size.max <= size.min:
        return {"num_replicas": size.min}
    return {"autoscaling_config": {"min_replicas": size.min, "max_replicas": size.max, "target_ongoing_requests": 2}}
