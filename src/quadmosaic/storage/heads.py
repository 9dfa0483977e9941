"""Heads of mosaics: one numbered record per publication, deletion or sweep, of which the highest counts.

Records are never replaced or removed: creating number n + 1 is the compare-and-swap, and it fails for all but one.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from quadmosaic.domain.errors import Broken, Conflict
from quadmosaic.domain.flights import Flights
from quadmosaic.storage import locations
from quadmosaic.storage.bucket import Bucket, claim
from quadmosaic.storage.codec import decode, encode
from quadmosaic.storage.records import HeadRecord
from quadmosaic.storage.waves import in_waves

_REMEMBERED = 10_000
_WIDTH = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The state of a name: `version` is None before the first publication and after a deletion.

    `sequence` numbers the records, 0 for none; `life` is the sequence of the last deletion, or 0. Versions below
    `floor` are swept, but for those in `kept`.
    """

    name: str
    sequence: int = 0
    version: int | None = None
    life: int = 0
    floor: int = 0
    kept: frozenset[int] = frozenset()

    def swept(self, number: int) -> bool:
        """Is that version gone for good, its remains to be collected by whoever comes first?"""
        return number < self.floor and number not in self.kept

    def publishing(self, number: int) -> "Head":
        """The next head, if that version is published."""
        return replace(self, sequence=self.sequence + 1, version=number)

    def ending(self) -> "Head":
        """The next head, if the mosaic is deleted."""
        return Head(name=self.name, sequence=self.sequence + 1, life=self.sequence + 1)

    def sweeping(self, *, floor: int, kept: frozenset[int]) -> "Head":
        """The next head, if all versions below the floor but those kept are swept."""
        return replace(self, sequence=self.sequence + 1, floor=floor, kept=kept)


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

    def forget(self) -> None:
        """Read every head anew."""
        self._known.clear()

    async def latest(self, name: str) -> Head:
        """The head as it is now."""
        started = self._clock()
        known = self._known.get(name)
        head = known[0] if known is not None else Head(name=name)
        # One read that finds nothing is cheaper than a listing, and mostly all there is to do.
        if head.sequence == 0 or await self._bucket.get(locations.head(name, head.sequence + 1)) is not None:
            head = await self._search(head)
        return self._remember(head, started)

    async def advance(self, head: Head) -> Head:
        """Make this the head, if the one it follows still is the latest. Raises Conflict."""
        path = locations.head(head.name, head.sequence)
        record = HeadRecord(
            version=head.version, life=head.life, token=self._token(), floor=head.floor, kept=sorted(head.kept)
        )
        started = self._clock()
        if not await claim(self._bucket, path, encode(record, field="version")):
            raise Conflict(f"the head of {head.name!r} was moved by someone else: look at it again")
        return self._remember(head, started)

    async def served(self, name: str, *, since: float) -> frozenset[int]:
        """Numbers of the versions that were the head at any moment since, in seconds since the epoch."""
        entries = [entry async for entry in self._bucket.entries(locations.heads(name))]
        ours = sorted(
            (locations.last_number(entry.path), entry) for entry in entries if locations.last_number(entry.path)
        )
        recent = [number for number, entry in ours if entry.modified >= since]
        # The one before the first recent record was the head until then.
        before = [number for number, entry in ours if entry.modified < since][-1:]
        heads = await in_waves(lambda number: self._read(name, number), (*before, *recent), width=_WIDTH)
        return frozenset(head.version for head in heads if head.version is not None)

    async def _read(self, name: str, sequence: int) -> Head:
        path = locations.head(name, sequence)
        body = await self._bucket.get(path)
        if body is None:
            raise Broken(f"{path} vanished from the store")
        return _head(name, sequence, body, path)

    async def _search(self, head: Head) -> Head:
        after = locations.head(head.name, head.sequence) if head.sequence else None
        last = await self._bucket.last(locations.heads(head.name), after=after)
        if last is None:
            return head
        path, body = last
        return _head(head.name, locations.last_number(path), body, path)

    def _remember(self, head: Head, checked: float) -> Head:
        known = self._known.pop(head.name, None)
        if known is not None and known[0].sequence > head.sequence:
            head, checked = known
        if head.sequence:
            self._known[head.name] = (head, checked)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return head


def _head(name: str, sequence: int, body: bytes, path: str) -> Head:
    record = decode(body, HeadRecord, path=path)
    return Head(
        name=name,
        sequence=sequence,
        version=record.version,
        life=record.life,
        floor=record.floor,
        kept=frozenset(record.kept),
    )
