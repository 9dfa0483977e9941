"""Jobs: registrations and builds as records in the ledger, each change the work of one writer."""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import batched
from typing import cast

import msgspec

from quadmosaic.domain.builds import Build, Status
from quadmosaic.domain.errors import Broken, Conflict, Invalid, NotFound
from quadmosaic.domain.granules import Header, JsonObject
from quadmosaic.domain.registrations import Registration, parse_registration, registration_document
from quadmosaic.ports import Entry, Ledger, Page
from quadmosaic.services.chunks import CrawlChunk, ScanChunk, packed, unpacked

_ATTEMPTS = 50
_READ_AHEAD = 8
_SKIPPED_AT_ONCE = 100
_RECENT = 20
_NAMES = "names"
KEEP_BUILDS = 50
"""Builds of a mosaic that are remembered once they are over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """A registration and which one of its name it is."""

    registration: Registration
    revision: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """A build and the number of its record."""

    build: Build
    record: int


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """Reads and writes the records; whoever did not see the latest one gets Conflict."""

    ledger: Ledger
    keep_builds: int = KEEP_BUILDS

    async def registered(self, name: str) -> Registered | None:
        """The latest registration, None where there is none or it was deleted."""
        last = await self.ledger.last(f"registrations/{name}")
        return None if last is None or last.body == b"" else _registered(last)

    async def revision(self, name: str) -> int:
        """The number of the latest registration or deletion, 0 where the name was never used."""
        last = await self.ledger.last(f"registrations/{name}")
        return 0 if last is None else last.number

    async def is_latest(self, name: str, revision: int) -> bool:
        """Is that the number of the latest registration or deletion? Costs one read of what mostly is not there."""
        return await self.ledger.entry(f"registrations/{name}", revision + 1) is None

    async def registration_at(self, name: str, revision: int) -> Registration:
        """What a build is to build. Raises NotFound where it was deleted."""
        body = await self.ledger.entry(f"registrations/{name}", revision)
        if not body:
            raise NotFound(f"{name} is no longer registered")
        return _registered(Entry(revision, body)).registration

    async def register(self, registration: Registration, *, after: int) -> Registered:
        """Make it the latest registration of its name. Raises Conflict when it is not the `after`-th any more."""
        body = json.dumps(registration_document(registration)).encode()
        revision = await self.ledger.append(f"registrations/{registration.name}", body, after=after)
        if after == 0:
            await self._list(_NAMES, registration.name)
        return Registered(registration=registration, revision=revision)

    async def forget(self, name: str, *, after: int) -> None:
        """Delete the registration, which leaves its revisions' numbers taken."""
        await self.ledger.append(f"registrations/{name}", b"", after=after)

    async def names(self, *, after: int = 0) -> list[str]:
        """Every name in the order in which they were registered first, but for the first `after`; deleted ones too."""
        if after and await self.ledger.entry(_NAMES, after + 1) is None:
            return []
        last = await self.ledger.last(_NAMES)
        return [body.decode() async for body in self._bodies(_NAMES, after=after, last=last)]

    async def begin(self, build: Build) -> Saved:
        """Record a new build, or find the one of that id that exists already."""
        try:
            record = await self.ledger.append(_build(build), msgspec.json.encode(build), after=0)
        except Conflict:
            return await self.build(build.name, build.id)
        await self._list(f"builds/{build.name}", build.id)
        return Saved(build=build, record=record)

    async def build(self, name: str, build_id: str) -> Saved:
        """The latest record of a build. Raises NotFound."""
        last = await self.ledger.last(f"build/{name}/{build_id}")
        if last is None:
            raise NotFound(f"{name} has no build {build_id!r}")
        try:
            return Saved(build=msgspec.json.decode(last.body, type=Build), record=last.number)
        except msgspec.DecodeError as error:
            raise Broken(f"the record of build {build_id!r} in the store is damaged") from error

    async def save(self, saved: Saved, build: Build) -> Saved:
        """Replace a build's record. Raises Conflict when someone else did."""
        record = await self.ledger.append(_build(build), msgspec.json.encode(build), after=saved.record)
        return Saved(build=build, record=record)

    async def builds(self, name: str, *, after: str | None = None, limit: int = 100) -> Page[Build]:
        """Builds, newest first; `after` is a number from the page before. Raises Invalid (field "after")."""
        if after is not None and not (after.isascii() and after.isdecimal()):
            raise Invalid(f"{after!r} is no number of a build", field="after")
        last = await self.ledger.last(f"builds/{name}")
        newest = 0 if last is None else last.number
        if after is not None:
            newest = min(newest, int(after) - 1)
        numbers = range(newest, max(newest - limit, 0), -1)
        ids = await asyncio.gather(*(self.ledger.entry(f"builds/{name}", number) for number in numbers))
        known = [build_id.decode() for build_id in ids if build_id is not None]
        saved = [each for each in await asyncio.gather(*(self.build_if_any(name, i) for i in known)) if each]
        # Where a whole page is gone, what lies below was forgotten.
        following = str(numbers[-1]) if known and numbers[-1] > 1 else None
        return Page(items=tuple(each.build for each in saved), next=following)

    async def build_if_any(self, name: str, build_id: str) -> Saved | None:
        """The latest record of a build, None where there is none."""
        try:
            return await self.build(name, build_id)
        except NotFound:
            return None

    async def add_chunk(self, build: Build, step: str, chunk: CrawlChunk | ScanChunk, *, after: int) -> int:
        """Append a chunk. Raises Conflict when another worker did."""
        raw = await asyncio.to_thread(packed, chunk)
        return await self.ledger.append(f"{step}/{build.name}/{build.id}", raw, after=after)

    async def chunks[T: (CrawlChunk, ScanChunk)](self, build: Build, step: str, kind: type[T]) -> AsyncGenerator[T]:
        """The chunks of a step, in order."""
        stream = f"{step}/{build.name}/{build.id}"
        async for body in self._bodies(stream, after=0, last=await self.ledger.last(stream)):
            yield await asyncio.to_thread(unpacked, body, kind)

    async def remember_skipped(self, build: Build, headers: Mapping[str, Header]) -> None:
        """Keep the records, by href, of files that the mosaic does not take; those of one build are kept once."""
        stream = f"skipped/{build.name}/{build.id}"
        if await self.ledger.last(stream) is not None:
            return
        for number, some in enumerate(batched(headers.items(), _SKIPPED_AT_ONCE, strict=False)):
            await self.ledger.append(stream, msgspec.msgpack.encode(dict(some)), after=number)

    async def skipped(self, build: Build) -> dict[str, Header]:
        """What the last build before this one that came to its end has kept."""
        found: dict[str, Header] = {}
        recent = (await self.builds(build.name, limit=_RECENT)).items
        ended = (each for each in recent if each.id != build.id and each.status in (Status.SUCCEEDED, Status.UNCHANGED))
        before = next(ended, None)
        if before is not None:
            stream = f"skipped/{before.name}/{before.id}"
            async for body in self._bodies(stream, after=0, last=await self.ledger.last(stream)):
                found |= msgspec.msgpack.decode(body, type=dict[str, Header])
        return found

    async def drop_chunks(self, build: Build) -> None:
        """Remove what a build that is over needs no more."""
        for step in ("crawl", "scan"):
            await self.ledger.remove(f"{step}/{build.name}/{build.id}")

    async def tidy(self, build: Build) -> None:
        """Remove what nobody needs once a build is over: its chunks, and builds beyond the last `keep_builds`.

        One that is not over yet stays, and whatever is younger. Of a mosaic that was deleted nothing stays.
        """
        if await self._outlived(build):
            return await self._forget(build)
        await self.drop_chunks(build)
        stream = f"builds/{build.name}"
        last = await self.ledger.last(stream)
        number = 0 if last is None else last.number - self.keep_builds
        old: list[str] = []
        while number > 0 and (named := await self.ledger.entry(stream, number)) is not None:
            old.append(named.decode())
            number -= 1
        for build_id in reversed(old):
            saved = await self.build_if_any(build.name, build_id)
            if saved is not None and not saved.build.status.is_over:
                break
            if saved is not None:
                await self._forget(saved.build)
            number += 1
        if old:
            await self.ledger.trim(stream, below=number + 1)
        return None

    async def _outlived(self, build: Build) -> bool:
        """Was the mosaic deleted since the build was begun?"""
        numbers = range(build.revision + 1, await self.revision(build.name) + 1)
        return b"" in [await self.ledger.entry(f"registrations/{build.name}", number) for number in numbers]

    async def forget_builds(self, name: str) -> None:
        """Remove the records of a mosaic's builds."""
        after: str | None = None
        while True:
            page = await self.builds(name, after=after)
            for build in page.items:
                await self._forget(build)
            after = page.next
            if after is None:
                return await self.ledger.remove(f"builds/{name}")

    async def _forget(self, build: Build) -> None:
        await self.drop_chunks(build)
        await self.ledger.remove(f"skipped/{build.name}/{build.id}")
        await self.ledger.remove(_build(build))

    async def remember_key(self, key: str, request: JsonObject) -> JsonObject:
        """What was asked for under an idempotency key: `request`, unless another one came first."""
        stream = f"keys/{hashlib.sha256(key.encode()).hexdigest()}"
        try:
            await self.ledger.append(stream, json.dumps(request).encode(), after=0)
        except Conflict:
            body = await self.ledger.entry(stream, 1)
            return cast("JsonObject", json.loads(body or b"{}"))
        return request

    async def _list(self, stream: str, text: str) -> None:
        for _ in range(_ATTEMPTS):
            last = await self.ledger.last(stream)
            try:
                await self.ledger.append(stream, text.encode(), after=0 if last is None else last.number)
            except Conflict:
                continue
            return
        raise Conflict("too much is being registered at once: try again")

    async def _bodies(self, stream: str, *, after: int, last: Entry | None) -> AsyncGenerator[bytes]:
        end = 1 if last is None else last.number + 1
        for start in range(after + 1, end, _READ_AHEAD):
            numbers = range(start, min(start + _READ_AHEAD, end))
            for body in await asyncio.gather(*(self.ledger.entry(stream, number) for number in numbers)):
                if body is None:
                    raise Broken("a record vanished from the store: start another build")
                yield body


def begun(saved: Saved, *, worker: str, now: datetime, until: datetime, base: int | None) -> Build:
    """The build as a worker takes it."""
    build = saved.build
    return replace(
        build,
        worker=worker,
        leased_until=until.isoformat(),
        started=build.started or now.isoformat(timespec="seconds"),
        messages=build.messages + 1,
        base=build.base if build.started else base,
    )


def request_digest(parts: Sequence[object]) -> str:
    """One digest for one request."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _build(build: Build) -> str:
    return f"build/{build.name}/{build.id}"


def _registered(entry: Entry) -> Registered:
    try:
        document = cast("JsonObject", json.loads(entry.body))
    except ValueError as error:
        raise Broken("a registration in the store is damaged") from error
    return Registered(registration=parse_registration(document), revision=entry.number)
