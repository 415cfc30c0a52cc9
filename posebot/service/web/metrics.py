"""Numbers for Prometheus: requests of this process, and all streams as they are when somebody asks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posebot.core.results import FrameResult
from posebot.service.streams.stats import BUCKETS_S

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STATES = ("stopped", "starting", "running", "stale", "reconnecting", "failed")


class Metrics:
    """What this process counts itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("posebot_requests", "Requests by route and status", ("method", "route", "status"),
                                 registry=self.registry)
        self._seconds = Histogram("posebot_request_seconds", "Time to the first byte", ("route",), buckets=BUCKETS_S,
                                  registry=self.registry)
        self._stages = Histogram("posebot_infer_stage_seconds", "Stages of POST /v1/infer", ("stage",),
                                 buckets=BUCKETS_S, registry=self.registry)
        self._statuses = Counter("posebot_infer_estimates", "Estimates of POST /v1/infer", ("status",),
                                 registry=self.registry)

    def requested(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def inferred(self, result: FrameResult) -> None:
        """Count a picture of `POST /v1/infer`."""
        for stage, milliseconds in result.stage_ms.items():
            self._stages.labels(stage).observe(milliseconds / 1000)
        for estimate in result.estimates:
            self._statuses.labels(estimate.status).inc()

    def exposition(self, streams: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any] | None]]) -> bytes:
        """The text, with the status and counts of each stream."""
        return generate_latest(self.registry) + generate_latest(_Families(list(_families(streams))))


class MetricsMiddleware:
    """ASGI middleware that counts answers."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")  # never the path itself: anybody may invent some
                self.metrics.requested(scope["method"], route, message["status"], time.perf_counter() - start)
            await send(message)

        return await self.app(scope, receive, counted)


class _Families:
    def __init__(self, families: list[Metric]) -> None:
        self._all = families

    def collect(self) -> Iterable[Metric]:
        return self._all


def _families(streams: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any] | None]]) -> Iterable[Metric]:
    state = GaugeMetricFamily("posebot_stream_state", "1 for the state a stream is in", labels=("stream", "state"))
    age = GaugeMetricFamily("posebot_stream_frame_age_seconds", "Age of the newest result's frame now",
                            labels=("stream",))
    for name, (status, _) in streams.items():
        for known in _STATES:
            state.add_metric((name, known), float(status["state"] == known))
        if status.get("age_ms") is not None:
            age.add_metric((name,), status["age_ms"] / 1000)
    yield state
    yield age
    counts = {name: counted for name, (_, counted) in streams.items() if counted is not None}
    for key, told in (("frames", "Results"), ("dropped", "Frames dropped because newer ones came"),
                      ("skipped", "Frames that could not be used")):
        family = CounterMetricFamily(f"posebot_stream_{key}", told, labels=("stream",))
        for name, counted in counts.items():
            family.add_metric((name,), counted[key])
        yield family
    for key, label, told in (("statuses", "status", "Estimates by status"), ("labels", "object", "Detections"),
                             ("errors", "code", "Errors by code")):
        family = CounterMetricFamily(f"posebot_stream_{key}", told, labels=("stream", label))
        for name, counted in counts.items():
            for value, count in counted[key].items():
                family.add_metric((name, value), count)
        yield family
    yield _histograms("posebot_stream_age_seconds", "Age of a frame when its result was ready", (), {
        (name,): counted["age"] for name, counted in counts.items()})
    yield _histograms("posebot_stream_stage_seconds", "Stages of inference", ("stage",), {
        (name, stage): one for name, counted in counts.items() for stage, one in counted["stages"].items()})


def _histograms(name: str, told: str, labels: tuple[str, ...],
                counted: Mapping[tuple[str, ...], Mapping[str, Any]]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, told, labels=("stream", *labels))
    for values, one in counted.items():
        total, buckets = 0, []
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), one["counts"]):
            total += count
            buckets.append((bound, total))
        family.add_metric(values, buckets, one["sum"])
    return family
