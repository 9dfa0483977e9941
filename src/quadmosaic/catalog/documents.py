"""Files of a source, from hosts, buckets and folders: MosaicJSON documents are read whole, tables are opened."""

import asyncio
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from quadmosaic.catalog.object_file import ObjectFile
from quadmosaic.catalog.stac_http import Refused, Session, StacHttp
from quadmosaic.domain.access import AccessMode, BucketAccess, canonical_href, public_href
from quadmosaic.domain.errors import Invalid, TooLarge, Unavailable

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

log = logging.getLogger(__name__)

FIELD = "source.href"
_TIMEOUT, _CONNECT_TIMEOUT = timedelta(seconds=30), timedelta(seconds=5)
_RETRIES, _RETRY_TIMEOUT = 3, timedelta(seconds=40)


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """Reads files; `http.permit` is asked about every address first.

    `any_bucket` lets buckets that are not among `buckets` be read, with the environment's own region and credentials.
    """

    http: StacHttp
    buckets: Mapping[str, BucketAccess]
    any_bucket: bool = False

    async def read(self, href: str, *, max_bytes: int) -> bytes:
        """The content. Raises Unavailable, TooLarge, or Invalid (field "source.href")."""
        place = await self._permitted(href)
        match place.scheme:
            case "http" | "https":
                return await asyncio.to_thread(self._from_host, place.geturl(), None, max_bytes)
            case "s3":
                return await self._from_bucket(place, max_bytes)
            case _:
                return await asyncio.to_thread(_from_folder, _path(place), max_bytes)

    async def opened(self, href: str, *, max_bytes: int) -> IO[bytes]:
        """A file to seek and read in: of a bucket by ranges, from a host once it is all on disk. Raises as `read`."""
        place = await self._permitted(href)
        match place.scheme:
            case "http" | "https":
                file = tempfile.TemporaryFile(prefix="quadmosaic-")  # noqa: SIM115 - whoever asked closes it
                await asyncio.to_thread(self._from_host, place.geturl(), file, max_bytes)
                return file
            case "s3":
                return await self._in_bucket(place, max_bytes)
            case _:
                return await asyncio.to_thread(_in_folder, _path(place), max_bytes)

    async def _permitted(self, href: str) -> SplitResult:
        canonical = canonical_href(href, self.buckets)
        if self.http.permit is not None:
            await asyncio.to_thread(self.http.permit, canonical)
        found = urlsplit(canonical)
        place = found if found.scheme else SplitResult("", "", canonical, "", "")
        if place.scheme not in ("http", "https", "s3", "file", ""):
            raise Invalid(f"{place.scheme} is none of https, http, s3 and file", field=FIELD)
        return place

    def _from_host(self, href: str, into: IO[bytes] | None, max_bytes: int) -> bytes:
        session = Session(http=self.http)
        try:
            return session.content(href, max_bytes=max_bytes, into=into)
        except Refused as error:
            raise Invalid(f"{public_href(href)} answered with status {error.status}", field=FIELD) from error
        finally:
            session.close()

    async def _from_bucket(self, place: SplitResult, max_bytes: int) -> bytes:
        import obstore

        store, key = self._object(place)
        with _reached(place):
            found = await obstore.get_async(store, key)
            _check_size(found.meta["size"], max_bytes)
            return bytes(await found.bytes_async())

    async def _in_bucket(self, place: SplitResult, max_bytes: int) -> IO[bytes]:
        import obstore

        store, key = self._object(place)
        with _reached(place):
            size = (await obstore.head_async(store, key))["size"]
        _check_size(size, max_bytes)
        return ObjectFile(store, key, size, name=place.geturl()).buffered()

    def _object(self, place: SplitResult) -> tuple["S3Store", str]:
        """Where an object is, and its key."""
        bucket, _, key = place.geturl().removeprefix("s3://").partition("/")
        if not bucket or not key:
            raise Invalid("names no object: write s3://bucket/key", field=FIELD)
        access = self.buckets.get(bucket)
        if access is None and not self.any_bucket:
            raise Invalid(f"the bucket {bucket!r} is not among the known ones (BUCKETS)", field=FIELD)
        return _bucket(bucket, access), key


@contextmanager
def _reached(place: SplitResult) -> Iterator[None]:
    """What obstore raises, as ours."""
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except FileNotFoundError as error:
        raise Invalid(f"{place.geturl()} does not exist", field=FIELD) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise Invalid(f"{place.geturl()} may not be read with these credentials", field=FIELD) from error
    except (BaseError, OSError) as error:
        log.warning("%s: %s", place.geturl(), error)
        raise Unavailable(f"{place.geturl()} is out of reach") from error


def _bucket(name: str, access: BucketAccess | None) -> "S3Store":
    from obstore.store import S3Store

    config: S3Config = {}
    if access is not None:
        config = {
            "region": access.region,
            "skip_signature": access.mode is AccessMode.ANONYMOUS,
            "request_payer": access.mode is AccessMode.REQUESTER_PAYS,
        }
    if access is not None and access.endpoint:
        config["endpoint"] = access.endpoint
    is_plain = access is None or (access.endpoint or "").startswith("http://")
    return S3Store(
        name,
        config=config,
        client_options={"timeout": _TIMEOUT, "connect_timeout": _CONNECT_TIMEOUT, "allow_http": is_plain},
        retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_TIMEOUT},
    )


def _path(place: SplitResult) -> Path:
    return Path(unquote(place.path) if place.scheme else place.path)


def _from_folder(path: Path, max_bytes: int) -> bytes:
    with _in_folder(path, max_bytes) as file:
        return file.read()


def _in_folder(path: Path, max_bytes: int) -> IO[bytes]:
    try:
        _check_size(path.stat().st_size, max_bytes)
        return path.open("rb")
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}", field=FIELD) from error


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise TooLarge(f"the file has {size} bytes, more than {max_bytes}")
