"""The tutorial in one curl: a real STAC API, COGs in a stand-in for the bucket, the service as its users start it."""

import json
import math
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.io import MemoryFile

from quadmosaic.demo.terrain import RADIUS_M
from quadmosaic.domain.grids import Tile
from range_server import Asked, RangeServer
from stac_servers import free_port, pgstac, rustac, wait_for
from tutorial_scene import ASSETS, BUCKET, METRES_PER_DEGREE, Item, asset_file

TMS = "MarsMercatorSphere"
ITEMS = "jezero_items.json"
COLLECTION = "mro_ctx_controlled_usgs_dtms"
TEN = (76.58, 17.38, 78.58, 19.38)
NINE = (76.69, 17.41, 78.69, 19.41)
SERVERS: dict[str, Callable[[Path, Path], AbstractContextManager[str]]] = {"pgstac": pgstac, "rustac": rustac}
TILE_SIDE = 256
DELTA = Tile(732, 458, 10)
"""Over quadkey 123301312, whose granules the tutorial looks at; its pixels are finer than the files' own."""
WHOLE_M = 2 * math.pi * RADIUS_M
"""Width of the Mercator grid's only tile at zoom 0."""


@dataclass(frozen=True, kw_only=True)
class Tutorial:
    """A service, the catalog and the bucket that it reads, and the document that is to come out (`seed`)."""

    href: str
    stac: str
    bucket: RangeServer
    folder: Path
    items: Sequence[Item]
    seed: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Posted:
    """What curl got for a POST, in how many seconds, and what the service asked of the bucket meanwhile."""

    status: int
    document: dict[str, Any]
    seconds: float
    asked: Sequence[Asked]


@contextmanager
def tutorial(
    server: str, data: Path, folder: Path, store: Path, *, viewer_assets: Path | None = None
) -> Iterator[Tutorial]:
    """Everything started: the items of `data` on a server, the files of `folder` in a bucket, a service on `store`.

    Raises stac_servers.Missing.
    """
    with (
        SERVERS[server](data / "collection_mro_ctx.json", data / ITEMS) as stac,
        RangeServer(folder) as bucket,
        _service(stac, bucket.url, store, viewer_assets) as href,
    ):
        seed = json.loads((data / "seed_mosaic.json").read_text())
        yield Tutorial(href=href, stac=stac, bucket=bucket, folder=folder, items=items_of(data), seed=seed)


def items_of(data: Path) -> list[Item]:
    """The tutorial's ten items."""
    items: list[Item] = json.loads((data / ITEMS).read_text())["features"]
    return items


def body_of(it: Tutorial, *, name: str, bbox: Sequence[float], page: int | None = None) -> dict[str, Any]:
    """What is posted; `page` is how many items the API is asked for at once."""
    search: dict[str, Any] = {"collections": [COLLECTION], "bbox": list(bbox)}
    return {
        "name": name,
        "assets": list(ASSETS),
        "tms": TMS,
        "source": {"type": "stac", "href": it.stac, "search": search if page is None else search | {"limit": page}},
    }


def post(it: Tutorial, body: dict[str, Any], *, query: str = "") -> Posted:
    """POST /mosaics by curl."""
    it.bucket.take()
    started = time.perf_counter()
    ended = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "120", "--write-out", "\n%{http_code}", "--json",
         json.dumps(body), f"{it.href}/mosaics{query}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    text, _, status = ended.stdout.rpartition("\n")
    seconds = time.perf_counter() - started
    return Posted(status=int(status), document=json.loads(text), seconds=seconds, asked=it.bucket.take())


def names(tiles: dict[str, list[str]]) -> dict[str, list[str]]:
    """A document's tiles with the files' names in place of their hrefs, which have several spellings."""
    return {quadkey: [href.rpartition("/")[2] for href in hrefs] for quadkey, hrefs in tiles.items()}


def expected_tile(it: Tutorial, tile: Tile, asset: str) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    """(height, width) of values and of which are valid: at each pixel's centre the first file that has any.

    Worked out from the files' arrays alone, in the order of the tutorial's own document.
    """
    side = WHOLE_M / 2**tile.z / TILE_SIDE
    centres = np.arange(TILE_SIDE) + 0.5
    x = -WHOLE_M / 2 + (tile.x * TILE_SIDE + centres) * side
    y = WHOLE_M / 2 - (tile.y * TILE_SIDE + centres) * side
    latitude = np.degrees(2 * np.arctan(np.exp(y / RADIUS_M)) - math.pi / 2)
    values: npt.NDArray[np.generic] | None = None
    valid = np.zeros((TILE_SIDE, TILE_SIDE), bool)
    for item in it.items:
        with rasterio.open(asset_file(it.folder, item, asset)) as file:
            pixels, there = _at(file, x, latitude * METRES_PER_DEGREE)
        values = np.zeros_like(pixels) if values is None else values
        fresh = there & ~valid
        values[fresh] = pixels[fresh]
        valid |= fresh
    assert values is not None
    return values, valid


def _at(
    file: rasterio.DatasetReader, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    """The pixels in which rows of y and columns of x (metres of the file's CRS) lie, and which of them are valid."""
    band = file.read(1)
    columns = np.floor((x - file.transform.c) / file.transform.a).astype(int)
    rows = np.floor((y - file.transform.f) / file.transform.e).astype(int)
    height, width = band.shape
    is_inside = np.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
    pixels = band[np.ix_(np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1))]
    return pixels, is_inside & (pixels != file.nodata)


def drawn_tile(it: Tutorial, name: str, asset: str) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    """The service's GeoTIFF of a tile at the delta: (height, width) of values and of which are valid."""
    tile = DELTA
    address = f"{it.href}/mosaics/{name}/tiles/{TMS}/{tile.z}/{tile.x}/{tile.y}.tif?assets={asset}"
    with urllib.request.urlopen(address, timeout=60) as reply, MemoryFile(reply.read()) as held, held.open() as file:
        return file.read(1), file.read_masks(1) > 0


def mosaic_json(it: Tutorial, name: str, asset: str) -> dict[str, Any]:
    """The mosaic as MosaicJSON."""
    with urllib.request.urlopen(f"{it.href}/mosaics/{name}/mosaic.json?asset={asset}", timeout=60) as reply:
        document: dict[str, Any] = json.load(reply)
    return document


@contextmanager
def _service(stac: str, bucket: str, store: Path, viewer_assets: Path | None) -> Iterator[str]:
    port = free_port()
    environment = {
        "QUADMOSAIC_STORE": str(store),
        "QUADMOSAIC_ALLOWED_HOSTS": f"s3://{BUCKET},{urlsplit(stac).netloc}",
        "QUADMOSAIC_ALLOW_PRIVATE": "true",
        "QUADMOSAIC_BUCKETS": json.dumps({BUCKET: {"endpoint": bucket}}),
        **({} if viewer_assets is None else {"QUADMOSAIC_VIEWER_ASSETS": str(viewer_assets)}),
    }
    command = [sys.executable, "-m", "quadmosaic", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=os.environ | environment)
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
