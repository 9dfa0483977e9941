"""The writing side of the store: versions written, published and deleted, each in steps that may die anywhere."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from quadmosaic.domain.errors import Broken, Conflict, Invalid, NotFound
from quadmosaic.domain.mosaic import Index, Manifest, MosaicRef, Version
from quadmosaic.domain.names import validate_name
from quadmosaic.storage.format import FormatMark
from quadmosaic.storage.heads import Head, Heads
from quadmosaic.storage.packing import check, pack
from quadmosaic.storage.shelf import Shelf
from quadmosaic.storage.sweeping import Sweeper
from quadmosaic.storage.versions import Versions

_ATTEMPTS = 20


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Writes, publishes and deletes; `latest` reads a name's head as it is now, checking name and format."""

    format_mark: FormatMark
    heads: Heads
    versions: Versions
    shelf: Shelf
    sweeper: Sweeper
    latest: Callable[[str], Awaitable[Head]]

    async def write(self, name: str, manifest: Manifest, index: Index) -> Version:
        """Write the parts that the head does not have, then the record that makes them a version.

        Writes nothing and answers the head's version where that has the same content already.
        """
        validate_name(name)
        if (index.grid_id, index.zoom) != (manifest.grid_id, manifest.quadkey_zoom):
            raise Invalid("the index has another grid or zoom than its manifest", field="grid_id")
        await asyncio.to_thread(check, index)
        await self.format_mark.ensure()
        head = await self.heads.latest(name)
        base = None if head.version is None else await self.versions.read(name, head.life, head.version)
        owners = {} if base is None else base.owners()
        number: int | None = None

        async def own() -> int:
            nonlocal number
            number = number or await self.versions.begin(head)
            return number

        lists = await self.shelf.add(name, head.life, pack(index), owners=owners, own=own)
        digest = lists.version_digest(manifest)
        if base is not None and digest == base.version.digest:
            return base.version
        return await self.versions.finish(head, await own(), digest, manifest, lists)

    async def publish(self, ref: MosaicRef, *, expected: int | None) -> None:
        """Move the head to `ref` if it still is `expected` (None: there is no head yet), else Conflict."""
        if ref.number is None:
            raise Invalid(f"say which version to publish: {ref.name}@1, ...", field="version")
        for _ in range(_ATTEMPTS):
            head = await self.latest(ref.name)
            if head.version != expected:
                raise Conflict(
                    f"the head of {ref.name!r} is {_said(head.version)}, not {_said(expected)}: look at it again"
                )
            if head.version == ref.number:
                return
            await self._check_publishable(head, ref.number)
            await self.versions.mark_published(head)
            try:
                await self.heads.advance(head.publishing(ref.number))
                return
            except Conflict:
                # A sweep moves the head too, and leaves its version as it is.
                continue
        raise Conflict(f"the head of {ref.name!r} is moved over and over: try again")

    async def delete(self, name: str) -> None:
        """Put an end to the mosaic in one step, then clean up; repeating it goes on with the cleaning.

        What is being written for a name that has no head yet comes to its end too. Raises NotFound for such a name.
        """
        for _ in range(_ATTEMPTS):
            before = await self.latest(name)
            head = before
            if before.version is not None or await self.versions.has_begun(before):
                try:
                    head = await self.heads.advance(before.ending())
                except Conflict:
                    continue
            await self.sweeper.clear_lives(head)
            if before.version is None:
                raise unknown_mosaic(name)
            return
        raise Conflict(f"{name!r} is being published over and over: try again")

    async def _check_publishable(self, head: Head, number: int) -> None:
        """Raises NotFound for a version that is not there, Broken for half of one, Conflict where its base is gone."""
        stored = await self.versions.read(head.name, head.life, number)
        if stored is None or head.swept(number):
            raise NotFound(f"no version {number} of mosaic {head.name!r} is written")
        if await self.versions.was_published(head, number):
            return
        if stored.base is not None and head.swept(stored.base):
            raise Conflict(f"version {number} of {head.name!r} shares what was swept since: write it again")
        if not await self.versions.is_whole(stored):
            now = await self.latest(head.name)
            if now.life != head.life or now.swept(number):
                raise NotFound(f"version {number} of mosaic {head.name!r} was removed meanwhile")
            raise Broken(f"version {number} of mosaic {head.name!r} is not whole: write it again")


def unknown_mosaic(name: str) -> NotFound:
    """What to raise for a name that has no head."""
    return NotFound(f"there is no mosaic named {name!r}")


def _said(number: int | None) -> str:
    return "none" if number is None else f"version {number}"
