"""Jobs on the cluster, through Ray's job submission: the commands of `ray_apps`, with arguments that are checked."""

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
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

from posebot.core.errors import InputError
from posebot.service.settings import Settings
from posebot.service.web.error_responses import ApiError

log = logging.getLogger("posebot.service")
Kind = Literal["path", "text", "integer", "number", "flag", "bundle"]
_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,x-]{0,99}")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?) ?%")
ARGUMENTS: dict[str, dict[str, Kind]] = {
    "train": {"dataset": "path", "out": "path", "config": "path", "minutes": "number", "crops": "integer",
              "pictures": "integer", "detector": "text", "from": "bundle", "add": "path", "only": "text",
              "frames": "integer", "backgrounds": "path", "distractors": "path", "models": "path",
              "workers": "integer", "seed": "integer", "tiny": "flag"},
    "tune": {"dataset": "path", "out": "path", "trials": "integer", "minutes": "number", "seed": "integer"},
    "evaluate": {"dataset": "path", "split": "text", "bundle": "bundle", "out": "path", "objects": "text",
                 "processes": "integer"},
    "synth": {"objects": "path", "frames": "integer", "out": "path", "split": "text", "seed": "integer",
              "renderer": "text", "size": "text", "distance": "text", "workers": "integer", "depth-noise": "flag"},
}
REQUIRED = {"train": ("dataset|add|only", "out"), "tune": ("dataset",), "evaluate": ("dataset", "bundle"),
            "synth": ("objects", "frames", "out")}
"""What a job cannot do without; of names with | between them, one."""
_STATUS = {"PENDING": "pending", "RUNNING": "running", "SUCCEEDED": "succeeded", "FAILED": "failed",
           "STOPPED": "stopped"}


class JobManager(Protocol):
    """Submits and watches jobs. Blocks: call it in a thread. An unknown id is ApiError 404."""

    def submit(self, kind: str, arguments: Mapping[str, Any], by: str) -> dict[str, Any]: ...

    def jobs(self) -> list[dict[str, Any]]: ...

    def get(self, job_id: str) -> dict[str, Any]: ...

    def logs(self, job_id: str, tail: int) -> list[str]: ...

    def stop(self, job_id: str) -> dict[str, Any]: ...


def kinds() -> list[str]:
    """Kinds of jobs that this posebot has a command for."""
    return [kind for kind in ARGUMENTS if find_spec(f"posebot.cli.{kind}") is not None]


def command(kind: str, arguments: Mapping[str, Any], settings: Settings) -> list[str]:
    """The options of the command, paths made absolute.

    Raises:
        InputError: an unknown or missing argument, one of the wrong type, or a path that leaves `jobs.folder`.
    """
    if kind not in kinds():
        raise InputError("kind", f"{kind!r} is not there", f"one of {', '.join(kinds())}")
    known = ARGUMENTS[kind]
    for name in arguments:
        if name not in known:
            raise InputError(f"arguments.{name:.60}", f"{kind} takes no such argument", f"one of {', '.join(known)}")
    for names in REQUIRED[kind]:
        if not any(name in arguments for name in names.split("|")):
            choices = ", ".join(needed.replace("|", " or ") for needed in REQUIRED[kind])
            raise InputError(f"arguments.{names.split('|')[0]}", "is missing", f"{kind} needs {choices}")
    options: list[str] = []
    for name, value in arguments.items():
        text = _checked(known[name], value, f"arguments.{name}", settings)
        options += [] if text is None else [f"--{name}"] if text == "" else [f"--{name}", text]
    return options


def _checked(kind: Kind, value: Any, where: str, settings: Settings) -> str | None:
    """The option's text; "" for a flag that is set, None for one that is not."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "flag" and isinstance(value, bool):
        return "" if value else None
    if kind == "integer" and number and value == int(value) and 0 <= value < 1e12:
        return str(int(value))
    if kind == "number" and number and 0 < value < 1e9:
        return repr(float(value))
    if kind == "text" and isinstance(value, str) and _TEXT.fullmatch(value):
        return value
    if kind == "bundle" and isinstance(value, str) and value in settings.bundles:
        return settings.bundles[value]
    if kind in ("path", "bundle") and isinstance(value, str):
        return str(inside(settings.jobs.folder, value, where))
    raise InputError(where, f"is {value!r:.60}", f"a {kind}" if kind != "text" else "letters, digits, . , _ -")


def inside(folder: Path, relative: str, where: str) -> Path:
    """A path below `folder`, symbolic links followed. Raises InputError for any other."""
    folder = folder.resolve()
    if not relative or "\0" in relative or len(relative) > 400 or relative.startswith(("/", "~", "-")):
        raise InputError(where, f"{relative!r:.60} is no relative path", "a path below the folder of jobs")
    path = (folder / relative).resolve()
    if path == folder or folder not in path.parents:
        raise InputError(where, f"{relative!r:.60} leaves the folder of jobs", "a path below it")
    return path


@dataclass
class RayJobManager:
    """See `JobManager`, for the cluster that this process belongs to."""

    settings: Settings

    @cached_property
    def client(self) -> Any:
        """Raises ApiError 503 where the cluster has no job server."""
        import ray
        from ray.job_submission import JobSubmissionClient

        try:
            return JobSubmissionClient(ray.get_runtime_context().gcs_address)
        except Exception as error:
            log.warning("no job server: %s", error)
            raise ApiError(503, "the cluster has no job server", "unavailable") from None

    def submit(self, kind: str, arguments: Mapping[str, Any], by: str) -> dict[str, Any]:
        options = command(kind, arguments, self.settings)
        python = self.settings.jobs.python or sys.executable
        on_cluster = ["--ray"] if kind == "evaluate" else []
        entry = shlex.join([python, "-m", "posebot.cli.main", kind, *on_cluster, *options])
        self.settings.jobs.folder.mkdir(parents=True, exist_ok=True)
        metadata = {"posebot_kind": kind, "posebot_arguments": json.dumps(dict(arguments)), "posebot_by": by}
        with _answering():
            job_id = self.client.submit_job(entrypoint=entry, metadata=metadata)
        return self.get(job_id)

    def jobs(self) -> list[dict[str, Any]]:
        with _answering():
            found = [_told(details) for details in self.client.list_jobs() if _ours(details)]
        return sorted(found, key=lambda job: -(job["submitted_at"] or 0))

    def get(self, job_id: str) -> dict[str, Any]:
        job = _told(self._details(job_id))
        if job["status"] in ("running", "failed"):
            job["progress"] = _progress(self._log(job_id)[-20_000:])
        elif job["status"] == "succeeded":
            job["progress"] = 1.0
        return job

    def logs(self, job_id: str, tail: int) -> list[str]:
        self._details(job_id)
        return _plain(self._log(job_id)[-200_000:]).splitlines()[-tail:]

    def stop(self, job_id: str) -> dict[str, Any]:
        self._details(job_id)
        with _answering():
            self.client.stop_job(job_id)
        return self.get(job_id)

    def _log(self, job_id: str) -> str:
        with _answering():
            return str(self.client.get_job_logs(job_id))

    def _details(self, job_id: str) -> Any:
        if re.fullmatch(r"[\w-]{1,80}", job_id):
            with _answering(or_unknown=True):
                details = self.client.get_job_info(job_id)
                if _ours(details):
                    return details
        raise ApiError(404, f"there is no job {job_id!r:.80}")


@contextmanager
def _answering(or_unknown: bool = False) -> Iterator[None]:
    """Ray's job server tells its troubles as RuntimeError and those of its connection: ApiError 503. `or_unknown`:
    that there is no such job ends the block, no more.
    """
    try:
        yield
    except (RuntimeError, OSError) as error:
        if or_unknown and ("404" in str(error) or "not exist" in str(error)):
            return
        log.warning("job server: %s", error)
        raise ApiError(503, "the cluster's job server is not ready; try again in some seconds", "unavailable") from None


def _ours(details: Any) -> bool:
    return "posebot_kind" in (details.metadata or {})


def _told(details: Any) -> dict[str, Any]:
    about = details.metadata or {}
    status = _STATUS.get(str(getattr(details.status, "value", details.status)), "pending")
    return {"id": details.submission_id, "kind": about.get("posebot_kind", ""),
            "status": status,
            "message": " ".join((details.message or "").split())[:500],
            "arguments": json.loads(about.get("posebot_arguments", "{}")), "submitted_at": _seconds(details.start_time),
            "started_at": None if status == "pending" else _seconds(details.start_time),
            "ended_at": _seconds(details.end_time), "progress": None}


def _seconds(milliseconds: int | None) -> float | None:
    return None if not milliseconds else milliseconds / 1000


def _progress(log: str) -> float | None:
    """The last percentage that the job has printed."""
    found = _PERCENT.findall(log)
    return min(float(found[-1]) / 100, 1.0) if found else None


def _plain(text: str) -> str:
    """Without the colours and the redrawn lines of a terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n").replace("\r", "\n")
