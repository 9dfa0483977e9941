"""The sweep of one mosaic: versions are given up by moving the head, and only then collected.

Safe against writers without any clock: whoever publishes moves the same head, so a version that was given up can never
be published, and neither can one that shares the parts of such a version. Times decide only whom to spare.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from quadmosaic.domain.errors import Conflict
from quadmosaic.storage import locations
from quadmosaic.storage.bucket import Bucket
from quadmosaic.storage.codec import decode
from quadmosaic.storage.heads import Head, Heads
from quadmosaic.storage.records import WritingRecord
from quadmosaic.storage.retention import Rule, Stock, kept, next_head
from quadmosaic.storage.versions import StoredVersion, Versions
from quadmosaic.storage.waves import in_waves

_WIDTH = 8
_ATTEMPTS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Swept:
    """What a sweep of one mosaic removed: published versions, unpublished ones, and how many objects in all."""

    published: tuple[int, ...] = ()
    unpublished: tuple[int, ...] = ()
    objects: int = 0


@dataclass(frozen=True, kw_only=True)
class Sweeper:
    """Collects what no version that is kept needs."""

    bucket: Bucket
    heads: Heads
    versions: Versions

    async def sweep(self, name: str, rule: Rule) -> Swept:
        """Give up versions by the rule and remove them, and what earlier sweeps, writers and deletions left."""
        for _ in range(_ATTEMPTS):
            stock = await self._stock(await self.heads.latest(name), rule)
            head = next_head(stock, kept(stock, rule))
            if head is None:
                return await self._collect(stock, stock.head, rule)
            try:
                return await self._collect(stock, await self.heads.advance(head), rule)
            except Conflict:
                continue
        raise Conflict(f"the head of {name!r} is moved over and over: sweep it again")

    async def clear_life(self, name: str, life: int) -> int:
        """Remove all that lies in a life; answers how many objects that were."""
        removed = 0
        for folder in locations.contents(name, life):
            removed += await self._remove([entry.path async for entry in self.bucket.entries(folder)])
        return removed

    async def clear_lives(self, head: Head) -> int:
        """Remove the lives before the head's; their marks stay, for a late writer may still be at work in one."""
        lives = await self._ended(head)
        return sum([await self.clear_life(head.name, life) for life in lives])

    async def _forget_lives(self, head: Head, rule: Rule) -> int:
        """Remove the marks of lives that ended long ago."""
        lives = await self._ended(head)
        if not lives:
            return 0
        ended = (await self._times(locations.heads(head.name))).get(head.life, 0.0)
        marks = [locations.begun_mark(head.name, life) for life in lives]
        return await self._remove(marks) if ended < rule.alive_since else 0

    async def _ended(self, head: Head) -> list[int]:
        paths = [entry.path async for entry in self.bucket.entries(locations.begun(head.name))]
        return [life for life in map(locations.last_number, paths) if life < head.life]

    async def _stock(self, head: Head, rule: Rule) -> Stock:
        name, life = head.name, head.life
        records = await self._times(locations.versions(name, life))
        writing = await self._times(locations.writing(name, life))
        marks = await self._times(locations.published(name, life))
        published = frozenset(marks) | ({head.version} if head.version is not None else frozenset())
        unpublished = sorted(number for number in records if number not in published and not head.swept(number))
        shared = {number: await self._base(head, number) for number in (*writing, *unpublished)}
        return Stock(
            head=head,
            published=published,
            served=await self.heads.served(name, since=min(rule.young_since, rule.alive_since)),
            records=records,
            writing=writing,
            taken=await self._times(locations.numbers(name), after=locations.number(name, max(head.floor - 1, 0))),
            bases={number: base for number, base in shared.items() if base is not None},
        )

    async def _collect(self, stock: Stock, head: Head, rule: Rule) -> Swept:
        """Remove the versions that the head gave up: their parts, then their marks, and their records last."""
        gone = sorted(number for number in stock.known if head.swept(number))
        removed = 0
        if gone:
            needed = await self._needed(head, (number for number in stock.records if not head.swept(number)))
            paths = {path for number in gone for path in await self._parts(head, number, stock)}
            removed += await self._remove(sorted(paths - needed))
            removed += await self._remove(sorted(self._marks(stock, head, gone)))
            removed += await self._remove(
                [locations.version(head.name, head.life, n) for n in gone if n in stock.records]
            )
        # A record whose writer died before it took its mark away.
        done = [n for n, began in stock.writing.items() if n in stock.records and began < rule.alive_since]
        removed += await self._remove([locations.writing_mark(head.name, head.life, n) for n in done if n not in gone])
        removed += await self.clear_lives(head)
        removed += await self._forget_lives(head, rule)
        return Swept(
            published=tuple(n for n in gone if n in stock.published),
            unpublished=tuple(n for n in gone if n not in stock.published),
            objects=removed,
        )

    async def _needed(self, head: Head, numbers: Iterable[int]) -> set[str]:
        stored = await in_waves(lambda number: self._read(head, number), numbers, width=_WIDTH)
        return {path for version in stored if version is not None for path in version.paths()}

    async def _parts(self, head: Head, number: int, stock: Stock) -> set[str]:
        """Where the version's parts lie, those it shares included; of one without a record, those it wrote."""
        version = await self._read(head, number) if number in stock.records else None
        found = set[str]() if version is None else version.paths()
        if number in stock.writing or version is None:
            own = self.bucket.entries(locations.parts_of(head.name, head.life, number))
            found |= {entry.path async for entry in own}
        return found

    def _marks(self, stock: Stock, head: Head, gone: Iterable[int]) -> Iterable[str]:
        for number in gone:
            if number in stock.published:
                yield locations.was_published(head.name, head.life, number)
            if number in stock.writing:
                yield locations.writing_mark(head.name, head.life, number)

    async def _base(self, head: Head, number: int) -> int | None:
        path = locations.writing_mark(head.name, head.life, number)
        body = await self.bucket.get(path)
        if body is not None:
            return decode(body, WritingRecord, path=path).base
        stored = await self._read(head, number)
        return None if stored is None else stored.base

    async def _read(self, head: Head, number: int) -> StoredVersion | None:
        return await self.versions.read(head.name, head.life, number)

    async def _times(self, folder: str, *, after: str | None = None) -> dict[int, float]:
        entries = self.bucket.entries(folder, after=after)
        times = {locations.last_number(entry.path): entry.modified async for entry in entries}
        times.pop(0, None)
        return times

    async def _remove(self, paths: list[str]) -> int:
        await self.bucket.remove(paths)
        return len(paths)
