"""How a source may be reached: the one spelling of an href, and what a bucket asks of its readers."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

_S3_HOST = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.s3(?:[.-][a-z]{2,}(?:-[a-z]+)+-\d+)?\.amazonaws\.com"
)


class AccessMode(StrEnum):
    """Who pays and who signs."""

    ANONYMOUS = "anonymous"
    SIGNED = "signed"
    REQUESTER_PAYS = "requester-pays"


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketAccess:
    """How to read one S3 bucket; `endpoint` is the URL of a stand-in for AWS, None for AWS itself."""

    region: str
    mode: AccessMode = AccessMode.SIGNED
    endpoint: str | None = None


def bucket_of_host(host: str) -> str | None:
    """The bucket of a host like `bucket.s3.region.amazonaws.com`; None for any other host."""
    found = _S3_HOST.fullmatch(host.lower())
    return None if found is None else found["bucket"]


def public_href(href: str) -> str:
    """The href as replies and logs may show it: without a user, a password, and a query, whose values may be secrets.

    A key in a bucket has none of them.
    """
    scheme, separator, rest = href.partition("://")
    if not separator or scheme == "s3":
        return href
    host, slash, path = re.split("[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def canonical_href(href: str, buckets: Collection[str] = ()) -> str:
    """One spelling per file, so that hrefs can be compared and allowed.

    The https forms of a bucket in `buckets` become `s3://bucket/key`, an absolute path becomes `file:///path`, scheme
    and host become lower case. Anything else, a relative path or a signed URL included, is returned as it is.
    """
    if href.startswith("/"):
        return PurePosixPath(href).as_uri()
    parts = urlsplit(href)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return PurePosixPath(unquote(parts.path)).as_uri()
    if parts.scheme == "s3":
        return f"s3://{href.split('://', 1)[1]}"
    if parts.scheme not in ("http", "https"):
        return href
    host = _S3_HOST.fullmatch(parts.netloc.lower())
    if host and host["bucket"] in buckets and not parts.query:
        return f"s3://{host['bucket']}{unquote(parts.path)}"
    return urlunsplit(parts._replace(netloc=parts.netloc.lower()))
