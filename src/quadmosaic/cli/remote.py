"""The registry of a service that runs elsewhere, over HTTP."""

import http.client
import json
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from quadmosaic.cli.replies import Call, Reply, document_of, error_of
from quadmosaic.domain.access import public_href
from quadmosaic.domain.errors import Invalid, Unavailable

_TIMEOUT_S = 60.0


def remote(endpoint: str, token: str | None) -> Call:
    """How to call it. Raises Invalid (fields "endpoint" and "token") for what is no http(s) address or no token."""
    address = endpoint.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment or "@" in parts.netloc:
        raise Invalid("must be an http(s) address without a password and a query", field="endpoint")
    secret = None if token is None else token.strip()
    if secret is not None and not (secret.isascii() and secret.isprintable() and secret):
        raise Invalid("must be printable ASCII", field="token")
    return lambda method, path, body: _call(address, secret, method, path, body)


def _opener() -> urllib.request.OpenerDirector:
    """Without redirects: one would take the token to another host, and turn a POST into a GET."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _call(endpoint: str, token: str | None, method: str, path: str, body: object) -> Reply:
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{endpoint}{path}", data=content, method=method, headers=headers)
    try:
        try:
            with _opener().open(request, timeout=_TIMEOUT_S) as reply:
                document = document_of(reply.read())
                location = reply.headers.get("Location")
        except urllib.error.HTTPError as error:
            with error:
                _check_no_redirect(endpoint, error)
                raise error_of(error.code, document_of(error.read()) or {}) from error
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{endpoint} cannot be reached") from error
    if document is None:
        raise Unavailable(f"{endpoint} answers with something that is no JSON: is it a quadmosaic?")
    return Reply(status=reply.status, document=document, location=_inside(endpoint, location))


def _check_no_redirect(endpoint: str, error: urllib.error.HTTPError) -> None:
    location = error.headers.get("Location")
    if 300 <= error.code < 400 and location is not None:
        raise Invalid(f"{endpoint} redirects to {public_href(location)}: use the address there", field="endpoint")


def _inside(endpoint: str, location: str | None) -> str | None:
    """A reply's location as a path below the endpoint, which may have a path of its own."""
    if location is None:
        return None
    return urlsplit(location).path.removeprefix(urlsplit(endpoint).path)
