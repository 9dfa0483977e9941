"""The catalog of every source type: it hands each source to the adapter that reads it."""

from collections.abc import AsyncGenerator, Sequence

from quadmosaic.catalog.cogs import Scan, harvest_cogs
from quadmosaic.catalog.features import harvest_features
from quadmosaic.catalog.stac import StacHttp, harvest_search
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Harvest, Refusal
from quadmosaic.domain.sources import CogsSource, FeaturesSource, MosaicJsonSource, Source, StacSource


class SourceCatalog:
    """Implements `ports.Catalog`. `scan` reads the header of a COG, `http` says how STAC APIs are asked."""

    def __init__(self, *, scan: Scan, http: StacHttp | None = None) -> None:
        self._scan = scan
        self._http = http or StacHttp()

    def harvest(self, source: Source, *, assets: Sequence[str], body: str | None) -> AsyncGenerator[Harvest | Refusal]:
        """Granules in the source's own order; closing the stream stops all that is being read."""
        match source:
            case StacSource():
                return harvest_search(source, assets=assets, body=body, http=self._http)
            case FeaturesSource():
                return harvest_features(source, assets=assets, body=body)
            case CogsSource():
                return harvest_cogs(source, scan=self._scan, assets=assets, body=body)
            case MosaicJsonSource():
                raise Invalid("is an index already: it is imported, not harvested", field="source.type")
