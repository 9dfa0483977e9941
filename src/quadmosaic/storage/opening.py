"""From a store's URL to its bucket: a folder, memory, S3, or a DynamoDB table with its documents in S3."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from quadmosaic.domain.errors import Invalid
from quadmosaic.storage.bucket import Bucket
from quadmosaic.storage.dynamodb import TableBucket
from quadmosaic.storage.dynamodb_client import Table
from quadmosaic.storage.object_bucket import ObjectBucket

KNOWN = "a folder, file:///path/to/folder, memory://, s3://bucket/prefix or dynamodb://region/table?documents=s3://..."

_TIMEOUT = timedelta(seconds=15)
_CONNECT_TIMEOUT = timedelta(seconds=3)
_RETRIES = 4
_RETRY_TIMEOUT = timedelta(seconds=20)
_FIRST_BACKOFF, _MAX_BACKOFF = timedelta(milliseconds=50), timedelta(seconds=2)


def open_bucket(url: str) -> Bucket:
    """The bucket at a URL or path; nothing is contacted yet. Raises Invalid for field "store"."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _folder(url, url)
    if scheme == "memory" and not rest:
        return in_memory()
    if scheme == "file":
        return _folder(_file_path(url), url)
    if scheme == "s3":
        return _s3(url)
    if scheme == "dynamodb":
        return _dynamodb(url)
    raise Invalid(f"cannot open {url!r}; use {KNOWN}", field="store")


def in_memory() -> ObjectBucket:
    """An empty bucket that lives as long as this process."""
    store = MemoryStore()
    return ObjectBucket(lambda _: store)


def _file_path(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc or parts.query or parts.fragment:
        raise Invalid(
            f"{url!r} is no folder; write file:///path/to/folder, with %23 for # and %3F for ?", field="store"
        )
    return unquote(parts.path)


def _folder(text: str, url: str) -> ObjectBucket:
    if not text:
        raise Invalid(f"{url!r} names no folder", field="store")
    path = Path(text).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise Invalid(f"{url!r} is a file; the store needs a folder", field="store")

    def opening(create: bool) -> ObjectStore | None:
        return LocalStore(path, mkdir=True) if create or path.is_dir() else None

    return ObjectBucket(opening, folder=path)


def _s3(url: str) -> ObjectBucket:
    """Region, endpoint and credentials are the AWS SDKs' own environment variables, which obstore reads."""
    parts = urlsplit(url)
    if not parts.netloc or parts.query or parts.fragment:
        raise Invalid(f"{url!r} is no bucket; write s3://bucket/prefix", field="store")

    def opening(create: bool) -> ObjectStore:  # noqa: ARG001
        return S3Store(
            parts.netloc,
            prefix=unquote(parts.path).strip("/") or None,
            client_options={"timeout": _TIMEOUT, "connect_timeout": _CONNECT_TIMEOUT, "allow_http": True},
            retry_config={
                "max_retries": _RETRIES,
                "retry_timeout": _RETRY_TIMEOUT,
                "backoff": {"init_backoff": _FIRST_BACKOFF, "max_backoff": _MAX_BACKOFF, "base": 2},
            },
        )

    return ObjectBucket(opening)


def _dynamodb(url: str) -> TableBucket:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    table = parts.path.strip("/")
    documents = query.pop("documents", [""])[-1]
    if not parts.netloc or not table or "/" in table or query or parts.fragment:
        raise Invalid(f"{url!r} is no table; write dynamodb://region/table?documents=s3://bucket/prefix", field="store")
    if not documents or documents.startswith("dynamodb://"):
        raise Invalid(f"{url!r} does not say where large objects go; add ?documents=s3://bucket/prefix", field="store")
    return TableBucket(Table(region=parts.netloc, name=table), documents=open_bucket(documents))
