"""Jobs: submit, list, watch, stop."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from posebot.service.errors import Unavailable
from posebot.service.jobs.arguments import ARGUMENTS, kinds
from posebot.service.jobs.manager import JobManager
from posebot.service.web.authentication import requires
from posebot.service.web.request_bodies import json_body, openapi_body
from posebot.service.web.schemas.service import Job, JobIn, JobList, JobLogs
from posebot.service.web.services import Services, ServicesDep

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("")
@requires("read")
async def jobs(services: ServicesDep) -> JobList:
    """All jobs, newest first, and the arguments of each kind."""
    submitted = await asyncio.to_thread(services.jobs.jobs) if services.jobs is not None else []
    return JobList.model_validate({"kinds": {kind: list(ARGUMENTS[kind]) for kind in kinds()}, "jobs": submitted})


@router.post("", status_code=201, openapi_extra=openapi_body(JobIn))
@requires("operate")
async def submit(body: Annotated[JobIn, Depends(json_body(JobIn))], request: Request, services: ServicesDep) -> Job:
    """Submit a job. Paths are relative to `jobs.folder` of the configuration."""
    return Job.model_validate(await asyncio.to_thread(_manager(services).submit, body.kind, body.arguments,
                                                      request.state.identity.id))


@router.get("/{job_id}")
@requires("read")
async def job(job_id: str, services: ServicesDep) -> Job:
    """One job."""
    return Job.model_validate(await asyncio.to_thread(_manager(services).get, job_id))


@router.get("/{job_id}/logs")
@requires("read")
async def logs(job_id: str, services: ServicesDep, tail: Annotated[int, Query(ge=1, le=5000)] = 200) -> JobLogs:
    """The last lines of a job's output."""
    return JobLogs(lines=await asyncio.to_thread(_manager(services).logs, job_id, tail))


@router.post("/{job_id}/stop")
@requires("operate")
async def stop(job_id: str, services: ServicesDep) -> Job:
    """Stop a job."""
    return Job.model_validate(await asyncio.to_thread(_manager(services).stop, job_id))


def _manager(services: Services) -> JobManager:
    if services.jobs is None:
        raise Unavailable("there is no Ray cluster to run jobs on")
    return services.jobs
