"""Drafts: complete mosaics that no store has seen, written as a version and published."""

from dataclasses import dataclass

from quadmosaic.domain.errors import Conflict, NotFound
from quadmosaic.domain.mosaic import Index, Manifest, MosaicRef, Version
from quadmosaic.ports import MosaicStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A complete mosaic that no store has seen."""

    manifest: Manifest
    index: Index


async def publish(store: MosaicStore, name: str, draft: Draft) -> Version:
    """Write a draft as a version and make it the head; what already is the head is not written again."""
    try:
        head: int | None = await store.head(name)
    except NotFound:
        head = None
    version = await store.write(name, draft.manifest, draft.index)
    if head is not None:
        current = await store.version(MosaicRef(name, head))
        if current.digest == version.digest:
            return current
    await store.publish(MosaicRef(name, version.number), expected=head)
    return version


async def require_free(store: MosaicStore, name: str) -> None:
    """Raise Conflict when a mosaic of this name exists."""
    try:
        await store.head(name)
    except NotFound:
        return
    raise Conflict(f"there already is a mosaic {name!r}")
