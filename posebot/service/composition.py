"""The composition root: everything of the service is constructed and wired here, and nowhere else.

- `local_services`: one process, streams as threads, no Ray.
- `application`: the Ray Serve application; in its API replica `replica_services` does the wiring.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from posebot.service.deployments.rollout import ServeRollout, user_config
from posebot.service.engine.activation import ModelActivator, initial_model
from posebot.service.engine.catalog import ModelCatalog
from posebot.service.engine.fused import fused_engine
from posebot.service.engine.interface import InferenceEngine
from posebot.service.engine.readiness import Readiness
from posebot.service.engine.remote import remote_engine
from posebot.service.jobs.manager import JobManager, RayJobManager
from posebot.service.settings import Replicas, Settings
from posebot.service.streams.local_manager import LocalStreamManager
from posebot.service.streams.manager import StreamManager
from posebot.service.streams.ray_manager import RayStreamManager
from posebot.service.web.authentication import Authenticator
from posebot.service.web.image_decoder import ImageDecoder
from posebot.service.web.metrics import Metrics
from posebot.service.web.services import Services

_COMMON: dict[str, Any] = {"health_check_period_s": 2.0, "health_check_timeout_s": 60.0,
                           "graceful_shutdown_wait_loop_s": 0.5, "graceful_shutdown_timeout_s": 20.0}


def local_services(settings: Settings) -> Services:
    """Everything in this process; no jobs, as there is no cluster."""
    engine = fused_engine(settings)
    return _services(settings, engine, LocalStreamManager(settings, engine), engine.activate, None)


def replica_services(settings: Settings, app: str, *handles: Any) -> Services:
    """Everything of an API replica. `app`: name of the Serve application. `handles`: of the remote stages, if any."""
    import ray

    from posebot.service.deployments.api import NAME

    engine = remote_engine(settings, ray.put, *handles) if handles else fused_engine(settings)
    activator = ModelActivator(settings, ServeRollout(app), lambda: engine.active)
    return _services(settings, engine, RayStreamManager(settings, NAME, app), activator.activate,
                     RayJobManager(settings))


def application(settings: Settings, own_port: bool = False) -> Any:
    """A `ray.serve.Application`: one deployment in the fused profile, four in the distributed one.

    The API has one replica: rate limits, tickets and stream watchers are in its memory. It mostly waits, so it accepts
    many requests at once (WebSockets count); the engine limits how many frames may wait for inference.

    Args:
        own_port: the API listens at the settings' host and port; else Ray's proxy does, where Serve's options say.
    """
    from ray import serve

    from posebot.service.deployments.api import NAME, Api

    common = _COMMON | {"user_config": user_config(initial_model(settings))}
    options = {"num_cpus": settings.inference.cpus, "num_gpus": settings.inference.gpus}
    api: Any = serve.deployment(serve.ingress()(Api), name=NAME, num_replicas=1, max_ongoing_requests=1000,
                                max_queued_requests=200, ray_actor_options=options, **common)
    stages = _stages(settings, common) if settings.profile == "distributed" else []
    return api.bind(replica_services, settings, *stages, own_port=own_port)


def _services(settings: Settings, engine: InferenceEngine, streams: StreamManager,
              activate: Callable[[str, str], Awaitable[None]], jobs: JobManager | None) -> Services:
    return Services(settings, engine, streams, activate, jobs, Authenticator(settings), ModelCatalog(settings),
                    ImageDecoder(settings.limits), Metrics(), Readiness(engine))


def _stages(settings: Settings, common: dict[str, Any]) -> list[Any]:
    from ray import serve

    from posebot.service.deployments.stages import NetworkStage, SolverStage

    inference = settings.inference

    def deployed(stage: type, name: str, replicas: Replicas) -> Any:
        options = {"num_cpus": replicas.cpus, "num_gpus": replicas.gpus}
        return serve.deployment(stage, name=name, **_scaling(replicas), max_ongoing_requests=2 * inference.batch,
                                max_queued_requests=64, ray_actor_options=options, **common)

    return [deployed(NetworkStage, "Detector", inference.detector).bind(settings, "detector"),
            deployed(NetworkStage, "Localizer", inference.localizer).bind(settings, "localizer"),
            deployed(SolverStage, "PoseSolver", inference.solver).bind(settings)]


def _scaling(replicas: Replicas) -> dict[str, Any]:
    if replicas.max <= replicas.min:
        return {"num_replicas": replicas.min}
    return {"autoscaling_config": {"min_replicas": replicas.min, "max_replicas": replicas.max,
                                   "target_ongoing_requests": 2}}
