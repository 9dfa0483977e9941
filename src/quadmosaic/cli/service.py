"""The registry's verbs for commands: over HTTP at an endpoint, or within this process on a store."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from quadmosaic import bootstrap
from quadmosaic.cli.remote import remote
from quadmosaic.cli.replies import Call, Reply, document_of, error_of
from quadmosaic.config import Settings
from quadmosaic.domain.errors import Unavailable

_WAIT_S = 24 * 3600.0
_FIRST_POLL_S, _LAST_POLL_S = 0.25, 2.0


def service(settings: Settings, *, endpoint: str | None, token: str | None) -> Call:
    """How to call the registry: at the endpoint, or on the settings' store. Raises Invalid as `remote`."""
    if endpoint is not None:
        return remote(endpoint, token)
    return lambda method, path, body: asyncio.run(_within(settings, method, path, body))


def finished(call: Call, reply: Reply, *, on_progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The document of a reply, that of the build it speaks of once that is over. Raises what the build failed with."""
    document = reply.document
    poll_s = _FIRST_POLL_S
    while reply.status == 202:
        on_progress(document)
        if document.get("status") not in ("queued", "running"):
            break
        if reply.location is None:
            raise Unavailable("the service does not say where the build can be looked after")
        time.sleep(poll_s)
        poll_s = min(2 * poll_s, _LAST_POLL_S)
        document = call("GET", reply.location, None).document
    error = document.get("error")
    if isinstance(error, dict):
        raise error_of(int(error["status"]), error)
    return document


def listed(call: Call, path: str, key: str) -> Iterator[dict[str, Any]]:
    """All entries of a list, page after page, under the document's `key`."""
    following: str | None = path
    while following is not None:
        document = call("GET", following, None).document
        entries = document.get(key)
        if not isinstance(entries, list):
            raise Unavailable(f"the service answers without {key}: is it a quadmosaic?")
        yield from entries
        href = next((link["href"] for link in document.get("links", ()) if link.get("rel") == "next"), None)
        # The address of the page may be that of a proxy's other side.
        following = None if href is None else f"{path.partition('?')[0]}?{urlsplit(href).query}"


async def _within(settings: Settings, method: str, path: str, body: object) -> Reply:
    """One request to an application of our own, which ends when its builds are over."""
    told = settings.model_copy(update={"tokens": None, "queue_url": None, "public_url": None, "build_wait_s": _WAIT_S})
    app = bootstrap.http_app(told, metrics=False, open_writes=True, any_source=True)
    route, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(route),
        "raw_path": route.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
    }
    asked = [{"type": "http.request", "body": b"" if body is None else json.dumps(body).encode(), "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not asked:
            # Who asks here stays until there is an answer.
            await asyncio.Event().wait()
        return asked.pop()

    async def send(message: Any) -> None:
        sent.append(cast("dict[str, Any]", message))

    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    status = int(sent[0]["status"])
    document = document_of(b"".join(message.get("body", b"") for message in sent[1:])) or {}
    if status >= 400:
        raise error_of(status, document)
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    location = headers.get("location")
    return Reply(status=status, document=document, location=None if location is None else urlsplit(location).path)
