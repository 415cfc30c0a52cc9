"""Jobs through Ray's job submission: posebot's own commands, with validated arguments."""

from __future__ import annotations

import json
import logging
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from posebot.service.errors import Unavailable, UnknownJob
from posebot.service.jobs.arguments import command_options
from posebot.service.settings import Settings

log = logging.getLogger("posebot.service")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?) ?%")
_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_STATUS = {"PENDING": "pending", "RUNNING": "running", "SUCCEEDED": "succeeded", "FAILED": "failed",
           "STOPPED": "stopped"}


class JobManager(Protocol):
    """Submits and watches jobs. Blocks: call it in a thread. Methods that take an id raise UnknownJob; all raise
    Unavailable where the cluster does not respond."""

    def submit(self, kind: str, arguments: Mapping[str, Any], submitted_by: str) -> dict[str, Any]:
        """Start a job; see `schemas.service.Job`. Raises InputError for invalid arguments."""

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, newest first."""

    def get(self, job_id: str) -> dict[str, Any]:
        """One job, with its progress."""

    def logs(self, job_id: str, tail: int) -> list[str]:
        """The last lines of its output."""

    def stop(self, job_id: str) -> dict[str, Any]:
        """Stop it."""


@dataclass
class RayJobManager:
    """See `JobManager`, for the cluster that this process belongs to."""

    settings: Settings

    @cached_property
    def client(self) -> Any:
        """Raises Unavailable where the cluster has no job server."""
        import ray
        from ray.job_submission import JobSubmissionClient

        try:
            return JobSubmissionClient(ray.get_runtime_context().gcs_address)
        except Exception as error:
            log.warning("no job server: %s", error)
            raise Unavailable("the cluster has no job server") from None

    def submit(self, kind: str, arguments: Mapping[str, Any], submitted_by: str) -> dict[str, Any]:
        options = command_options(kind, arguments, self.settings)
        python = self.settings.jobs.python or sys.executable
        on_cluster = ["--ray"] if kind == "evaluate" else []
        entrypoint = shlex.join([python, "-m", "posebot.cli.main", kind, *on_cluster, *options])
        self.settings.jobs.folder.mkdir(parents=True, exist_ok=True)
        metadata = {"posebot_kind": kind, "posebot_arguments": json.dumps(dict(arguments)),
                    "posebot_by": submitted_by}
        with _job_server():
            job_id = self.client.submit_job(entrypoint=entrypoint, metadata=metadata)
        return self.get(job_id)

    def jobs(self) -> list[dict[str, Any]]:
        with _job_server():
            jobs = [_job(details) for details in self.client.list_jobs() if _is_posebot_job(details)]
        return sorted(jobs, key=lambda job: -(job["submitted_at"] or 0))

    def get(self, job_id: str) -> dict[str, Any]:
        job = _job(self._details(job_id))
        if job["status"] in ("running", "failed"):
            job["progress"] = _progress(self._log(job_id)[-20_000:])
        elif job["status"] == "succeeded":
            job["progress"] = 1.0
        return job

    def logs(self, job_id: str, tail: int) -> list[str]:
        self._details(job_id)
        return _plain_text(self._log(job_id)[-200_000:]).splitlines()[-tail:]

    def stop(self, job_id: str) -> dict[str, Any]:
        self._details(job_id)
        with _job_server():
            self.client.stop_job(job_id)
        return self.get(job_id)

    def _log(self, job_id: str) -> str:
        with _job_server():
            return str(self.client.get_job_logs(job_id))

    def _details(self, job_id: str) -> Any:
        if re.fullmatch(r"[\w-]{1,80}", job_id):
            with _job_server(allow_unknown=True):
                details = self.client.get_job_info(job_id)
                if _is_posebot_job(details):
                    return details
        raise UnknownJob(f"there is no job {job_id!r:.80}")


@contextmanager
def _job_server(allow_unknown: bool = False) -> Iterator[None]:
    """Maps RuntimeError and OSError of Ray's job client to Unavailable.

    Args:
        allow_unknown: leave the block silently where the job server knows no such job.
    """
    try:
        yield
    except (RuntimeError, OSError) as error:
        if allow_unknown and ("404" in str(error) or "not exist" in str(error)):
            return
        log.warning("job server: %s", error)
        raise Unavailable("the cluster's job server is not ready; try again in some seconds") from None


def _is_posebot_job(details: Any) -> bool:
    return "posebot_kind" in (details.metadata or {})


def _job(details: Any) -> dict[str, Any]:
    """See `schemas.service.Job`."""
    metadata = details.metadata or {}
    status = _STATUS.get(str(getattr(details.status, "value", details.status)), "pending")
    return {"id": details.submission_id, "kind": metadata.get("posebot_kind", ""),
            "status": status,
            "message": " ".join((details.message or "").split())[:500],
            "arguments": json.loads(metadata.get("posebot_arguments", "{}")),
            "submitted_at": _seconds(details.start_time),
            "started_at": None if status == "pending" else _seconds(details.start_time),
            "ended_at": _seconds(details.end_time), "progress": None}


def _seconds(milliseconds: int | None) -> float | None:
    return None if not milliseconds else milliseconds / 1000


def _progress(log: str) -> float | None:
    """The last percentage in the output, 0..1."""
    percentages = _PERCENT.findall(log)
    return min(float(percentages[-1]) / 100, 1.0) if percentages else None


def _plain_text(text: str) -> str:
    """Without the colours and redrawn lines of a terminal."""
    return _TERMINAL_CODES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
