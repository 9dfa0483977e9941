"""Headers that no index had: scanned once, kept by href, and forgotten when their file turns out to be another."""

from collections.abc import Awaitable, Callable

from quadmosaic.domain.errors import QuadmosaicError
from quadmosaic.domain.flights import Flights
from quadmosaic.domain.granules import Header
from quadmosaic.reading.byte_cache import ByteCache


class HeaderShelf:
    """At most `capacity` bytes of headers; however many ask for one at once, it is scanned once."""

    def __init__(self, scan: Callable[[str], Awaitable[Header]], *, capacity: int) -> None:
        self._scan = scan
        self._kept: ByteCache[str, Header] = ByteCache(capacity=capacity)
        self._flights: Flights[Header | None] = Flights()

    def kept(self, href: str) -> Header | None:
        """The header, if it is here."""
        return self._kept.get(href)

    async def get(self, href: str) -> Header | None:
        """The header, None where the scan fails; one who gives up does not stop it for the others."""
        return self._kept.get(href) or await self._flights.join(href, lambda: self._scanned(href))

    def forget(self, href: str) -> None:
        """Let the next one who asks scan again."""
        self._kept.drop(href)

    async def _scanned(self, href: str) -> Header | None:
        try:
            header = await self._scan(href)
        except QuadmosaicError:
            return None
        self._kept.put(href, header, weight=_weight(header))
        return header


def _weight(header: Header) -> int:
    levels = header.blocks.levels if header.blocks else ()
    tables = sum(len(level.offsets) + len(level.byte_counts) + len(level.jpeg_tables) + 256 for level in levels)
    return 1024 + len(header.crs) + tables + 200 * len(header.palette or ())
