"""Errors as application/problem+json (RFC 9457), the framework's own included."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from quadmosaic.domain.errors import Invalid, QuadmosaicError, Unavailable

log = logging.getLogger(__name__)

_TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Precondition failed",
    413: "Too large",
    500: "Internal error",
    503: "Unavailable",
}

_OF_THE_BODY = (400, 413)
"""What the framework raises by itself with these, it says of a body."""


def problem(
    status: int, detail: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A problem document; `field` names what the client should change."""
    content = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail}
    if field is not None:
        content["field"] = field
    no_store = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(content, status, headers=no_store, media_type="application/problem+json")


def install(app: FastAPI, *, cors_origins: Sequence[str]) -> None:
    """Make every error of the app a problem document that pages of `cors_origins` may read."""

    @app.exception_handler(QuadmosaicError)
    async def on_ours(request: Request, error: QuadmosaicError) -> JSONResponse:
        if error.status >= 500:
            log.error("%s %s: %s", request.method, request.url.path, error)
        field = error.field if isinstance(error, Invalid) else None
        retry = {"Retry-After": str(error.retry_after)} if isinstance(error, Unavailable) else None
        return problem(error.status, error.message, field=field, headers=retry)

    @app.exception_handler(RequestValidationError)
    async def on_validation(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return problem(400, str(first["msg"]), field=_field(first, error.body))

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> JSONResponse:
        field = "body" if error.status_code in _OF_THE_BODY else None
        return problem(error.status_code, str(error.detail), field=field, headers=error.headers)

    @app.exception_handler(Exception)
    async def on_fault(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        # The framework answers faults outside of every middleware, that of CORS included.
        origin = next((known for known in cors_origins if known in ("*", request.headers.get("origin"))), None)
        shared = {} if origin is None else {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
        return problem(500, "the server failed; the log has the reason", headers=shared)


def _field(error: Mapping[str, Any], body: object) -> str:
    """`("query", "bidx", 0)` -> `bidx`, but the whole way into a body: `("body", "hrefs", 0)` -> `hrefs.0`.

    Pydantic names on the way which of several types it tried, and of JSON that breaks off the place: what is not in
    the body is left out, unless it is what is missing there.
    """
    where, *inside = error["loc"]
    if where != "body":
        return ".".join(str(part) for part in inside[:1]) or str(where)
    way: list[str] = []
    for part in inside:
        if (isinstance(body, dict) and part in body) or (isinstance(body, list) and part in range(len(body))):
            body = body[part]
            way.append(str(part))
    if error["type"] == "missing":
        way += [str(part) for part in inside[-1:]]
    return ".".join(way) or str(where)
