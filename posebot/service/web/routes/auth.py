"""Login, logout, who am I, tickets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from posebot.service.auth.identity import PUBLIC, Identity
from posebot.service.auth.tokens import COOKIE, SESSION_S, TICKET_S
from posebot.service.web.authentication import requires
from posebot.service.web.error_responses import ApiError
from posebot.service.web.request_bodies import described, json_body
from posebot.service.web.schemas.service import IdentityOut, LoginIn, TicketOut
from posebot.service.web.services import ServicesDep

router = APIRouter(prefix="/v1/auth", tags=["auth"])


@router.post("/login", openapi_extra=described(LoginIn))
@requires(PUBLIC)
async def login(body: Annotated[LoginIn, Depends(json_body(LoginIn))], request: Request, response: Response,
                services: ServicesDep) -> IdentityOut:
    """Exchange an API key for the page's cookie (HttpOnly, SameSite=Strict, 12 hours)."""
    address = request.client.host if request.client else "unknown"
    key = services.gate.keys.verify(body.key)
    if key is None:
        services.gate.limiter.failed(address)
        raise ApiError(401, "this key is wrong, expired or revoked")
    secure = request.url.scheme == "https" or services.settings.tls is not None
    response.set_cookie(COOKIE, services.gate.signer.session(key.identity), max_age=int(SESSION_S), httponly=True,
                        samesite="strict", secure=secure, path="/")
    return _told(key.identity)


@router.post("/logout", status_code=204)
@requires("read")
async def logout(response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


@router.get("/me")
@requires("read")
async def me(request: Request) -> IdentityOut:
    """Who is asking, and what they may."""
    return _told(request.state.identity)


@router.post("/ticket")
@requires("read")
async def ticket(request: Request, services: ServicesDep) -> TicketOut:
    """A ticket for one WebSocket, within 30 seconds: `?ticket=…`."""
    return TicketOut(ticket=services.gate.signer.ticket(request.state.identity), expires_in_s=TICKET_S)


def _told(identity: Identity) -> IdentityOut:
    return IdentityOut(id=identity.id, name=identity.name, scopes=list(identity.scopes),
                       expires_at=identity.expires_at)
