"""Opening an href: what GDAL and obstore need to know about the place a file is in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from obstore.store import HTTPStore, LocalStore, S3Store

from quadmosaic.domain.access import AccessMode, BucketAccess, canonical_href
from quadmosaic.reading.faults import Unreadable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

type ObjectStore = LocalStore | HTTPStore | S3Store

DRIVERS = ("GTiff", "JP2OpenJPEG", "PNG", "JPEG", "WEBP")
"""GDAL's drivers that are let in: formats that hold their own pixels. A VRT could name any other file or host."""

CONNECT_S = 5
REQUEST_S = 20
RETRIES = 2

_REMOTE: dict[str, str | int | float] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_CONNECTTIMEOUT": CONNECT_S,
    "GDAL_HTTP_TIMEOUT": REQUEST_S,
    "GDAL_HTTP_MAX_RETRY": RETRIES,
    "GDAL_HTTP_RETRY_DELAY": 0.3,
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": 65536,
    "VSI_CACHE": "TRUE",
    # A file that was replaced must not be decoded with the header of the old one, which GDAL would keep for good.
    "CPL_VSIL_CURL_NON_CACHED": "/vsis3/:/vsicurl/",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a file is, on a bucket or `host`. `store` is None where obstore cannot reach it (a URL with a query)."""

    href: str
    gdal_path: str | Path
    gdal: Mapping[str, str | int | float]
    store: ObjectStore | None
    key: str
    host: str

    @property
    def is_remote(self) -> bool:
        return self.host != ""


class Places:
    """Turns hrefs into places; keeps one store, and so one set of connections, per bucket or host."""

    def __init__(self, buckets: Mapping[str, BucketAccess]) -> None:
        self._buckets = dict(buckets)
        self._stores: dict[str, ObjectStore] = {}

    def find(self, href: str) -> Place:
        """The place of an href. Raises Unreadable for a scheme that is not file, s3, http or https."""
        canonical = canonical_href(href, self._buckets)
        parts = urlsplit(canonical)
        if parts.scheme == "s3":
            return self._in_bucket(canonical)
        if parts.scheme in ("http", "https"):
            return self._on_host(canonical)
        if parts.scheme == "file" and parts.netloc == "":
            return self._local(href, Path(unquote(parts.path)))
        if parts.scheme == "":
            return self._local(href, Path(canonical))
        raise Unreadable(f"a {parts.scheme!r} href cannot be read; use file, s3, http or https")

    def disconnect(self) -> None:
        """Forget the stores and their connections."""
        self._stores.clear()

    def _local(self, href: str, path: Path) -> Place:
        whole = path.absolute()
        if whole.parts[1:] and whole.parts[1].startswith("vsi"):
            raise Unreadable("GDAL's virtual paths cannot be read; use file, s3, http or https")
        store = self._stores.setdefault("file", LocalStore("/"))
        return Place(href=href, gdal_path=whole, gdal={}, store=store, key=str(whole).lstrip("/"), host="")

    def _in_bucket(self, href: str) -> Place:
        bucket, _, key = href.removeprefix("s3://").partition("/")
        access = self._buckets.get(bucket)
        if access is None:
            raise Unreadable(f"the bucket {bucket!r} is not among the known ones")
        if bucket not in self._stores:
            self._stores[bucket] = _bucket_store(bucket, access)
        gdal = _REMOTE | _signing(access)
        path, store = f"/vsis3/{bucket}/{key}", self._stores[bucket]
        return Place(href=href, gdal_path=path, gdal=gdal, store=store, key=key, host=bucket)

    def _on_host(self, href: str) -> Place:
        parts = urlsplit(href)
        base = f"{parts.scheme}://{parts.netloc}"
        if base not in self._stores:
            self._stores[base] = HTTPStore(base, client_options=_client(base), retry_config=_RETRY)
        store = None if parts.query else self._stores[base]
        key = unquote(parts.path).lstrip("/")
        return Place(href=href, gdal_path=f"/vsicurl/{href}", gdal=_REMOTE, store=store, key=key, host=base)


_RETRY: "RetryConfig" = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=2 * REQUEST_S)}


def _client(url: str | None) -> "ClientConfig":
    return {
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "timeout": timedelta(seconds=REQUEST_S),
        "allow_http": (url or "").startswith("http://"),
    }


def _bucket_store(bucket: str, access: BucketAccess) -> S3Store:
    config: S3Config = {
        "region": access.region,
        "skip_signature": access.mode is AccessMode.ANONYMOUS,
        "request_payer": access.mode is AccessMode.REQUESTER_PAYS,
    }
    if access.endpoint is not None:
        config["endpoint"] = access.endpoint
    return S3Store(
        bucket,
        config=config,
        client_options=_client(access.endpoint),
        retry_config=_RETRY,
    )


def _signing(access: BucketAccess) -> dict[str, str]:
    options = {
        "AWS_REGION": access.region,
        "AWS_NO_SIGN_REQUEST": "YES" if access.mode is AccessMode.ANONYMOUS else "NO",
    }
    if access.mode is AccessMode.REQUESTER_PAYS:
        options["AWS_REQUEST_PAYER"] = "requester"
    if access.endpoint is not None:
        endpoint = urlsplit(access.endpoint)
        options["AWS_S3_ENDPOINT"] = endpoint.netloc
        options["AWS_HTTPS"] = "YES" if endpoint.scheme == "https" else "NO"
        options["AWS_VIRTUAL_HOSTING"] = "FALSE"
    return options
