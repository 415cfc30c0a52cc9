"""The only place that maps errors to HTTP: one JSON form for all of them, and never a traceback."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from posebot.core.error_codes import http_status
from posebot.core.errors import LocatedError, PosebotError
from posebot.service.errors import Retryable, Unauthorized

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger("posebot.service")
_CODE_OF_STATUS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 409: "conflict",
          413: "too_large", 415: "unsupported_format", 422: "bad_input", 429: "rate_limited", 503: "overloaded"}


def error_body(code: str, message: str, **details: str) -> dict[str, Any]:
    """See `schemas.service.ErrorOut`. Empty details are left out."""
    return {"error": {"code": code, "message": message, **{name: text for name, text in details.items() if text}}}


def error_response(error: Exception) -> Response:
    """The response to any exception; codes and statuses as in `core.error_codes`."""
    if isinstance(error, LocatedError):
        body = error_body(error.code, str(error), where=error.where, problem=error.problem, expected=error.expected)
        return JSONResponse(body, http_status(error))
    if isinstance(error, PosebotError):
        return JSONResponse(error_body(error.code, str(error)), http_status(error), _headers(error))
    if isinstance(error, RequestValidationError):
        return JSONResponse(_invalid(error), 422)
    if isinstance(error, HTTPException):
        code = _CODE_OF_STATUS.get(error.status_code, "bad_input" if error.status_code < 500 else "internal")
        return JSONResponse(error_body(code, str(error.detail)), error.status_code, error.headers)
    number = secrets.token_hex(4)
    log.error("internal error %s", number, exc_info=error)
    return JSONResponse(error_body("internal", f"internal error {number}; see the service's log"), 500)


def install(app: FastAPI) -> None:
    """Register the handlers. A browser without a session that opens the page is redirected to the login."""
    async def respond(request: Request, error: Exception) -> Response:
        if isinstance(error, Unauthorized) and request.url.path == "/":
            return RedirectResponse("/login", 303)
        return error_response(error)

    for kind in (PosebotError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, respond)


def _headers(error: PosebotError) -> dict[str, str] | None:
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, Retryable) and error.retry_after_s is not None:
        return {"Retry-After": str(max(1, round(error.retry_after_s)))}
    return None


def _invalid(error: RequestValidationError) -> dict[str, Any]:
    first: Mapping[str, Any] = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "request"
    problem = str(first["msg"]).removeprefix("Value error, ")
    return error_body("bad_input", f"{where}: {problem}", where=where, problem=problem)
