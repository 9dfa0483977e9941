"""STAC items like those of the CTX terrain models of Mars: slanted strips, and the traps that real items have."""

from typing import Any

MARS_WKT1 = (
    'PROJCS["Mars (2015) - Sphere / Ocentric / Equirectangular, clon = 0",GEOGCS["Mars (2015) - Sphere / Ocentric",'
    'DATUM["Mars (2015) - Sphere",SPHEROID["Mars (2015) - Sphere",3396190,0]],PRIMEM["Reference Meridian",0],'
    'UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]]],PROJECTION["Equirectangular"],'
    'PARAMETER["standard_parallel_1",0],PARAMETER["central_meridian",0],PARAMETER["false_easting",0],'
    'PARAMETER["false_northing",0],UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],'
    'AXIS["Northing",NORTH]]'
)
GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
COLLECTION = "ctx_dtms"

type Item = dict[str, Any]


def strips(count: int = 10) -> list[Item]:
    """Overlapping strips from west to east around Jezero, newest item ids last."""
    return [strip(number, lon=76.4 + 0.2 * number, lat=18.5) for number in range(count)]


def strip(number: int, *, lon: float, lat: float, api: str = "https://stac.example.com") -> Item:
    """One item, 0.5 degrees wide and 1.6 high, leaning as orbits do; `lon`, `lat` are the middle."""
    item_id = f"P{number:02d}_00{7925 + number}_XN_18N__P{number + 1:02d}_00{8650 + number}_XI_18N"
    ring = slanted_ring(lon, lat)
    lons, lats = [x for x, _ in ring], [y for _, y in ring]
    bbox = [min(lons), min(lats), max(lons), max(lats)]
    self_link = f"{api}/collections/{COLLECTION}/items/{item_id}"
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": item_id,
        "collection": COLLECTION,
        "bbox": bbox,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": properties(item_id, bbox, gsd=20 + number / 10),
        "links": [{"rel": "self", "type": "application/geo+json", "href": self_link}],
        "assets": assets(item_id),
    }


def slanted_ring(lon: float, lat: float, *, steps: int = 14) -> list[list[float]]:
    """The outline of a strip, with as many vertices along its sides as real ones have."""
    north, south = lat + 0.8, lat - 0.8
    downs = [step / steps for step in range(steps + 1)]
    right = [[lon + 0.25 + 0.1 * (2 * t - 1), north + (south - north) * t] for t in downs]
    left = [[lon - 0.25 + 0.1 * (2 * t - 1), north + (south - north) * t] for t in reversed(downs)]
    return [*right, *left, right[0]]


def properties(item_id: str, bbox: list[float], *, gsd: float) -> dict[str, Any]:
    """`datetime` is the release date, `proj:bbox` is in degrees and `proj:transform` in GDAL's order."""
    return {
        "title": f"DTM: {item_id}",
        "description": "This is a digital terrain model (DTM) extracted from stereo images. " * 20,
        "datetime": "2023-04-18T12:00:00Z",
        "start_datetime": "2023-04-18T12:00:00.000000Z",
        "end_datetime": "2023-04-18T12:00:00.000000Z",
        "created": "2023-04-20T16:57:02.159Z",
        "updated": "2023-04-20T16:57:02.159Z",
        "missions": ["Mars Reconnaissance Orbiter (MRO)"],
        "instruments": ["Context Camera (CTX)"],
        "gsd": gsd,
        "license": "CC0-1.0",
        "ssys:targets": ["Mars"],
        "proj:epsg": None,
        "proj:wkt2": MARS_WKT1,
        "proj:projjson": {"type": "ProjectedCRS", "name": "Mars (2015) - Sphere / Ocentric / Equirectangular"},
        "proj:bbox": bbox,
        "proj:centroid": {"lat": (bbox[1] + bbox[3]) / 2, "lon": (bbox[0] + bbox[2]) / 2},
        "proj:shape": [4622, 2013],
        "proj:transform": [4577133.4, 20.16, 0, 1146178.5, 0, -20.16],
        "cube:dimensions": {"x": {"type": "spatial", "axis": "x", "extent": [bbox[0], bbox[2]]}},
    }


def assets(item_id: str) -> dict[str, Any]:
    """Three rasters among other files."""
    folder = f"https://data.example.com/mars/ctx/{item_id}"
    return {
        "dtm": {"href": f"{folder}/{item_id}_dtm.tif", "type": GEOTIFF, "roles": ["data"]},
        "image": {"href": f"{folder}/{item_id}_hillshade.tif", "type": GEOTIFF, "roles": ["data", "overview"]},
        "orthoimage": {"href": f"{folder}/{item_id}_orthoimage.tif", "type": GEOTIFF, "roles": ["data"]},
        "thumbnail": {"href": f"{folder}/{item_id}.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
        "qa_metrics": {"href": f"{folder}/qa_metrics.txt", "type": "text/plain", "roles": ["metadata"]},
    }


def item_collection(items: list[Item]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": items}
