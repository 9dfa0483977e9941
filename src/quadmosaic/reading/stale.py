"""Files that turned out to be others than those that were scanned."""

import logging
from typing import Protocol, runtime_checkable

_log = logging.getLogger(__name__)

_MOST = 4096
"""Files remembered. Of one that is forgotten the index's record is tried again, in vain, by If-Match."""


class Stale:
    """Header records whose files were replaced, by href and the ETag that the record has; the latest ones."""

    def __init__(self, capacity: int = _MOST) -> None:
        self._capacity = capacity
        self._records: dict[tuple[str, str | None], None] = {}

    def __contains__(self, record: tuple[str, str | None]) -> bool:
        return record in self._records

    @property
    def hrefs(self) -> frozenset[str]:
        return frozenset(href for href, _ in self._records)

    def add(self, href: str, etag: str | None) -> None:
        """Note a record, in the log too, where a service that may not write leaves it for those who build."""
        if (href, etag) not in self._records:
            address = href.partition("?")[0]
            _log.warning("replaced since its scan: %s", address, extra={"replaced": address})
        self._records[href, etag] = None
        if len(self._records) > self._capacity:
            del self._records[next(iter(self._records))]


@runtime_checkable
class Noticing(Protocol):
    """A reader that notes which files are no longer those of the records that it is given."""

    @property
    def stale(self) -> Stale: ...
