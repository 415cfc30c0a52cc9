"""ASGI middleware: bodies are counted while they come in, and answers get the headers of a careful server."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posebot.service.web.error_responses import ApiError, response

HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
           "Cross-Origin-Resource-Policy": "same-origin"}
PAGE_POLICY = ("default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; "
               "form-action 'self'")


class BodySizeLimitMiddleware:
    """Answers 413 as soon as more than `most` bytes have come, whatever Content-Length says."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        refusal = ApiError(413, f"the request's body is larger than {self.most} bytes")
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdigit() and int(length) > self.most:
            return await response(refusal)(scope, receive, send)
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self.most:
                raise refusal
            return message

        return await self.app(scope, counted, send)


class SecurityHeadersMiddleware:
    """`nosniff` and the like on every answer; the page's policy where none is set."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def with_headers(message: dict[str, Any] | Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", PAGE_POLICY)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        return await self.app(scope, receive, with_headers)
