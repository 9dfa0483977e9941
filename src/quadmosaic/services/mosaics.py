"""Mosaics as clients see them: finding, listing and describing versions."""

from dataclasses import dataclass

from quadmosaic.domain.errors import Invalid, NotFound
from quadmosaic.domain.granule_searches import GranuleSearch
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.mosaic import MosaicRef, Version
from quadmosaic.domain.names import is_name, parse_ref
from quadmosaic.domain.trace import Step, current_trace
from quadmosaic.ports import MosaicStore, Page
from quadmosaic.services.granule_lists import Wanted, searched


@dataclass(frozen=True, kw_only=True)
class Mosaics:
    """Read-only use cases of the store."""

    store: MosaicStore

    async def version(self, mosaic: str) -> Version:
        """The version that `name` (its head) or `name@number` stands for. Raises Invalid or NotFound."""
        with current_trace().timing(Step.LOOKUP):
            return await self.store.version(parse_ref(mosaic))

    async def page(self, *, after: str | None = None, limit: int = 100) -> Page[Version]:
        """Heads of all mosaics, by name; one deleted meanwhile is left out. Raises Invalid (field "after")."""
        if after is not None and not is_name(after):
            raise Invalid("is no mosaic's name: take it from a next link", field="after")
        names = await self.store.mosaics(after=after, limit=limit)
        heads = []
        for name in names.items:
            try:
                heads.append(await self.store.version(MosaicRef(name)))
            except NotFound:
                continue
        return Page(items=tuple(heads), next=names.next)

    async def versions(self, name: str, *, after: str | None = None, limit: int = 100) -> Page[Version]:
        """History of a mosaic, newest first."""
        return await self.store.versions(name, after=after, limit=limit)

    async def granules(
        self,
        version: Version,
        search: GranuleSearch,
        also: Wanted | None,
        *,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Granule]:
        """Granules of a version that are searched for, and that `also` wants."""
        return await searched(self.store, version, search, also, after=after, limit=limit)
