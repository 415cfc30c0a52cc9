"""Login, logout, identity of the caller, WebSocket tickets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from posebot.service.auth.identity import PUBLIC, Identity
from posebot.service.auth.tokens import COOKIE, SESSION_S, TICKET_S
from posebot.service.errors import Unauthorized
from posebot.service.web.authentication import client_address, requires
from posebot.service.web.request_bodies import json_body, openapi_body
from posebot.service.web.schemas.service import IdentityOut, LoginIn, TicketOut
from posebot.service.web.services import ServicesDep

router = APIRouter(prefix="/v1/auth", tags=["auth"])


@router.post("/login", openapi_extra=openapi_body(LoginIn))
@requires(PUBLIC)
async def login(body: Annotated[LoginIn, Depends(json_body(LoginIn))], request: Request, response: Response,
                services: ServicesDep) -> IdentityOut:
    """Exchange an API key for the page's session cookie (HttpOnly, SameSite=Strict, 12 hours)."""
    key = services.authenticator.keys.verify(body.key)
    if key is None:
        services.authenticator.limiter.failed(client_address(request))
        raise Unauthorized("this key is wrong, expired or revoked")
    secure = request.url.scheme == "https" or services.settings.tls is not None
    response.set_cookie(COOKIE, services.authenticator.signer.session(key.identity), max_age=int(SESSION_S),
                        httponly=True, samesite="strict", secure=secure, path="/")
    return _identity_out(key.identity)


@router.post("/logout", status_code=204)
@requires("read")
async def logout(response: Response) -> None:
    """Delete the session cookie."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


@router.get("/me")
@requires("read")
async def me(request: Request) -> IdentityOut:
    """The caller and its scopes."""
    return _identity_out(request.state.identity)


@router.post("/ticket")
@requires("read")
async def ticket(request: Request, services: ServicesDep) -> TicketOut:
    """A ticket for one WebSocket connection within 30 seconds: `?ticket=…`."""
    token = services.authenticator.signer.ticket(request.state.identity)
    return TicketOut(ticket=token, expires_in_s=TICKET_S)


def _identity_out(identity: Identity) -> IdentityOut:
    return IdentityOut(id=identity.id, name=identity.name, scopes=list(identity.scopes),
                       expires_at=identity.expires_at)
