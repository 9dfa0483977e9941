"""Toy mosaics for tests of services and routes: rasters laid exactly on tiles of Mars, in a store of their own."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from fixtures_server import serving
from quadmosaic import bootstrap
from quadmosaic.bootstrap import Adapters
from quadmosaic.config import Settings
from quadmosaic.domain import grids
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import Defaults, Recipe, Version
from quadmosaic.domain.sources import CogsSource, FeaturesSource
from quadmosaic.ports import NO_HEADERS, GranuleReader, Layer, MosaicStore, ReadFailure, ReadOptions
from quadmosaic.services.drafts import publish
from rasters import Array, Bounds, write_raster

MARS = "IAU_2015:49910"
TMS = "MarsEquidistantCylindricalSphere"
GRID = grids.load(TMS)
Z, X, Y = 8, 365, 101
"""A tile at Jezero, whose pixels are about 163 m."""
SIZE = 256


def tile_box(*, columns: int = 1, rows: int = 1) -> Bounds:
    """Bounds of the tile, or of a block of so many to its right and below."""
    left, _, _, top = GRID.tile_bounds(grids.Tile(X, Y, Z))
    side = GRID.cell_size(Z)
    return left, top - rows * side, left + columns * side, top


def url(mosaic: str, suffix: str = ".tif", *, x: int = X, y: int = Y, z: int = Z) -> str:
    return f"/mosaics/{mosaic}/tiles/{TMS}/{z}/{x}/{y}{suffix}"


def heights(*, seed: int = 1, dtype: str = "float32", bands: int = 1, side: int = SIZE) -> Array:
    """(band, side, side) of values between -2600 and -2400, or 1 and 200 for unsigned types."""
    low, high = (1, 200) if np.dtype(dtype).kind == "u" else (-2600, -2400)
    values = np.random.default_rng(seed).uniform(low, high, (bands, side, side))
    return values.astype(dtype)


def write_tile(path: Path, bands: Array, **options: Any) -> Path:
    """A raster that covers the tile (or `bounds`) pixel by pixel, unless `bounds` says otherwise."""
    return write_raster(path, bands, crs=MARS, bounds=options.pop("bounds", tile_box()), **options)


@dataclass(frozen=True, kw_only=True)
class Toys:
    """A store and a folder, to publish mosaics in."""

    folder: Path

    @property
    def settings(self) -> Settings:
        return Settings(store=str(self.folder / "store"), head_ttl_s=0)

    def outside(self) -> Adapters:
        return bootstrap.adapters(self.settings)

    @contextmanager
    def served(self, *, outside: Adapters | None = None, **settings: Any) -> Generator[httpx.Client]:
        """A client of the service on this store, which listens on a port of its own."""
        app = bootstrap.http_app(self.settings.model_copy(update=settings), metrics=False, outside=outside)
        with serving(app) as base, httpx.Client(base_url=base, timeout=30) as client:
            yield client

    def publish(
        self,
        name: str,
        files: Sequence[Path | str],
        *,
        defaults: Defaults | None = None,
        order: str = "source",
        quadkey_zoom: int = 7,
    ) -> Version:
        """A mosaic of files, best first, whose granule ids are the names of the files."""
        source = CogsSource(hrefs=tuple(str(file) for file in files))
        return self._publish(name, Recipe(source=source, order=order, quadkey_zoom=quadkey_zoom), defaults)

    def publish_items(
        self,
        name: str,
        items: Mapping[str, Mapping[str, Path | str]],
        *,
        defaults: Defaults | None = None,
        scan: bool = True,
    ) -> Version:
        """A mosaic of granules with an href per asset key, all over the tile."""
        features = [item(granule_id, assets) for granule_id, assets in items.items()]
        source = FeaturesSource(features={"type": "FeatureCollection", "features": features})
        keys = tuple(dict.fromkeys(key for assets in items.values() for key in assets))
        return self._publish(name, Recipe(source=source, assets=keys, quadkey_zoom=7, scan=scan), defaults)

    def _publish(self, name: str, recipe: Recipe, defaults: Defaults | None) -> Version:
        outside = self.outside()

        async def build() -> Version:
            draft = await bootstrap.builder(outside.reader).draft(recipe, defaults or Defaults())
            return await publish(outside.store, name, draft)

        return asyncio.run(build())


def item(granule_id: str, assets: Mapping[str, Path | str], *, body: str = "Mars") -> dict[str, Any]:
    """A STAC item over the tile."""
    left, bottom, right, top = tile_box()
    lon, lat = GRID.unproject(np.array([left, right]), np.array([bottom, top]))
    west, east, south, north = *lon.tolist(), *lat.tolist()
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": granule_id,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"datetime": "2024-01-01T00:00:00Z", "ssys:targets": [body]},
        "assets": {key: {"href": str(path), "type": "image/tiff; application=geotiff"} for key, path in assets.items()},
    }


@dataclass(kw_only=True)
class WatchedReader:
    """A reader that counts what was asked for and answered, and is as slow for some granules as told.

    A granule in `slow` is answered when the time of the options is over, as one that did not make it; where `hangs`
    says so of a GeoBox, all of them are.
    """

    inner: GranuleReader
    slow: frozenset[str] = frozenset()
    hangs: Callable[[GeoBox], bool] = lambda _: False
    asked: list[tuple[str, ...]] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    fault: Exception | None = None

    async def read(
        self,
        granules: Sequence[Granule],
        geobox: GeoBox,
        options: ReadOptions,
        *,
        headers: Mapping[str, Header] = NO_HEADERS,
    ) -> AsyncGenerator[Layer | ReadFailure, None]:
        self.asked.append(tuple(granule.id for granule in granules))
        if self.fault is not None:
            raise self.fault
        async with aclosing(self.inner.read(granules, geobox, options, headers=headers)) as answers:
            async for answer in answers:
                self.answered.append(answer.granule.id)
                if options.timeout_s is not None and (answer.granule.id in self.slow or self.hangs(geobox)):
                    await asyncio.sleep(options.timeout_s)
                    yield ReadFailure(answer.granule, "it was not read before the deadline")
                else:
                    yield answer

    async def scan(self, href: str) -> Header:
        return await self.inner.scan(href)


class WatchedStore:
    """A store that remembers which of its verbs were used."""

    def __init__(self, inner: MosaicStore) -> None:
        self._inner = inner
        self.used: list[str] = []

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        self.used.append(verb)
        method: Callable[..., Any] = getattr(self._inner, verb)
        return method
