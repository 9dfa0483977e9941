"""What differs between two versions, reading only the parts that they do not share."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched

from quadmosaic.ports import Changes
from quadmosaic.storage.parts import PartRef, PartTable
from quadmosaic.storage.tables import Tables
from quadmosaic.storage.versions import StoredVersion

_AT_ONCE = 64
"""Parts in memory at once."""
_NOTHING = PartTable(())

type Reading[V] = Callable[[StoredVersion, Sequence[PartRef]], Awaitable[Mapping[str, V]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Keys:
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


async def changes(tables: Tables, old: StoredVersion, new: StoredVersion) -> Changes:
    """Cells by their lists of granule ids; granules by all their content, header records included."""
    of = _Comparison(old, new)
    cells = await of.keys(old.cells, new.cells, tables.lists)
    granules = await of.keys(old.granules, new.granules, tables.records)
    changed = set(granules.changed)
    for asset in {*old.headers, *new.headers}:
        before, after = old.headers.get(asset, _NOTHING), new.headers.get(asset, _NOTHING)
        found = await of.keys(before, after, tables.header_records)
        changed |= {*found.added, *found.removed, *found.changed}
    return Changes(
        granules_added=granules.added,
        granules_removed=granules.removed,
        granules_changed=tuple(sorted(changed - {*granules.added, *granules.removed})),
        cells_added=cells.added,
        cells_removed=cells.removed,
        cells_changed=cells.changed,
    )


@dataclass(frozen=True, slots=True)
class _Comparison:
    old: StoredVersion
    new: StoredVersion

    async def keys[V](self, before: PartTable, after: PartTable, read: Reading[V]) -> _Keys:
        shared = {ref.digest for ref in before.refs} & {ref.digest for ref in after.refs}
        was = await _all(self.old, [ref for ref in before.refs if ref.digest not in shared], read)
        now = await _all(self.new, [ref for ref in after.refs if ref.digest not in shared], read)
        return _Keys(
            added=tuple(sorted(now.keys() - was.keys())),
            removed=tuple(sorted(was.keys() - now.keys())),
            changed=tuple(sorted(key for key in was.keys() & now.keys() if was[key] != now[key])),
        )


async def _all[V](stored: StoredVersion, refs: Sequence[PartRef], read: Reading[V]) -> dict[str, V]:
    found: dict[str, V] = {}
    for some in batched(refs, _AT_ONCE):
        found.update(await read(stored, some))
    return found
