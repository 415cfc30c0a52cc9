"""Jobs: submit, list, watch, stop."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from posebot.service.jobs.manager import ARGUMENTS, JobManager, kinds
from posebot.service.web.authentication import requires
from posebot.service.web.error_responses import ApiError
from posebot.service.web.request_bodies import described, json_body
from posebot.service.web.schemas.service import Job, JobIn, JobList, JobLogs
from posebot.service.web.services import Services, ServicesDep

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("")
@requires("read")
async def jobs(services: ServicesDep) -> JobList:
    """All jobs, newest first, and the arguments of each kind."""
    found = await asyncio.to_thread(services.jobs.jobs) if services.jobs is not None else []
    return JobList.model_validate({"kinds": {kind: list(ARGUMENTS[kind]) for kind in kinds()}, "jobs": found})


@router.post("", status_code=201, openapi_extra=described(JobIn))
@requires("operate")
async def submit(body: Annotated[JobIn, Depends(json_body(JobIn))], request: Request, services: ServicesDep) -> Job:
    """Start a job. Paths are relative to `jobs.folder` of the configuration."""
    desk = _desk(services)
    return Job.model_validate(await asyncio.to_thread(desk.submit, body.kind, body.arguments,
                                                      request.state.identity.id))


@router.get("/{job_id}")
@requires("read")
async def job(job_id: str, services: ServicesDep) -> Job:
    """One job."""
    return Job.model_validate(await asyncio.to_thread(_desk(services).get, job_id))


@router.get("/{job_id}/logs")
@requires("read")
async def logs(job_id: str, services: ServicesDep, tail: Annotated[int, Query(ge=1, le=5000)] = 200) -> JobLogs:
    """The last lines of what a job has printed."""
    return JobLogs(lines=await asyncio.to_thread(_desk(services).logs, job_id, tail))


@router.post("/{job_id}/stop")
@requires("operate")
async def stop(job_id: str, services: ServicesDep) -> Job:
    """End a job."""
    return Job.model_validate(await asyncio.to_thread(_desk(services).stop, job_id))


def _desk(services: Services) -> JobManager:
    if services.jobs is None:
        raise ApiError(503, "there is no Ray cluster to run jobs on", "unavailable")
    return services.jobs
