"""Between API Gateway and an application: an HTTP event in, the application called, a reply that Lambda carries out."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from mangum import Mangum
from mangum.types import ASGI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lambda_handler.invocations import Context, invoked, seconds_left
from quadmosaic.api.problems import problem

log = logging.getLogger(__name__)

DEFAULT_STAGE = "$default"
MOST_BYTES = 6_291_556
"""Of a reply as JSON: Lambda's own limit, beyond which it fails and the client reads 500."""
TEXTS = ["text/", "json", "xml", "javascript"]
"""Parts of content types that are sent as they are; all else goes in base64."""
GRACE_S = 0.5
"""A request that is not answered so long before Lambda stops the function is answered with an error."""
_WITHOUT_BODY = (204, 304)
_LARGEST_ESCAPE = 6
"""Bytes of JSON that one byte of text may take."""

type Handler = Callable[[Any, Context | None], dict[str, Any]]


class NotHttp(Exception):
    """The event is no HTTP request."""


def http_handler(app: ASGIApp) -> Handler:
    """The Lambda handler of an application. Raises NotHttp for other events."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    called = Mangum(_in_time(_below_stage(app)), lifespan="off", text_mime_types=TEXTS)

    def handle(event: Any, context: Context | None) -> dict[str, Any]:
        with invoked(event, context):
            method, path = _asked(event)
            started = time.perf_counter()
            # Mangum takes the thread's own loop, which nobody else may replace.
            asyncio.set_event_loop(loop)
            reply = _carried(_plain(called(event, context)))  # type: ignore[arg-type]
            told = {"status": reply["statusCode"], "ms": round((time.perf_counter() - started) * 1000, 1)}
            log.info("%s %s", method, path, extra={**told, "bytes": len(reply.get("body", ""))})
            return reply

    return handle


def _asked(event: Any) -> tuple[str, str]:
    request = event.get("requestContext") if isinstance(event, Mapping) else None
    http = request.get("http") if isinstance(request, Mapping) else None
    if not isinstance(http, Mapping) or not {"method", "path", "sourceIp"} <= http.keys():
        keys = ", ".join(sorted(map(str, event))) if isinstance(event, Mapping) else type(event).__name__
        log.error("not an HTTP request of API Gateway (payload format 2.0): it has %s", keys or "nothing")
        raise NotHttp("this function answers HTTP requests of API Gateway (payload format 2.0) and no other events")
    return str(http["method"]), str(http["path"])


def _below_stage(app: ASGIApp) -> ASGI:
    """The application below the stage's name, with which the paths of all stages but the default one begin."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        stage = scope["aws.event"]["requestContext"].get("stage", DEFAULT_STAGE)
        if stage != DEFAULT_STAGE and f"{scope['path']}/".startswith(f"/{stage}/"):
            scope = {**scope, "root_path": f"/{stage}"}
        await app(scope, receive, send)

    return call


def _in_time(app: ASGI) -> ASGI:
    """An application that answers 503 when it has no answer just before Lambda stops the function."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        is_begun = False

        async def begun(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        left = seconds_left() - GRACE_S
        try:
            async with asyncio.timeout(None if left == float("inf") else max(left, 0.0)):
                await app(scope, receive, begun)
        except TimeoutError:
            log.error("no answer in time", extra={"path": scope["path"]})
            if is_begun:
                raise
            late = problem(503, "it took too long: try again, or ask for less", headers={"Retry-After": "5"})
            await late(scope, receive, send)

    return call


def _plain(reply: dict[str, Any]) -> dict[str, Any]:
    """Without the content type that Mangum gives to replies without content, and which caches would take over."""
    if reply["statusCode"] in _WITHOUT_BODY:
        reply["headers"].pop("content-type", None)
    return reply


def _carried(reply: dict[str, Any]) -> dict[str, Any]:
    """The reply, or 413 in its place where it is larger than Lambda carries."""
    size = _size(reply)
    if size <= MOST_BYTES:
        return reply
    log.warning("a reply of %s bytes is more than Lambda carries", size)
    instead = problem(
        413,
        f"the answer has {size} bytes as AWS Lambda would have to send it, which carries {MOST_BYTES}: ask for fewer "
        "pixels, another format or a smaller page",
    )
    headers = {key: value for key, value in reply["headers"].items() if key.startswith("access-control-")}
    own = {key.decode(): value.decode() for key, value in instead.raw_headers}
    return {
        "statusCode": 413,
        "headers": {**headers, **own},
        "body": bytes(instead.body).decode(),
        "isBase64Encoded": False,
    }


def _size(reply: Mapping[str, Any]) -> int:
    """Bytes of the reply as JSON; too many by a few where it is far from the limit."""
    body: str = reply.get("body", "")
    if reply.get("isBase64Encoded") or len(body) * _LARGEST_ESCAPE < MOST_BYTES:
        return len(body) + len(json.dumps({**reply, "body": ""}))
    return len(json.dumps(reply, ensure_ascii=False).encode())
