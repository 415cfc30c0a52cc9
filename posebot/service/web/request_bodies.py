"""JSON bodies read after authentication. FastAPI itself would parse a body before any dependency runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from posebot.service.errors import UnsupportedFormat

Model = TypeVar("Model", bound=BaseModel)


def json_body(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """A dependency that returns the body as `model`.

    It raises RequestValidationError, or UnsupportedFormat for another content type.
    """
    async def read(request: Request) -> Model:
        if content_type(request, "application/json") != "application/json":
            raise UnsupportedFormat("the body must be application/json")
        return validated(model, await request.body())

    return read


def content_type(request: Request, default: str = "") -> str:
    """The media type of the body, lower case, without parameters."""
    return request.headers.get("content-type", default).partition(";")[0].strip().lower()


def validated(model: type[Model], data: bytes | dict[str, Any]) -> Model:
    """Parse and validate. Raises RequestValidationError."""
    try:
        return model.model_validate_json(data) if isinstance(data, bytes) else model.model_validate(data)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_context=False)) from None


def openapi_body(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of an endpoint with such a body."""
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}}
