"""Jobs: submit, list, watch, stop."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from posebot.service.bodies import described, json_body
from posebot.service.errors import ApiError
from posebot.service.gate import needs
from posebot.service.jobs import ARGUMENTS, JobDesk, kinds
from posebot.service.schemas.other import Job, JobIn, JobList, JobLogs
from posebot.service.services import Held, Services

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("")
@needs("read")
async def jobs(held: Held) -> JobList:
    """All jobs, newest first, and the arguments of each kind."""
    found = await asyncio.to_thread(held.jobs.jobs) if held.jobs is not None else []
    return JobList.model_validate({"kinds": {kind: list(ARGUMENTS[kind]) for kind in kinds()}, "jobs": found})


@router.post("", status_code=201, openapi_extra=described(JobIn))
@needs("operate")
async def submit(body: Annotated[JobIn, Depends(json_body(JobIn))], request: Request, held: Held) -> Job:
    """Start a job. Paths are relative to `jobs.folder` of the configuration."""
    desk = _desk(held)
    return Job.model_validate(await asyncio.to_thread(desk.submit, body.kind, body.arguments,
                                                      request.state.identity.id))


@router.get("/{job_id}")
@needs("read")
async def job(job_id: str, held: Held) -> Job:
    """One job."""
    return Job.model_validate(await asyncio.to_thread(_desk(held).get, job_id))


@router.get("/{job_id}/logs")
@needs("read")
async def logs(job_id: str, held: Held, tail: Annotated[int, Query(ge=1, le=5000)] = 200) -> JobLogs:
    """The last lines of what a job has printed."""
    return JobLogs(lines=await asyncio.to_thread(_desk(held).logs, job_id, tail))


@router.post("/{job_id}/stop")
@needs("operate")
async def stop(job_id: str, held: Held) -> Job:
    """End a job."""
    return Job.model_validate(await asyncio.to_thread(_desk(held).stop, job_id))


def _desk(held: Services) -> JobDesk:
    if held.jobs is None:
        raise ApiError(503, "there is no Ray cluster to run jobs on", "unavailable")
    return held.jobs
