"""MosaicJSON documents by href: files, s3://, https:// and the tables of cogeo-mosaic's DynamoDB backend."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from quadmosaic.catalog.cogeo_table import parse_url, read_table
from quadmosaic.domain.access import AccessMode, BucketAccess, canonical_href, public_href
from quadmosaic.domain.errors import Invalid, NotFound, TooLarge, Unavailable

if TYPE_CHECKING:
    from obstore.store import S3Config
    from urllib3 import BaseHTTPResponse

_FIELD = "source.href"
_TIMEOUT, _CONNECT_TIMEOUT = timedelta(seconds=30), timedelta(seconds=5)
_RETRIES, _RETRY_TIMEOUT = 3, timedelta(seconds=40)
_REDIRECTS = 5
_CHUNK = 1 << 20
_PASSING = (429, 500, 502, 503, 504)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentAccess:
    """How documents are fetched. `permit` raises Invalid for an address that must not be, redirects included.

    A bucket that is not in `buckets` is read with the environment's own region and credentials.
    """

    buckets: Mapping[str, BucketAccess] = field(default_factory=dict)
    permit: Callable[[str], None] | None = None


async def read_mosaic_document(href: str, *, max_bytes: int, access: DocumentAccess) -> bytes:
    """The document's bytes, gzipped or not, or those of a document made from a table's items.

    `href` is a path, file:///path, s3://bucket/key, http(s)://host/path or dynamodb://region/table:mosaic. Raises
    Invalid (field "source.href"), NotFound, TooLarge, Unavailable.
    """
    if access.permit is not None:
        access.permit(href)
    address = canonical_href(href, tuple(access.buckets))
    match urlsplit(address).scheme:
        case "dynamodb":
            return await asyncio.to_thread(read_table, parse_url(address), max_bytes=max_bytes)
        case "s3":
            return await _from_bucket(address, max_bytes, access.buckets)
        case "http" | "https":
            return await asyncio.to_thread(_from_web, address, max_bytes, access)
        case "" | "file":
            path = Path(unquote(urlsplit(address).path)) if address.startswith("file:") else Path(address)
            return await asyncio.to_thread(_from_file, path, max_bytes)
    raise Invalid(f"{href!r} cannot be read; use a file, s3://, https:// or dynamodb://", field=_FIELD)


def _from_file(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}", field=_FIELD) from error
    return _within(content, max_bytes, str(path))


async def _from_bucket(href: str, max_bytes: int, buckets: Mapping[str, BucketAccess]) -> bytes:
    bucket, _, key = href.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise Invalid(f"{href!r} names no object; write s3://bucket/key", field=_FIELD)
    try:
        answer = await obstore.get_async(_bucket(bucket, buckets.get(bucket)), key)
        if answer.meta["size"] > max_bytes:
            raise TooLarge(f"{href} is larger than {max_bytes} bytes")
        return bytes(await answer.bytes_async())
    except FileNotFoundError as error:
        raise NotFound(f"there is no {href}") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise Invalid(f"{href} may not be read with these credentials", field=_FIELD) from error
    except BaseError as error:
        _log.warning("%s: %s", href, error)
        raise Unavailable(f"{href} is out of reach; try again") from error


def _bucket(name: str, access: BucketAccess | None) -> S3Store:
    config: S3Config = {}
    if access is not None:
        config = {
            "region": access.region,
            "skip_signature": access.mode is AccessMode.ANONYMOUS,
            "request_payer": access.mode is AccessMode.REQUESTER_PAYS,
        }
    if access is not None and access.endpoint:
        config["endpoint"] = access.endpoint
    return S3Store(
        name,
        config=config,
        client_options={"timeout": _TIMEOUT, "connect_timeout": _CONNECT_TIMEOUT, "allow_http": True},
        retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_TIMEOUT},
    )


def _from_web(href: str, max_bytes: int, access: DocumentAccess) -> bytes:
    """Redirects are followed one by one, each asked about."""
    import urllib3

    shown = public_href(href)
    retries = urllib3.Retry(
        total=_RETRIES, redirect=False, status_forcelist=_PASSING, backoff_factor=0.3, backoff_jitter=0.3
    )
    timeout = urllib3.Timeout(connect=_CONNECT_TIMEOUT.total_seconds(), read=_TIMEOUT.total_seconds())
    with urllib3.PoolManager(timeout=timeout) as pool:
        try:
            for _ in range(_REDIRECTS):
                answer = pool.request("GET", href, redirect=False, preload_content=False, retries=retries)
                location = answer.get_redirect_location()
                if not location:
                    return _body(answer, max_bytes, shown)
                href = urljoin(href, location)
                if urlsplit(href).scheme not in ("http", "https"):
                    raise Invalid(f"{shown} redirects to what is no web address", field=_FIELD)
                if access.permit is not None:
                    access.permit(href)
        except urllib3.exceptions.HTTPError as error:
            _log.warning("%s: %s", shown, error)
            raise Unavailable(f"{shown} is out of reach; try again") from error
    raise Invalid(f"{shown} redirects too often", field=_FIELD)


def _body(answer: "BaseHTTPResponse", max_bytes: int, shown: str) -> bytes:
    if answer.status in (404, 410):
        raise NotFound(f"there is no {shown}")
    if answer.status != 200:
        raise Invalid(f"{shown} answers {answer.status}", field=_FIELD)
    content = bytearray()
    # A gzipped document stays as it is: whoever parses it has a limit of its own.
    for chunk in answer.stream(_CHUNK, decode_content=True):
        content += chunk
        if len(content) > max_bytes:
            break
    return _within(bytes(content), max_bytes, shown)


def _within(content: bytes, max_bytes: int, shown: str) -> bytes:
    if len(content) > max_bytes:
        raise TooLarge(f"{shown} is larger than {max_bytes} bytes")
    return content
