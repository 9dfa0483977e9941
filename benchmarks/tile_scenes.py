"""Scenes for the tile benchmark: strips as real ones are stored, on Mars and on Earth, up to sixteen deep."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj
import rasterio
import rasterio.shutil
import shapely
from rasterio.enums import Resampling
from rasterio.transform import from_origin

from quadmosaic.domain import footprints

DEPTH = 16


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Strips of one kind; `zoom` is where the tiles of `tms` are as fine as the pixels."""

    name: str
    tms: str
    zoom: int
    crs: str
    left: float
    top: float
    pixel: float
    width: int
    height: int
    dtype: str
    nodata: float
    predictor: int
    body: str


MARS = "IAU_2015:49910"
SCENES = (
    Scene(
        name="mars-ortho", tms="MarsMercatorSphere", zoom=13, crs=MARS, left=4_560_000, top=1_120_000, pixel=6.0,
        width=3000, height=10000, dtype="uint8", nodata=0, predictor=1, body="Mars",
    ),
    Scene(
        name="mars-dtm", tms="MarsMercatorSphere", zoom=12, crs=MARS, left=4_560_000, top=1_120_000, pixel=20.0,
        width=1500, height=5000, dtype="float32", nodata=-32767, predictor=3, body="Mars",
    ),
    Scene(
        name="earth-utm", tms="WebMercatorQuad", zoom=13, crs="EPSG:32618", left=500_000, top=4_600_000, pixel=15.0,
        width=3000, height=5000, dtype="uint8", nodata=0, predictor=1, body="Earth",
    ),
)  # fmt: skip


def make(folder: Path, scenes: Sequence[Scene] = SCENES, *, depth: int = DEPTH) -> None:
    """Write every scene's strips as COGs, and items.json beside them, with hrefs relative to `folder`."""
    for scene in scenes:
        target = folder / scene.name
        target.mkdir(parents=True, exist_ok=True)
        features = [_strip(folder, scene, number) for number in range(depth)]
        (target / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        print(f"{scene.name}: {sum(file.stat().st_size for file in target.iterdir()) / 1e6:.0f} MB", flush=True)


def _strip(folder: Path, scene: Scene, number: int) -> dict[str, object]:
    """One strip, shifted a little against the others, with a wedge of nodata on either side."""
    path = folder / scene.name / f"strip-{number:02d}.tif"
    left, top = scene.left + number * 37 * scene.pixel, scene.top - number * 53 * scene.pixel
    if not path.exists():
        _write(path, scene, left, top, np.random.default_rng(number))
    lean = 0.12 * scene.width * scene.pixel
    right, bottom = left + scene.width * scene.pixel, top - scene.height * scene.pixel
    corners = [(left + lean, top), (right, top), (right - lean, bottom), (left, bottom)]
    to_degrees = pyproj.Transformer.from_crs(scene.crs, pyproj.CRS(scene.crs).geodetic_crs, always_xy=True)
    outline = [to_degrees.transform(*corner) for corner in (*corners, corners[0])]
    geometry, _ = footprints.normalise({"type": "Polygon", "coordinates": [[list(point) for point in outline]]})
    return {
        "type": "Feature",
        "id": path.stem,
        "geometry": shapely.geometry.mapping(geometry),
        "properties": {"path": f"{scene.name}/{path.name}", "ssys:targets": [scene.body]},
    }


def _write(path: Path, scene: Scene, left: float, top: float, rng: np.random.Generator) -> None:
    columns, rows = np.arange(scene.width), np.arange(scene.height)
    ground = (
        np.sin(columns / 150)[None] + np.cos(rows / 117)[:, None] + rng.normal(0, 0.05, (scene.height, scene.width))
    )
    values = ground * 40 + 120 if scene.dtype == "uint8" else ground * 200 - 3000
    edge = 0.12 * scene.width * (1 - rows / scene.height)
    outside = (columns[None] < edge[:, None]) | (columns[None] > scene.width - 0.12 * scene.width + edge[:, None])
    values[outside] = scene.nodata
    profile = {
        "driver": "GTiff", "width": scene.width, "height": scene.height, "count": 1, "dtype": scene.dtype,
        "nodata": scene.nodata, "crs": scene.crs, "transform": from_origin(left, top, scene.pixel, scene.pixel),
        "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "predictor": scene.predictor,
    }  # fmt: skip
    draft = path.with_suffix(".draft")
    with rasterio.open(draft, "w", **profile) as dataset:
        dataset.write(values.astype(scene.dtype)[None])
        dataset.build_overviews([2, 4, 8, 16], Resampling.average)
    with rasterio.open(draft) as dataset:
        cog = {"driver": "COG", "compress": "deflate", "blocksize": 512, "overviews": "FORCE_USE_EXISTING"}
        rasterio.shutil.copy(dataset, path, **cog, predictor="YES" if scene.predictor > 1 else "NO")
    draft.unlink()
