"""Files of a source that are read whole: MosaicJSON documents and tables, from hosts, buckets and folders."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

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
    """Reads whole files; `http.permit` is asked about every address first.

    `any_bucket` lets buckets that are not among `buckets` be read, with the environment's own region and credentials.
    """

    http: StacHttp
    buckets: Mapping[str, BucketAccess]
    any_bucket: bool = False

    async def read(self, href: str, *, max_bytes: int) -> bytes:
        """The content. Raises Unavailable, TooLarge, or Invalid (field "source.href")."""
        canonical = canonical_href(href, self.buckets)
        if self.http.permit is not None:
            await asyncio.to_thread(self.http.permit, canonical)
        parts = urlsplit(canonical)
        match parts.scheme:
            case "http" | "https":
                return await asyncio.to_thread(self._from_host, canonical, max_bytes)
            case "s3":
                bucket, _, key = canonical.removeprefix("s3://").partition("/")
                return await self._from_bucket(bucket, key, max_bytes)
            case "file" | "":
                path = Path(unquote(parts.path) if parts.scheme else canonical)
                return await asyncio.to_thread(_from_folder, path, max_bytes)
            case scheme:
                raise Invalid(f"{scheme} is none of https, http, s3 and file", field=FIELD)

    def _from_host(self, href: str, max_bytes: int) -> bytes:
        session = Session(http=self.http)
        try:
            return session.content(href, max_bytes=max_bytes)
        except Refused as error:
            raise Invalid(f"{public_href(href)} answered with status {error.status}", field=FIELD) from error
        finally:
            session.close()

    async def _from_bucket(self, bucket: str, key: str, max_bytes: int) -> bytes:
        import obstore
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        if not bucket or not key:
            raise Invalid("names no object: write s3://bucket/key", field=FIELD)
        access = self.buckets.get(bucket)
        if access is None and not self.any_bucket:
            raise Invalid(f"the bucket {bucket!r} is not among the known ones (BUCKETS)", field=FIELD)
        try:
            found = await obstore.get_async(_bucket(bucket, access), key)
            _check_size(found.meta["size"], max_bytes)
            return bytes(await found.bytes_async())
        except FileNotFoundError as error:
            raise Invalid(f"s3://{bucket}/{key} does not exist", field=FIELD) from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise Invalid(f"s3://{bucket}/{key} may not be read with these credentials", field=FIELD) from error
        except (BaseError, OSError) as error:
            log.warning("s3://%s/%s: %s", bucket, key, error)
            raise Unavailable(f"s3://{bucket}/{key} is out of reach") from error


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


def _from_folder(path: Path, max_bytes: int) -> bytes:
    try:
        _check_size(path.stat().st_size, max_bytes)
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}", field=FIELD) from error


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise TooLarge(f"the file has {size} bytes, more than {max_bytes}")
