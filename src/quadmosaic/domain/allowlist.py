"""The allow-list: on which hosts, in which buckets and folders, granules, catalogs and documents may live."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from quadmosaic.domain.access import bucket_of_host
from quadmosaic.domain.errors import Invalid

FIELD = "ALLOWED_HOSTS"
_UNSAFE = re.compile(r"[\x00-\x20\\\x7f]")
_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, kw_only=True, slots=True)
class AllowList:
    """`hosts` are (host, port) with the port None for that of the scheme and "*" for any; folders end in a slash.

    `is_open` lets everything in that can be read, for commands that their user runs on files of their own.
    """

    hosts: tuple[tuple[str, str | None], ...] = ()
    buckets: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    is_open: bool = False

    def refusal(self, href: str) -> str | None:
        """Why the href is not allowed, fit for the client; None where it is. A file's path must be a real one."""
        if self.is_open:
            return None
        if _UNSAFE.search(href):
            return "contains white space, a backslash or a control character"
        try:
            parts = urlsplit(href)
            port = parts.port
        except ValueError:
            return "is no address"
        match parts.scheme:
            case "s3":
                is_allowed = self._has_bucket(parts.netloc, parts.path)
            case "http" | "https":
                return self._http_refusal(parts, port)
            case "file" if parts.netloc in ("", "localhost"):
                is_allowed = self._has_folder(unquote(parts.path))
            case "" if href.startswith("/"):
                is_allowed = self._has_folder(href)
            case "":
                return "must be an address: s3://, https:// or, where that is allowed, file:///"
            case scheme:
                return f"cannot be read: {scheme} is none of s3, https, http and file"
        return None if is_allowed else f"is not among the allowed hosts, buckets and folders ({FIELD})"

    def _http_refusal(self, parts: SplitResult, port: int | None) -> str | None:
        if parts.username is not None or parts.password is not None:
            return "must not contain a user name or a password"
        host = (parts.hostname or "").rstrip(".")
        bucket = bucket_of_host(host)
        if bucket is not None and port in (None, _PORTS[parts.scheme]) and self._has_bucket(bucket, parts.path):
            return None
        effective = port or _PORTS[parts.scheme]
        if any(_host_matches(host, known) and _port_matches(effective, parts.scheme, p) for known, p in self.hosts):
            return None
        return f"{host or 'it'} is not among the allowed hosts ({FIELD})"

    def _has_bucket(self, bucket: str, path: str) -> bool:
        return bool(self.buckets) and f"{bucket}{path or '/'}".startswith(self.buckets) and ".." not in path.split("/")

    def _has_folder(self, path: str) -> bool:
        return bool(self.folders) and path.startswith(self.folders) and ".." not in path.split("/")


def parse_allow_list(entries: Sequence[str]) -> AllowList:
    """`host`, `host:port`, `host:*`, `*.host`, `s3://bucket[/prefix]`, `file:///folder`. Raises Invalid."""
    hosts: list[tuple[str, str | None]] = []
    buckets: list[str] = []
    folders: list[str] = []
    for entry in entries:
        if entry.startswith("s3://") and len(entry) > len("s3://"):
            buckets.append(f"{entry.removeprefix('s3://').rstrip('/')}/")
        elif entry.startswith("file:///"):
            folders.append(f"{unquote(urlsplit(entry).path).rstrip('/')}/")
        else:
            hosts.append(_host_entry(entry.lower()))
    return AllowList(hosts=tuple(hosts), buckets=tuple(buckets), folders=tuple(folders))


def is_public(address: str) -> bool:
    """Is the IP address one of the open internet, and not of this machine, its network or its cloud?"""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is not None:
            return is_public(str(inner))
        if ip.sixtofour is not None or ip.teredo is not None:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _host_entry(entry: str) -> tuple[str, str | None]:
    host, colon, port = entry.rpartition(":") if re.search(r":(\d+|\*)$", entry) else (entry, "", "")
    if not _HOST.fullmatch(host):
        raise Invalid(f"{entry!r} is no host, s3://bucket or file:///folder", field=FIELD)
    return host.strip("[]"), port if colon else None


def _host_matches(host: str, known: str) -> bool:
    return host.endswith(known[1:]) and host != known[2:] if known.startswith("*.") else host == known


def _port_matches(port: int, scheme: str, known: str | None) -> bool:
    return port == _PORTS[scheme] if known is None else known in ("*", str(port))
