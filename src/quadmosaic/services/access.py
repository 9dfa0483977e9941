"""Access: may an href be fetched? By the allow-list, and by the addresses its host has right now."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from quadmosaic.domain.access import bucket_of_host, public_href
from quadmosaic.domain.allowlist import AllowList, is_public
from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.ports import NO_HEADERS, GranuleReader, Layer, ReadFailure, ReadOptions

type Resolve = Callable[[str], Sequence[str]]
"""IP addresses of a host, as the system's resolver gives them; raises OSError."""

REMEMBERED_S = 60.0
_MOST_HOSTS = 1024


@dataclass(kw_only=True)
class Access:
    """The gate that every href passes before it is fetched; `real_path` follows symbolic links."""

    allow: AllowList
    allow_private: bool
    resolve: Resolve
    real_path: Callable[[str], str]
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, str | None]] = field(default_factory=dict)

    def refusal(self, href: str) -> str | None:
        """Why it must not be fetched; looks the host up, and so may block. Raises Unavailable for no answer."""
        try:
            refused = self.allow.refusal(self._real(href))
        except ValueError:
            return "is no address"
        if refused is not None or self.allow.is_open or self.allow_private:
            return refused
        parts = urlsplit(href)
        if parts.scheme not in ("http", "https") or bucket_of_host(parts.hostname or "") is not None:
            return None
        return self._address_refusal(parts.hostname or "")

    def permit(self, href: str, *, field: str = "href") -> None:
        """Raise Invalid for what must not be fetched."""
        refused = self.refusal(href)
        if refused is not None:
            raise Invalid(f"{public_href(href)[:200]} {refused}", field=field)

    async def check(self, href: str, *, field: str) -> None:
        """`permit` without blocking."""
        await asyncio.to_thread(self.permit, href, field=field)

    def permits_address(self, address: str) -> bool:
        """May a connection to that IP address be used?"""
        return self.allow.is_open or self.allow_private or is_public(address)

    def _real(self, href: str) -> str:
        """A file's path without symbolic links, so that none leads out of an allowed folder."""
        if self.allow.is_open:
            return href
        if href.startswith("/"):
            return self.real_path(href)
        if href.startswith(("file:///", "file://localhost/")):
            return f"file://{quote(self.real_path(unquote(urlsplit(href).path)))}"
        return href

    def _address_refusal(self, host: str) -> str | None:
        now = self.clock()
        known = self._known.get(host)
        if known is None or now - known[0] > REMEMBERED_S:
            try:
                addresses = self.resolve(host)
            except (OSError, UnicodeError) as error:
                raise Unavailable(f"{host} cannot be found: its name does not resolve") from error
            is_safe = bool(addresses) and all(is_public(address) for address in addresses)
            reason = None if is_safe else "lies at a private address, which is not allowed (ALLOW_PRIVATE)"
            while len(self._known) >= _MOST_HOSTS:
                self._known.pop(next(iter(self._known)))
            known = self._known[host] = (now, reason)
        return known[1]


@dataclass(frozen=True, kw_only=True)
class GuardedReader:
    """A reader whose scans pass the gate first; readers follow no redirect to what the gate was not asked about."""

    reader: GranuleReader
    access: Access

    def read(
        self,
        granules: Sequence[Granule],
        geobox: GeoBox,
        options: ReadOptions,
        *,
        headers: Mapping[str, Header] = NO_HEADERS,
    ) -> AsyncGenerator[Layer | ReadFailure, None]:
        """Granules that are in an index passed the gate when they were scanned."""
        return self.reader.read(granules, geobox, options, headers=headers)

    async def scan(self, href: str) -> Header:
        """As the port's; Invalid (field "href") for what must not be fetched."""
        await self.access.check(href, field="href")
        return await self.reader.scan(href)

    async def etag(self, href: str) -> str | None:
        """As the port's."""
        await self.access.check(href, field="href")
        return await self.reader.etag(href)
