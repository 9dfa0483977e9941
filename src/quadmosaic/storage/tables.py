"""Look-ups in the tables of one version: which parts to read, and what to take from them."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import Index, Quadkey
from quadmosaic.ports import Lookup, Page
from quadmosaic.storage.contents import (
    CellsContent,
    GranulesContent,
    HeadersContent,
    cells_content,
    granules_content,
    headers_content,
)
from quadmosaic.storage.packing import CELLS, GRANULES, HEADERS, granule_key
from quadmosaic.storage.parts import PartRef, PartTable
from quadmosaic.storage.shelf import Shelf
from quadmosaic.storage.versions import StoredVersion
from quadmosaic.storage.waves import in_waves

BROWSED = 200
"""Granules that one page or image asks for; who asks for more walks through all, and would only sweep the cache."""
CALLS = 4
"""Calls under way at once for one look-up."""


class Tables:
    """Reads the tables of a stored version. Raises PartMissing when a part is gone."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def cells(self, stored: StoredVersion, keys: Collection[Quadkey]) -> Lookup:
        """Exactly these cells, those without granules left out."""
        wanted = _by_part(stored.cells, keys)
        contents = await self._read_cells(stored, tuple(wanted))
        found = {
            key: content.of(key)
            for (_, members), content in zip(wanted.items(), contents, strict=True)
            for key in members
            if key in content.cells
        }
        return Lookup(cells=dict(sorted(found.items())))

    async def below(self, stored: StoredVersion, prefixes: Collection[Quadkey], *, limit: int) -> Lookup:
        """The first `limit` cells below each prefix; reads no part that cannot hold one of them."""
        needed = {prefix: _first(stored.cells.below(prefix), limit) for prefix in prefixes}
        refs = tuple({ref.digest: ref for refs in needed.values() for ref in refs}.values())
        contents = dict(zip((ref.digest for ref in refs), await self._read_cells(stored, refs), strict=True))
        found: dict[Quadkey, tuple[Granule, ...]] = {}
        cut = False
        for prefix, parts in needed.items():
            having = [(key, contents[ref.digest]) for ref in parts for key in contents[ref.digest].cells]
            below = [(key, content) for key, content in having if key.startswith(prefix)]
            found.update((key, content.of(key)) for key, content in below[:limit])
            cut = cut or len(below) > limit
        return Lookup(cells=dict(sorted(found.items())), cut=cut)

    async def granules(self, stored: StoredVersion, *, after: str | None, limit: int) -> Page[Granule]:
        """Granules behind the one with the id `after`, in the order of their keys."""
        key = granule_key(after) if after is not None else ""
        # The first part may have nothing behind `after`, so it does not count.
        first, *later = stored.granules.beyond(key) or (None,)
        parts = () if first is None else (first, *_first(later, limit))
        contents = await self._read_granules(stored, parts, keep=limit <= BROWSED)
        behind = [granule for content in contents for granule in content.granules if granule_key(granule.id) > key]
        items = tuple(behind[:limit])
        return Page(items=items, next=items[-1].id if len(behind) > limit else None)

    async def headers(self, stored: StoredVersion, granule_ids: Collection[str], asset: str) -> Mapping[str, Header]:
        """Headers of one asset by granule id, for those that have one."""
        table = stored.headers.get(asset)
        if table is None:
            return {}
        ids = {granule_key(granule_id): granule_id for granule_id in granule_ids}
        wanted = _by_part(table, ids)
        contents = await self._read_headers(stored, tuple(wanted), keep=len(ids) <= BROWSED)
        return {
            ids[key]: content.headers[ids[key]]
            for (_, keys), content in zip(wanted.items(), contents, strict=True)
            for key in keys
            if ids[key] in content.headers
        }

    async def index(self, stored: StoredVersion) -> Index:
        """Everything; reads past the cache, which it would only sweep."""
        contents = await self._read_granules(stored, stored.granules.refs, keep=False)
        granules = tuple(granule for content in contents for granule in content.granules)
        positions = {granule.id: position for position, granule in enumerate(granules)}
        cells: dict[Quadkey, tuple[int, ...]] = {}
        for part in await self._read_cells(stored, stored.cells.refs, keep=False):
            places = [positions[granule.id] for granule in part.granules]
            cells.update((key, tuple(places[place] for place in listed)) for key, listed in part.cells.items())
        headers: dict[str, dict[str, Header]] = {}
        for asset, table in stored.headers.items():
            for held in await self._read_headers(stored, table.refs, keep=False):
                for granule_id, header in held.headers.items():
                    headers.setdefault(granule_id, {})[asset] = header
        manifest = stored.version.manifest
        return Index(
            grid_id=manifest.grid_id, zoom=manifest.quadkey_zoom, granules=granules, cells=cells, headers=headers
        )

    async def lists(self, stored: StoredVersion, refs: Sequence[PartRef]) -> dict[Quadkey, tuple[str, ...]]:
        """Granule ids by cell in these parts; past the cache, like all comparisons."""
        contents = await self._read_cells(stored, refs, keep=False)
        return {
            key: tuple(content.granules[place].id for place in places)
            for content in contents
            for key, places in content.cells.items()
        }

    async def records(self, stored: StoredVersion, refs: Sequence[PartRef]) -> dict[str, Granule]:
        """Granules by id in these parts."""
        contents = await self._read_granules(stored, refs, keep=False)
        return {granule.id: granule for content in contents for granule in content.granules}

    async def header_records(self, stored: StoredVersion, refs: Sequence[PartRef]) -> dict[str, Header]:
        """Header records by granule id in these parts."""
        contents = await self._read_headers(stored, refs, keep=False)
        return {granule_id: header for content in contents for granule_id, header in content.headers.items()}

    async def _read_cells(
        self, stored: StoredVersion, refs: Sequence[PartRef], *, keep: bool = True
    ) -> list[CellsContent]:
        return await self._read(stored, CELLS, refs, CellsContent, cells_content, keep=keep)

    async def _read_granules(
        self, stored: StoredVersion, refs: Sequence[PartRef], *, keep: bool = True
    ) -> list[GranulesContent]:
        return await self._read(stored, GRANULES, refs, GranulesContent, granules_content, keep=keep)

    async def _read_headers(
        self, stored: StoredVersion, refs: Sequence[PartRef], *, keep: bool = True
    ) -> list[HeadersContent]:
        return await self._read(stored, HEADERS, refs, HeadersContent, headers_content, keep=keep)

    async def _read[T](
        self,
        stored: StoredVersion,
        table: str,
        refs: Sequence[PartRef],
        kind: type[T],
        decoded: Callable[..., T],
        *,
        keep: bool,
    ) -> list[T]:
        name, life = stored.version.name, stored.life
        return await in_waves(
            lambda ref: self._shelf.read(name, life, table, ref, kind, decoded, keep=keep),
            refs,
            width=CALLS * self._shelf.per_call,
        )


def _by_part(table: PartTable, keys: Collection[str]) -> dict[PartRef, list[str]]:
    wanted: defaultdict[PartRef, list[str]] = defaultdict(list)
    for key in sorted(set(keys)):
        ref = table.holding(key)
        if ref is not None:
            wanted[ref].append(key)
    return wanted


def _first(refs: Sequence[PartRef], limit: int) -> tuple[PartRef, ...]:
    """As many parts as hold more than `limit` keys, so that one can see whether any are left out."""
    taken: list[PartRef] = []
    held = 0
    for ref in refs:
        if held > limit:
            break
        taken.append(ref)
        held += ref.count
    return tuple(taken)
