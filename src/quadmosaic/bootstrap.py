"""The one place where settings choose adapters and everything is put together."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI

from quadmosaic.api.app import create_app
from quadmosaic.api.services import Services
from quadmosaic.api.viewer_assets import check_vendor
from quadmosaic.config import Settings
from quadmosaic.domain.access import AccessMode, BucketAccess
from quadmosaic.ports import Catalog, GranuleReader, MosaicStore
from quadmosaic.reading.fast_reader import FastReader
from quadmosaic.reading.rasterio_reader import RasterioReader
from quadmosaic.services.builds import Builder
from quadmosaic.services.images import Images
from quadmosaic.services.mosaics import Mosaics
from quadmosaic.services.points import Points
from quadmosaic.services.stretch import Stretches
from quadmosaic.storage.objects import open_store

MEGABYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """The outside world, as settings describe it."""

    store: MosaicStore
    reader: GranuleReader


def adapters(settings: Settings) -> Adapters:
    """A store and a reader."""
    buckets = {
        name: BucketAccess(region=bucket.region, mode=AccessMode(bucket.mode), endpoint=bucket.endpoint)
        for name, bucket in settings.buckets.items()
    }
    return Adapters(
        store=open_store(settings.store, head_ttl_s=settings.head_ttl_s, cache_bytes=settings.cache_mb * MEGABYTE),
        reader=FastReader(
            RasterioReader(buckets=buckets, max_reads=settings.max_reads),
            buckets=buckets,
            block_cache_bytes=settings.block_cache_mb * MEGABYTE,
        ),
    )


def builder(reader: GranuleReader) -> Builder:
    """What builds mosaics from sources; the catalog's libraries are imported only here."""
    from quadmosaic.catalog.sources import SourceCatalog

    catalog: Catalog = SourceCatalog(scan=reader.scan)
    return Builder(catalog=catalog, reader=reader)


def services(settings: Settings, outside: Adapters) -> Services:
    """The use cases of the HTTP service."""
    stretches = Stretches(store=outside.store, reader=outside.reader)
    return Services(
        store=outside.store,
        mosaics=Mosaics(store=outside.store),
        images=Images(
            store=outside.store, reader=outside.reader, stretches=stretches, deadline_s=settings.tile_deadline_s
        ),
        points=Points(
            store=outside.store,
            reader=outside.reader,
            max_granules=settings.max_granules,
            deadline_s=settings.tile_deadline_s,
        ),
        max_granules=settings.max_granules,
        viewer_assets=settings.viewer_assets,
    )


def http_app(settings: Settings, *, metrics: bool, outside: Adapters | None = None) -> FastAPI:
    """The HTTP service. Raises Invalid (field "VIEWER_ASSETS") for a folder that lacks the viewer's libraries."""
    if settings.viewer_assets is not None:
        check_vendor(Path(settings.viewer_assets))
    return create_app(
        services(settings, outside or adapters(settings)),
        version=version("quadmosaic"),
        cors_origins=settings.cors_origins,
        metrics=metrics,
    )
