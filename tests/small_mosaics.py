"""Small mosaics of three bodies on generated COGs: each with one trait that software made for Earth gets wrong."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine

from quadmosaic import bootstrap
from quadmosaic.config import Settings
from quadmosaic.domain import footprints
from quadmosaic.domain.mosaic import Defaults, Recipe, Version
from quadmosaic.domain.sources import FeaturesSource
from quadmosaic.ports import MosaicStore
from quadmosaic.services.drafts import publish

MARS_NODATA = -32767.0
EUROPA_NODATA = -3.4028226550889045e38

type Pixels = npt.NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class SmallMosaic:
    """A published mosaic; `files` are by asset key, best first."""

    name: str
    version: Version
    files: dict[str, tuple[Path, ...]]
    nodata: float | None


def build_mars(folder: Path, store: MosaicStore) -> SmallMosaic:
    """Three leaning float32 strips that overlap, with nodata corners and an ortho each: pixels of 100 m at Jezero."""
    crs, items = "IAU_2015:49910", []
    for number in range(3):
        left, top = 4_550_000.0 + 15_000.0 * number, 1_120_000.0
        heights = _leaning_strip(number)
        dtm, ortho = folder / f"strip{number}_dtm.tif", folder / f"strip{number}_ortho.tif"
        transform = Affine(100.0, 0.0, left, 0.0, -100.0, top)
        write_cog(dtm, heights, crs=crs, transform=transform, nodata=MARS_NODATA)
        grey = np.where(heights == MARS_NODATA, 0, 1 + (heights - heights.min()) % 250).astype(np.uint8)
        write_cog(ortho, grey, crs=crs, transform=transform, nodata=0)
        bounds = (left, top - 60_000.0, left + 25_000.0, top)
        items.append(_item(f"strip{number}", "Mars", crs, bounds, {"dtm": dtm, "ortho": ortho}))
    return _published(store, "mars-strips", items, assets=("dtm", "ortho"), nodata=MARS_NODATA)


def build_moon(folder: Path, store: MosaicStore) -> SmallMosaic:
    """One int16 raster in degrees that runs from 0 to 360, so its place is said as -60 to -50 everywhere else."""
    crs, path = "IAU_2015:30100", folder / "moon.tif"
    rows, columns = np.mgrid[0:200, 0:200]
    values = (100 + rows + 2 * columns).astype(np.int16)
    values[:40, :40] = -32768
    write_cog(path, values, crs=crs, transform=Affine(0.05, 0.0, 300.0, 0.0, -0.05, 10.0), nodata=-32768)
    item = _item("moon", "Moon", crs, (300.0, 0.0, 310.0, 10.0), {"dem": path})
    return _published(store, "moon-degrees", [item], assets=("dem",), nodata=-32768)


def build_europa(folder: Path, store: MosaicStore) -> SmallMosaic:
    """One float32 raster of a map whose middle is longitude 180, across that meridian."""
    crs, path = "IAU_2015:50215", folder / "europa.tif"
    rows, columns = np.mgrid[0:200, 0:300]
    values = (np.sin(rows / 20.0) + columns / 100.0).astype(np.float32)
    values[:, :30] = EUROPA_NODATA
    left, top, size = -150_000.0, 100_000.0, 1_000.0
    write_cog(path, values, crs=crs, transform=Affine(size, 0, left, 0, -size, top), nodata=EUROPA_NODATA)
    item = _item("europa", "Europa", crs, (left, top - 200_000.0, left + 300_000.0, top), {"mosaic": path})
    return _published(store, "europa-180", [item], assets=("mosaic",), nodata=EUROPA_NODATA)


def write_cog(path: Path, pixels: Pixels, *, crs: str, transform: Affine, nodata: float) -> None:
    """`pixels` is (height, width)."""
    height, width = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver="COG",
        width=width,
        height=height,
        count=1,
        dtype=pixels.dtype,
        crs=crs,
        transform=transform,
        nodata=nodata,
        blocksize=128,
        compress="DEFLATE",
        overview_resampling="NEAREST",
    ) as dataset:
        dataset.write(pixels, 1)


def _leaning_strip(number: int) -> Pixels:
    """600 x 250 heights; each strip lies 50 higher than the one before, so that overlaps show whose pixel it is."""
    rows, columns = np.mgrid[0:600, 0:250]
    heights = -2500.0 + 50.0 * number + 40.0 * np.sin(rows / 30.0) + columns / 10.0
    outside = np.abs(columns - 90 - rows / 9) > 85
    return np.where(outside, MARS_NODATA, heights).astype(np.float32)


def _item(
    item_id: str, body: str, crs: str, bounds: tuple[float, float, float, float], files: dict[str, Path]
) -> dict[str, object]:
    """A STAC item whose geometry is the file's rectangle, as many archives have it."""
    outline = footprints.outline(crs, bounds)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": item_id,
        "geometry": outline.__geo_interface__,
        "properties": {"datetime": "2024-01-01T00:00:00Z", "ssys:targets": [body]},
        "assets": {key: {"href": str(path), "type": "image/tiff; application=geotiff"} for key, path in files.items()},
    }


def _published(
    store: MosaicStore,
    name: str,
    items: list[dict[str, object]],
    *,
    assets: tuple[str, ...],
    nodata: float | None,
) -> SmallMosaic:
    source = FeaturesSource(features={"type": "FeatureCollection", "features": items})
    reader = bootstrap.adapters(Settings(store="memory://")).reader

    async def build() -> Version:
        draft = await bootstrap.builder(reader).draft(
            Recipe(source=source, assets=assets), Defaults(title=f"Small {name} & co", attribution="nobody")
        )
        return await publish(store, name, draft)

    hrefs = {key: tuple(Path(item["assets"][key]["href"]) for item in items) for key in assets}
    return SmallMosaic(name=name, version=asyncio.run(build()), files=hrefs, nodata=nodata)
