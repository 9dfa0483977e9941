"""The catalog of every source type: it hands each source to the adapter that reads it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from quadmosaic.catalog.assets import Allowed
from quadmosaic.catalog.cogs import cog_pages
from quadmosaic.catalog.documents import Files
from quadmosaic.catalog.features import feature_pages
from quadmosaic.catalog.searches import search_source_pages
from quadmosaic.catalog.stac import StacHttp
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Harvest, JsonObject, Refusal
from quadmosaic.domain.sources import CogsSource, FeaturesSource, MosaicJsonSource, Source, StacSource
from quadmosaic.ports import HarvestPage, Scan


class SourceCatalog:
    """Implements `ports.Catalog`.

    `scan` reads the header of a COG, `http` says how servers are asked, `allowed` which of an asset's hrefs may be
    fetched, `files` opens what lies in buckets and folders.
    """

    def __init__(
        self, *, scan: Scan, http: StacHttp | None = None, allowed: Allowed | None = None, files: Files | None = None
    ) -> None:
        self._scan = scan
        self._http = http or StacHttp()
        self._allowed = allowed
        self._files = files or Files(http=self._http, buckets={})

    async def harvest(
        self, source: Source, *, assets: Sequence[str], body: str | None
    ) -> AsyncGenerator[Harvest | Refusal]:
        """Granules in the source's own order; closing the stream stops all that is being read."""
        async with aclosing(self.pages(source, assets=assets, body=body)) as pages:
            async for page in pages:
                for answer in page.answers:
                    yield answer

    def pages(
        self,
        source: Source,
        *,
        assets: Sequence[str],
        body: str | None,
        after: JsonObject | None = None,
        scan: Scan | None = None,
    ) -> AsyncGenerator[HarvestPage]:
        """The same page by page, from the first or from behind a page's `next`."""
        scan = scan or self._scan
        match source:
            case StacSource():
                return search_source_pages(
                    source,
                    assets=assets,
                    body=body,
                    http=self._http,
                    scan=scan,
                    allowed=self._allowed,
                    files=self._files,
                    after=after,
                )
            case FeaturesSource():
                return feature_pages(source, assets=assets, body=body, scan=scan, allowed=self._allowed, after=after)
            case CogsSource():
                return cog_pages(source, scan=scan, assets=assets, body=body, after=after)
            case MosaicJsonSource():
                raise Invalid("is an index already: it is imported, not harvested", field="source.type")

    async def document(self, href: str, *, max_bytes: int) -> bytes:
        """A document's bytes, from a host, a bucket or a folder."""
        return await self._files.read(href, max_bytes=max_bytes)
