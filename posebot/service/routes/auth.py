"""Login, logout, who am I, tickets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from posebot.service.bodies import described, json_body
from posebot.service.errors import ApiError
from posebot.service.gate import needs
from posebot.service.identity import PUBLIC, Identity
from posebot.service.schemas.other import IdentityOut, LoginIn, TicketOut
from posebot.service.services import Held
from posebot.service.sessions import COOKIE, SESSION_S, TICKET_S

router = APIRouter(prefix="/v1/auth", tags=["auth"])


@router.post("/login", openapi_extra=described(LoginIn))
@needs(PUBLIC)
async def login(body: Annotated[LoginIn, Depends(json_body(LoginIn))], request: Request, response: Response,
                held: Held) -> IdentityOut:
    """Exchange an API key for the page's cookie (HttpOnly, SameSite=Strict, 12 hours)."""
    address = request.client.host if request.client else "unknown"
    key = held.gate.keys.verify(body.key)
    if key is None:
        held.gate.limiter.failed(address)
        raise ApiError(401, "this key is wrong, expired or revoked")
    secure = request.url.scheme == "https" or held.settings.tls is not None
    response.set_cookie(COOKIE, held.gate.signer.session(key.identity), max_age=int(SESSION_S), httponly=True,
                        samesite="strict", secure=secure, path="/")
    return _told(key.identity)


@router.post("/logout", status_code=204)
@needs("read")
async def logout(response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


@router.get("/me")
@needs("read")
async def me(request: Request) -> IdentityOut:
    """Who is asking, and what they may."""
    return _told(request.state.identity)


@router.post("/ticket")
@needs("read")
async def ticket(request: Request, held: Held) -> TicketOut:
    """A ticket for one WebSocket, within 30 seconds: `?ticket=…`."""
    return TicketOut(ticket=held.gate.signer.ticket(request.state.identity), expires_in_s=TICKET_S)


def _told(identity: Identity) -> IdentityOut:
    return IdentityOut(id=identity.id, name=identity.name, scopes=list(identity.scopes),
                       expires_at=identity.expires_at)
