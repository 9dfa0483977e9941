"""Heads of mosaics: one numbered record per publication or deletion, of which the highest counts.

Records are never replaced or removed: creating number n + 1 is the compare-and-swap, and it fails for all but one.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from quadmosaic.domain.errors import Broken, Conflict
from quadmosaic.storage import locations
from quadmosaic.storage.bucket import Bucket
from quadmosaic.storage.codec import decode, encode
from quadmosaic.storage.flights import Flights
from quadmosaic.storage.records import HeadRecord

_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The state of a name: `version` is None before the first publication and after a deletion.

    `sequence` numbers the records, 0 for none; `life` is the sequence of the last deletion, or 0.
    """

    name: str
    sequence: int = 0
    version: int | None = None
    life: int = 0


class Heads:
    """Reads heads, remembering each for `ttl_s` seconds of `clock`, and moves them."""

    def __init__(self, bucket: Bucket, *, ttl_s: float, clock: Callable[[], float], token: Callable[[], str]) -> None:
        self._bucket = bucket
        self._ttl_s = ttl_s
        self._clock = clock
        self._token = token
        self._known: OrderedDict[str, tuple[Head, float]] = OrderedDict()
        self._flights: Flights[Head] = Flights()

    async def current(self, name: str) -> Head:
        """The head as of at most `ttl_s` seconds ago; that a name has none is never remembered."""
        known = self._known.get(name)
        if known is not None and known[0].version is not None and self._clock() - known[1] < self._ttl_s:
            return known[0]
        if self._ttl_s <= 0:
            # A read under way may be older than this call.
            return await self.latest(name)
        return await self._flights.join(name, lambda: self.latest(name))

    async def latest(self, name: str) -> Head:
        """The head as it is now."""
        started = self._clock()
        known = self._known.get(name)
        head = known[0] if known is not None else Head(name=name)
        # One read that finds nothing is cheaper than a listing, and mostly all there is to do.
        if head.sequence == 0 or await self._bucket.get(locations.head(name, head.sequence + 1)) is not None:
            head = await self._search(head)
        return self._remember(head, started)

    async def advance(self, head: Head, version: int | None) -> Head:
        """Publish `version`, or delete with None, if `head` still is the latest. Raises Conflict."""
        sequence = head.sequence + 1
        path = locations.head(head.name, sequence)
        record = HeadRecord(version=version, life=sequence if version is None else head.life, token=self._token())
        started = self._clock()
        if not await self._bucket.claim(path, encode(record, field="version")):
            raise Conflict(f"the head of {head.name!r} was moved by someone else: look at it again")
        return self._remember(_head(head.name, sequence, record), started)

    async def _search(self, head: Head) -> Head:
        after = locations.head(head.name, head.sequence) if head.sequence else None
        paths = self._bucket.paths(locations.heads(head.name), after=after)
        last = max([locations.last_number(path) async for path in paths], default=0)
        if last == 0:
            return head
        path = locations.head(head.name, last)
        body = await self._bucket.get(path)
        if body is None:
            raise Broken(f"{path} vanished from the store")
        return _head(head.name, last, decode(body, HeadRecord, path=path))

    def _remember(self, head: Head, checked: float) -> Head:
        known = self._known.pop(head.name, None)
        if known is not None and known[0].sequence > head.sequence:
            head, checked = known
        if head.sequence:
            self._known[head.name] = (head, checked)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return head


def _head(name: str, sequence: int, record: HeadRecord) -> Head:
    return Head(name=name, sequence=sequence, version=record.version, life=record.life)
