"""Opening an href: what fetches from the place a file is in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from obstore.store import LocalStore, S3Store

from quadmosaic.domain.access import AccessMode, BucketAccess, canonical_href
from quadmosaic.reading.faults import Unreadable
from quadmosaic.reading.http_address import parse_address
from quadmosaic.reading.http_hosts import RETRIES, HttpFile, HttpHosts
from quadmosaic.reading.http_messages import CONNECT_S, REQUEST_S, Permits

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

type ObjectStore = LocalStore | S3Store

DRIVERS = ("GTiff", "JP2OpenJPEG", "PNG", "JPEG", "WEBP")
"""GDAL's drivers that are let in: formats that hold their own pixels. A VRT could name any other file or host."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a file is: at a `path` of this machine, or in a bucket or on a `host`, which is empty for local files."""

    href: str
    store: ObjectStore | HttpFile
    key: str = ""
    path: Path | None = None
    host: str = ""

    @property
    def is_remote(self) -> bool:
        return self.path is None


class Places:
    """Turns hrefs into places; keeps one store, and so one set of connections, per bucket."""

    def __init__(self, buckets: Mapping[str, BucketAccess], *, permits: Permits | None = None) -> None:
        """`permits` says which IP addresses a host may have."""
        self._buckets = dict(buckets)
        self._stores: dict[str, S3Store] = {}
        self._local = LocalStore("/")
        self._hosts = HttpHosts(permits)

    def find(self, href: str) -> Place:
        """The place of an href. Raises Unreadable for what is no address, or of none of file, s3, http and https."""
        try:
            return self._found(href)
        except ValueError as error:
            raise Unreadable("its href is no address of a file") from error

    def disconnect(self) -> None:
        """Forget the stores and their connections."""
        self._stores.clear()
        self._hosts.disconnect()

    def _found(self, href: str) -> Place:
        canonical = canonical_href(href, self._buckets)
        parts = urlsplit(canonical)
        if parts.scheme == "s3":
            return self._in_bucket(canonical)
        if parts.scheme in ("http", "https"):
            file = HttpFile(hosts=self._hosts, address=parse_address(canonical))
            return Place(href=href, store=file, host=f"{parts.scheme}://{parts.netloc}")
        if parts.scheme == "file" and parts.netloc == "":
            return self._on_disk(href, Path(unquote(parts.path)))
        if parts.scheme == "":
            return self._on_disk(href, Path(canonical))
        raise Unreadable(f"a {parts.scheme!r} href cannot be read; use file, s3, http or https")

    def _on_disk(self, href: str, path: Path) -> Place:
        whole = path.resolve() if ".." in path.parts else path.absolute()
        if whole.parts[1:] and whole.parts[1].startswith("vsi"):
            raise Unreadable("GDAL's virtual paths cannot be read; use file, s3, http or https")
        return Place(href=href, store=self._local, key=_checked_key(str(whole).lstrip("/")), path=whole)

    def _in_bucket(self, href: str) -> Place:
        bucket, _, key = href.removeprefix("s3://").partition("/")
        access = self._buckets.get(bucket)
        if access is None:
            raise Unreadable(f"the bucket {bucket!r} is not among the known ones")
        if bucket not in self._stores:
            self._stores[bucket] = _bucket_store(bucket, access)
        return Place(href=href, store=self._stores[bucket], key=_checked_key(key), host=bucket)


def _checked_key(key: str) -> str:
    """Raises ValueError for a key that obstore or GDAL would stumble over."""
    key.encode()
    if "\0" in key or not {"", ".", ".."}.isdisjoint(key.split("/")):
        raise ValueError("a key with an empty part or a dot for one")
    return key


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
