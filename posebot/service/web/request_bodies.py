"""JSON bodies that are read after the gate: FastAPI itself would parse a stranger's body before any dependency runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from posebot.service.web.error_responses import ApiError

Model = TypeVar("Model", bound=BaseModel)


def json_body(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """A dependency that gives the body as `model`. Raises RequestValidationError, or ApiError 415 for another type."""
    async def read(request: Request) -> Model:
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ApiError(415, "the body must be application/json")
        return validated(model, await request.body())

    return read


def validated(model: type[Model], data: bytes | dict[str, Any]) -> Model:
    """Raises RequestValidationError, which the app knows how to answer."""
    try:
        return model.model_validate_json(data) if isinstance(data, bytes) else model.model_validate(data)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_context=False)) from None


def described(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of an endpoint with such a body."""
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}}
