"""ASGI middleware: request bodies are limited while they arrive; responses get security headers."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posebot.service.errors import TooLarge
from posebot.service.web.error_responses import error_response

SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
                    "Cross-Origin-Resource-Policy": "same-origin"}
CONTENT_SECURITY_POLICY = ("default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; "
                           "form-action 'self'")


class BodySizeLimitMiddleware:
    """Answers 413 as soon as more than `max_bytes` have arrived, whatever Content-Length says."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        error = TooLarge(f"the request's body is larger than {self.max_bytes} bytes")
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdigit() and int(length) > self.max_bytes:
            return await error_response(error)(scope, receive, send)
        received = 0

        async def limited_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise error
            return message

        return await self.app(scope, limited_receive, send)


class SecurityHeadersMiddleware:
    """Adds the security headers that a response does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        return await self.app(scope, receive, send_with_headers)
