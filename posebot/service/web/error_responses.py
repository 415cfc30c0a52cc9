"""Errors of the API: one form for all of them, no traceback in any of them."""

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

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger("posebot.service")
_CODES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 409: "conflict",
          413: "too_large", 415: "unsupported_format", 422: "bad_input", 429: "rate_limited", 503: "overloaded"}


class ApiError(PosebotError):
    """An answer other than the one hoped for. `code` as in docs/how-to/serve.md."""

    def __init__(self, status: int, message: str, code: str | None = None,
                 headers: Mapping[str, str] | None = None) -> None:
        self.status, self.headers = status, headers
        super().__init__(message, code=code or _CODES.get(status, "internal"))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, str(self), self.code, self.headers)


def body(code: str, message: str, **more: str) -> dict[str, Any]:
    """The JSON of an error."""
    return {"error": {"code": code, "message": message, **{name: value for name, value in more.items() if value}}}


def response(error: Exception) -> Response:
    """The answer for an error, whatever it is."""
    if isinstance(error, ApiError):
        return JSONResponse(body(error.code, str(error)), error.status, error.headers)
    if isinstance(error, LocatedError):
        content = body(error.code, str(error), where=error.where, problem=error.problem, expected=error.expected)
        return JSONResponse(content, http_status(error))
    if isinstance(error, RequestValidationError):
        return JSONResponse(_invalid(error), 422)
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "bad_input" if error.status_code < 500 else "internal")
        return JSONResponse(body(code, str(error.detail)), error.status_code, error.headers)
    number = secrets.token_hex(4)
    log.error("internal error %s", number, exc_info=error)
    return JSONResponse(body("internal", f"internal error {number}; the service's log says more"), 500)


def install(app: FastAPI) -> None:
    """Give the app these answers."""
    async def answer(request: Request, error: Exception) -> Response:
        if isinstance(error, ApiError) and error.status == 401 and request.url.path == "/":
            return RedirectResponse("/login", 303)
        return response(error)

    for kind in (PosebotError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def _invalid(error: RequestValidationError) -> dict[str, Any]:
    first: Mapping[str, Any] = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "request"
    problem = str(first["msg"]).removeprefix("Value error, ")
    return body("bad_input", f"{where}: {problem}", where=where, problem=problem)
