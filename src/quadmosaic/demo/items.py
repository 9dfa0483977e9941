"""STAC items of the scene, shaped like those of the archive it imitates, with that archive's quirks."""

from pathlib import Path

import numpy as np
import pyproj

from quadmosaic.demo.cogs import CRS
from quadmosaic.demo.strips import Raster, Strip
from quadmosaic.domain.granules import Json, JsonObject

COLLECTION = "quadmosaic_demo_ctx_dtms"
RELEASED = "2023-04-18T12:00:00Z"
"""One date for all items: real ones carry the release's, not the observation's."""
TITLES = {"dtm": "Digital Terrain Model", "image": "Hillshade", "orthoimage": "Orthoimage"}
SUFFIXES = {"dtm": "dtm", "image": "hillshade", "orthoimage": "orthoimage"}
MEDIA_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
EXTENSIONS: list[Json] = [
    "https://stac-extensions.github.io/projection/v1.0.0/schema.json",
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "https://raw.githubusercontent.com/thareUSGS/ssys/main/json-schema/schema.json",
]


def asset_path(folder: Path, strip_id: str, key: str) -> Path:
    """Where an asset of a strip lies."""
    return folder / strip_id / f"{strip_id}_{SUFFIXES[key]}.tif"


def make_item(strip: Strip, assets: JsonObject, dtm: Raster) -> JsonObject:
    """The STAC item of a strip. Its projection fields are the DTM's, with `proj:bbox` in degrees as in real items."""
    west, south, east, north = strip.bounds()
    ring: list[Json] = [[lon, lat] for lon, lat in strip.outline()]
    a, b, c, d, e, f = dtm.transform
    properties: JsonObject = {
        "start_datetime": RELEASED,
        "end_datetime": RELEASED,
        "datetime": RELEASED,
        "title": f"DTM: {strip.id}",
        "description": "A synthetic terrain model and images of the country around Jezero crater, made for trying out.",
        "synthetic": True,
        "missions": ["Mars Reconnaissance Orbiter (MRO)"],
        "instruments": ["Context Camera (CTX)"],
        "gsd": a,
        "license": "CC0-1.0",
        "proj:epsg": None,
        "proj:wkt2": pyproj.CRS(CRS).to_wkt("WKT1_GDAL"),
        "proj:bbox": [west, south, east, north],
        "proj:centroid": {"lat": strip.lat, "lon": strip.lon},
        "proj:shape": list(dtm.pixels.shape),
        "proj:transform": [c, a, b, f, d, e],
        "ssys:targets": ["Mars"],
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": EXTENSIONS,
        "id": strip.id,
        "collection": COLLECTION,
        "bbox": [west, south, east, north],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": properties,
        "links": [],
        "assets": assets,
    }


def make_asset(path: Path, raster: Raster, *, size: int) -> JsonObject:
    """The asset object of a raster that was written to `path`."""
    valid = raster.pixels[raster.pixels != raster.nodata].astype(np.float64)
    statistics: JsonObject = {
        "mean": round(float(valid.mean()), 3),
        "minimum": float(valid.min()),
        "maximum": float(valid.max()),
        "stddev": round(float(valid.std()), 3),
    }
    band: JsonObject = {"data_type": str(raster.pixels.dtype), "nodata": raster.nodata, "statistics": statistics}
    return {
        "href": path.as_uri(),
        "type": MEDIA_TYPE,
        "title": TITLES[raster.key],
        "roles": ["data", "overview"] if raster.key == "image" else ["data"],
        "raster:bands": [band],
        "file:size": size,
        "key": raster.key,
    }
