"""The guard of write routes: who may do what to which mosaic."""

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request

from quadmosaic.api.gateway import authorized
from quadmosaic.api.services import Services
from quadmosaic.api.writes import Writes
from quadmosaic.domain.names import validate_name
from quadmosaic.domain.tokens import Verb, holder

_BEARER = "bearer "
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Who writes; `id` is that of the token, or the name that the gateway gives."""

    id: str
    permits: Callable[[Verb, str], bool]


def writes_of(request: Request) -> Writes:
    """The registry of this service. Raises 403 where it has none."""
    services: Services = request.app.state.services
    if services.writes is None:
        raise HTTPException(403, "this service is read-only")
    return services.writes


async def _writer(request: Request) -> Writer:
    """Whom API Gateway let in, or the bearer of the request's token. Raises 401 or 403."""
    writes = writes_of(request)
    if writes.by_gateway:
        name = authorized(request.scope)
        if name is None:
            raise HTTPException(403, "a write must come through an authorizer of API Gateway (AUTHORITY)")
        return Writer(id=name, permits=lambda _verb, _name: True)
    scheme = request.headers.get("authorization", "")
    tokens = await writes.tokens()
    if not tokens:
        if not writes.is_open:
            raise HTTPException(403, "no write tokens are configured (TOKENS), so nothing can be written")
        _check_local(request)
        return Writer(id="local", permits=lambda _verb, _name: True)
    if not scheme.lower().startswith(_BEARER):
        raise _unknown("a write needs a token: Authorization: Bearer ...")
    token = holder(tokens, scheme[len(_BEARER) :].strip())
    if token is None:
        raise _unknown("the token is not known")
    return Writer(id=token.id, permits=token.permits)


UsesWrites = Annotated[Writes, Depends(writes_of)]
IsWriter = Annotated[Writer, Depends(_writer)]


def may(verb: Verb) -> Callable[..., Awaitable[None]]:
    """A dependency that lets a writer do `verb` to the mosaic in the path, which is no version. Raises 401 or 403."""

    async def check(mosaic: str, writer: IsWriter) -> None:
        require(writer, verb, validate_name(mosaic))

    return check


def require(writer: Writer, verb: Verb, name: str) -> None:
    """Raise 403 where the token does not allow it."""
    if not writer.permits(verb, name):
        raise HTTPException(403, f"the token {writer.id!r} does not allow to {verb} {name[:64]!r}")


def _unknown(detail: str) -> HTTPException:
    return HTTPException(401, detail, headers={"WWW-Authenticate": 'Bearer realm="quadmosaic"'})


def _check_local(request: Request) -> None:
    """A page from elsewhere in the user's browser must not write, nor a name that was made to resolve to here.

    What a proxy on this machine passes on comes from it too, but not from its user.
    """
    origin = request.headers.get("origin")
    hosts: Sequence[str | None] = [request.url.hostname, *([urlsplit(origin).hostname] if origin else [])]
    is_passed_on = any(header in request.headers for header in _FORWARDED)
    is_cross_site = request.headers.get("sec-fetch-site") == "cross-site"
    if is_passed_on or is_cross_site or not all(_is_loopback(host) for host in hosts):
        raise HTTPException(403, "without write tokens (TOKENS) only this machine itself may write")


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
