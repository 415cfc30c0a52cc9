"""Prometheus metrics: requests of this process, and the streams at the time of the scrape."""

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
    """Counters and histograms of this process."""

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

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a response."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def observe_inference(self, result: FrameResult) -> None:
        """Count an image of `POST /v1/infer`."""
        for stage, milliseconds in result.stage_ms.items():
            self._stages.labels(stage).observe(milliseconds / 1000)
        for estimate in result.estimates:
            self._statuses.labels(estimate.status).inc()

    def exposition(self, streams: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any] | None]]) -> bytes:
        """The text format, with the status and counts of each stream."""
        return generate_latest(self.registry) + generate_latest(_Families(list(_families(streams))))


class MetricsMiddleware:
    """ASGI middleware that counts responses."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start = time.perf_counter()

        async def observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")  # never the path: its values are unlimited
                self.metrics.observe_request(scope["method"], route, message["status"], time.perf_counter() - start)
            await send(message)

        return await self.app(scope, receive, observe)


class _Families:
    """A collector of metric families that are ready."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


StreamCounts = Mapping[str, Mapping[str, Any]]
"""`StreamStats.to_dict` of each running stream."""


def _families(streams: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any] | None]]) -> Iterable[Metric]:
    yield from _state_families({name: status for name, (status, _) in streams.items()})
    counts = {name: counts for name, (_, counts) in streams.items() if counts is not None}
    yield from _counter_families(counts)
    yield _histogram("posebot_stream_age_seconds", "Age of a frame when its result was ready", (), {
        (name,): stream["age"] for name, stream in counts.items()})
    yield _histogram("posebot_stream_stage_seconds", "Stages of inference", ("stage",), {
        (name, stage): histogram for name, stream in counts.items() for stage, histogram in stream["stages"].items()})


def _state_families(statuses: Mapping[str, Mapping[str, Any]]) -> Iterable[Metric]:
    states = GaugeMetricFamily("posebot_stream_state", "1 for the state a stream is in", labels=("stream", "state"))
    age = GaugeMetricFamily("posebot_stream_frame_age_seconds", "Age of the newest result's frame now",
                            labels=("stream",))
    for name, status in statuses.items():
        for state in _STATES:
            states.add_metric((name, state), float(status["state"] == state))
        if status.get("age_ms") is not None:
            age.add_metric((name,), status["age_ms"] / 1000)
    return states, age


def _counter_families(counts: StreamCounts) -> Iterable[Metric]:
    for key, text in (("frames", "Results"), ("dropped", "Frames dropped because newer ones came"),
                      ("skipped", "Frames that could not be used")):
        family = CounterMetricFamily(f"posebot_stream_{key}", text, labels=("stream",))
        for name, stream in counts.items():
            family.add_metric((name,), stream[key])
        yield family
    for key, label, text in (("statuses", "status", "Estimates by status"), ("labels", "object", "Detections"),
                             ("errors", "code", "Errors by code")):
        family = CounterMetricFamily(f"posebot_stream_{key}", text, labels=("stream", label))
        for name, stream in counts.items():
            for value, count in stream[key].items():
                family.add_metric((name, value), count)
        yield family


def _histogram(name: str, text: str, labels: tuple[str, ...],
               histograms: Mapping[tuple[str, ...], Mapping[str, Any]]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=("stream", *labels))
    for values, histogram in histograms.items():
        total, buckets = 0, []
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), histogram["counts"]):
            total += count
            buckets.append((bound, total))
        family.add_metric(values, buckets, histogram["sum"])
    return family
