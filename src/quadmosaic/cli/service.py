"""The registry's verbs for commands: over HTTP at an endpoint, or within this process on a store."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from quadmosaic import bootstrap
from quadmosaic.config import Settings
from quadmosaic.domain.errors import Conflict, Invalid, NotFound, QuadmosaicError, TooLarge, Unavailable

_OVER_HTTP_S = 60.0
_WAIT_S = 24 * 3600.0
_POLL_S = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A reply's document, an empty one where it has none."""

    status: int
    document: dict[str, Any]
    location: str | None = None


type Call = Callable[[str, str, object], Reply]
"""Method, path with its query, and a JSON body or None."""


def service(settings: Settings, *, endpoint: str | None, token: str | None) -> Call:
    """How to call the registry. Raises Invalid (field "endpoint") for what is no http(s) address."""
    if endpoint is None:
        return lambda method, path, body: asyncio.run(_within(settings, method, path, body))
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise Invalid("must be an http(s) address", field="endpoint")
    return lambda method, path, body: _over_http(endpoint.rstrip("/"), token, method, path, body)


def finished(call: Call, reply: Reply, *, on_progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The document of a reply, that of the build it speaks of once that is over. Raises what the build failed with."""
    document = reply.document
    while reply.status == 202:
        on_progress(document)
        if document["status"] not in ("queued", "running"):
            break
        time.sleep(_POLL_S)
        path = urlsplit(reply.location or document["urls"]["self"])
        document = call("GET", path.path, None).document
    error = document.get("error")
    if isinstance(error, dict):
        raise _error(int(error["status"]), error)
    return document


def _over_http(endpoint: str, token: str | None, method: str, path: str, body: object) -> Reply:
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{endpoint}{path}", data=content, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=_OVER_HTTP_S) as reply:
            return Reply(status=reply.status, document=_document(reply.read()), location=reply.headers.get("Location"))
    except urllib.error.HTTPError as error:
        raise _error(error.code, _document(error.read())) from error
    except OSError as error:
        raise Unavailable(f"{endpoint} cannot be reached") from error


async def _within(settings: Settings, method: str, path: str, body: object) -> Reply:
    """One request to an application of our own, which ends when its builds are over."""
    told = settings.model_copy(update={"tokens": None, "queue_url": None, "build_wait_s": _WAIT_S})
    app = bootstrap.http_app(told, metrics=False, open_writes=True, any_source=True)
    route, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": route,
        "raw_path": route.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
    }
    content = b"" if body is None else json.dumps(body).encode()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(cast("dict[str, Any]", message))

    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    status = int(sent[0]["status"])
    document = _document(b"".join(message.get("body", b"") for message in sent[1:]))
    if status >= 400:
        raise _error(status, document)
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Reply(status=status, document=document, location=headers.get("location"))


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content or b"{}")
    except ValueError:
        return {"detail": "the reply is no JSON"}
    return document if isinstance(document, dict) else {"detail": "the reply is no object"}


def _error(status: int, document: dict[str, Any]) -> QuadmosaicError:
    detail = str(document.get("detail") or f"the service answered {status}")
    if status in (400, 401, 403, 422):
        fields = {401: "token", 403: "token"}
        return Invalid(detail, field=str(document.get("field") or fields.get(status, "request")))
    kinds: dict[int, Callable[[str], QuadmosaicError]] = {404: NotFound, 409: Conflict, 412: Conflict, 413: TooLarge}
    return kinds.get(status, Unavailable)(detail)
