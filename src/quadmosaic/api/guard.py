"""The guard of write routes: who may do what to which mosaic, and how large a body may be."""

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quadmosaic.api.services import Services
from quadmosaic.api.writes import Writes
from quadmosaic.domain.tokens import Verb, holder

_BEARER = "bearer "


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Who writes; `id` is that of the token."""

    id: str
    permits: Callable[[Verb, str], bool]


def writes_of(request: Request) -> Writes:
    """The registry of this service. Raises 403 where it has none."""
    services: Services = request.app.state.services
    if services.writes is None:
        raise HTTPException(403, "this service is read-only")
    return services.writes


async def _writer(request: Request) -> Writer:
    """The bearer of the request's token. Raises 401 or 403."""
    writes = writes_of(request)
    scheme = request.headers.get("authorization", "")
    if not writes.tokens:
        if not writes.is_open:
            raise HTTPException(403, "no write tokens are configured (TOKENS), so nothing can be written")
        _check_local(request)
        return Writer(id="local", permits=lambda _verb, _name: True)
    if not scheme.lower().startswith(_BEARER):
        raise _unknown("a write needs a token: Authorization: Bearer ...")
    token = holder(writes.tokens, scheme[len(_BEARER) :].strip())
    if token is None:
        raise _unknown("the token is not known")
    return Writer(id=token.id, permits=token.permits)


UsesWrites = Annotated[Writes, Depends(writes_of)]
IsWriter = Annotated[Writer, Depends(_writer)]


def may(verb: Verb) -> Callable[..., Awaitable[None]]:
    """A dependency that lets a writer do `verb` to the mosaic in the path. Raises 401 or 403."""

    async def check(mosaic: str, writer: IsWriter) -> None:
        require(writer, verb, mosaic)

    return check


def require(writer: Writer, verb: Verb, name: str) -> None:
    """Raise 403 where the token does not allow it."""
    if not writer.permits(verb, name):
        raise HTTPException(403, f"the token {writer.id!r} does not allow to {verb} {name[:64]!r}")


def _unknown(detail: str) -> HTTPException:
    return HTTPException(401, detail, headers={"WWW-Authenticate": 'Bearer realm="quadmosaic"'})


def _check_local(request: Request) -> None:
    """A page from elsewhere in the user's browser must not write, nor a name that was made to resolve to here."""
    origin = request.headers.get("origin")
    hosts: Sequence[str | None] = [request.url.hostname, *([urlsplit(origin).hostname] if origin else [])]
    if not all(_is_loopback(host) for host in hosts) or request.headers.get("sec-fetch-site") == "cross-site":
        raise HTTPException(403, "without write tokens (TOKENS) only this machine itself may write")


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


class LimitBody:
    """Refuses bodies larger than `max_bytes`, whether or not they say how large they are."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"0")
        is_told_large = told.isdigit() and int(told) > self.max_bytes
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if is_told_large or received > self.max_bytes:
                raise HTTPException(413, f"the body is larger than {self.max_bytes} bytes")
            return message

        await self.app(scope, limited, send)
