"""What a large mosaic costs to write, to change and to look up, beside cogeo-mosaic's DynamoDB backend."""

import asyncio
import base64
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import botocore.endpoint
import numpy as np
import shapely
from store_engines import found, granule, manifest_of, random_index

from quadmosaic.domain import covering, grids
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.mosaic import Index, MosaicRef
from quadmosaic.storage.objects import open_store

NAME = "size"
ZOOM = 10
GRID = "MarsMercatorSphere"


class Meter:
    """Counts the calls to DynamoDB, and the items and bytes that they write or remove."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.items = self.bytes = 0

    def note(self, operation: str, body: Any) -> None:
        self.calls[operation] += 1
        document = json.loads(body)
        if operation == "PutItem":
            self._add(document["Item"])
        elif operation == "BatchWriteItem":
            for requests in document["RequestItems"].values():
                for request in requests:
                    self._add(request["PutRequest"]["Item"] if "PutRequest" in request else {})

    def _add(self, item: dict[str, Any]) -> None:
        self.items += 1
        self.bytes += sum(len(name) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: dict[str, Any]) -> int:
    """As DynamoDB counts an item's size, nearly."""
    ((kind, content),) = value.items()
    if kind == "B":
        return len(base64.b64decode(content))
    if kind == "L":
        return 3 + sum(1 + _value_bytes(member) for member in content)
    if kind == "M":
        return 3 + sum(1 + len(name) + _value_bytes(member) for name, member in content.items())
    if kind == "N":
        return 1 + (len(content) + 1) // 2
    return len(str(content).encode())


@contextmanager
def metered() -> Iterator[Meter]:
    """Counts what any boto3 client of this process sends."""
    meter = Meter()
    send = botocore.endpoint.Endpoint.make_request

    def counting(endpoint: Any, operation: Any, request: dict[str, Any]) -> Any:
        if operation.service_model.service_name == "dynamodb":
            meter.note(operation.name, request["body"])
        return send(endpoint, operation, request)

    botocore.endpoint.Endpoint.make_request = counting
    try:
        yield meter
    finally:
        botocore.endpoint.Endpoint.make_request = send


def strips(count: int) -> tuple[Granule, ...]:
    """Small frames all over Mars, each touching two or three cells."""
    random = np.random.default_rng(1)
    lon, lat = random.uniform(-179.5, 179, count), random.uniform(-65, 65, count)
    return tuple(
        Granule(
            id=f"P{n:06d}_XI_{n % 90:02d}N",
            hrefs={
                "dtm": f"s3://astrogeo-ard/mars/mro/ctx/controlled/usgs/P{n:06d}/P{n:06d}_XI_{n % 90:02d}N-DEM.tif",
                "orthoimage": f"s3://astrogeo-ard/mars/mro/ctx/controlled/usgs/P{n:06d}/P{n:06d}_XI_{n % 90:02d}N.tif",
            },
            footprint=shapely.box(x, y, x + 0.28, y + 0.22),
            properties={"datetime": "2024-01-01T00:00:00Z", "gsd": 5.0},
        )
        for n, (x, y) in enumerate(zip(lon.tolist(), lat.tolist(), strict=True))
    )


def covered(granules: tuple[Granule, ...]) -> Index:
    grid = grids.load(GRID)
    cells = covering.cover([member.footprint for member in granules], grid, ZOOM)
    return Index(grid_id=GRID, zoom=ZOOM, granules=granules, cells=cells)


def size(url: str, *, granules: int) -> None:
    """So many granules, then one more; and the calls of look-ups."""
    members = strips(granules)
    first = covered(members)
    newcomer = replace(strips(granules + 1)[-1], id="newcomer")
    second = covered((newcomer, *members))
    print(
        f"{granules} granules in {len(first.cells)} cells; one more touches "
        f"{sum(1 for places in second.cells.values() if 0 in places)}"
    )
    print(f"{'':34}{'calls':>8}{'items':>9}{'bytes':>13}{'seconds':>9}")
    asyncio.run(_ours(url, first, second))
    parts = urlsplit(url)
    if parts.scheme == "dynamodb":
        _theirs(parts.netloc, first, second)


def _row(what: str, meter: Meter, seconds: float) -> None:
    print(f"{what:34}{sum(meter.calls.values()):8}{meter.items:9}{meter.bytes:13}{seconds:9.2f}  {dict(meter.calls)}")


async def _ours(url: str, first: Index, second: Index) -> None:
    store = open_store(url)
    numbers: list[int] = []
    for index, what in ((first, "quadmosaic: build"), (second, "quadmosaic: one more")):
        with metered() as meter:
            started = time.perf_counter()
            version = await store.write(NAME, manifest_of(index), index)
            await store.publish(MosaicRef(NAME, version.number), expected=numbers[-1] if numbers else None)
            _row(what, meter, time.perf_counter() - started)
        numbers.append(version.number)
    reader = open_store(url, head_ttl_s=60)
    with metered() as meter:
        started = time.perf_counter()
        version = await reader.version(MosaicRef(NAME))
        _row("quadmosaic: a process's first look", meter, time.perf_counter() - started)
    await _look_ups(url, second)


async def _look_ups(url: str, index: Index) -> None:
    """Each by a process that has read the version and no cell."""
    cells = sorted(index.cells)
    places = cells[len(cells) // 3 :: len(cells) // 20][:12]
    for up in (0, 3, 5):
        calls, seconds, equal = [], [], True
        for place in places:
            store = open_store(url, head_ttl_s=60)
            version = await store.version(MosaicRef(NAME))
            with metered() as meter:
                started = time.perf_counter()
                prefix = place[: ZOOM - up]
                if up:
                    lookup = await store.lookup_prefix(version, [prefix], limit=4096)
                else:
                    lookup = await store.lookup(version, [place])
                seconds.append(time.perf_counter() - started)
                calls.append(sum(meter.calls.values()))
            brute = {key: [index.granules[n].id for n in index.cells[key]] for key in cells if key.startswith(prefix)}
            equal = equal and found(lookup.cells) == brute
        print(
            f"quadmosaic: tile {up} levels above: at most {max(calls)} calls, median {statistics.median(calls)}, "
            f"{statistics.median(seconds) * 1000:.1f} ms, same granules as brute force: {equal}"
        )


def _theirs(region: str, first: Index, second: Index) -> None:
    import morecantile
    from cogeo_mosaic.backends.dynamodb import DynamoDBBackend
    from cogeo_mosaic.mosaic import MosaicJSON

    tms = morecantile.TileMatrixSet(**grids.load(GRID).document)

    def document(index: Index) -> MosaicJSON:
        tiles = {key: [index.granules[n].hrefs["orthoimage"] for n in places] for key, places in index.cells.items()}
        return MosaicJSON(
            mosaicjson="0.0.3",
            minzoom=5,
            maxzoom=12,
            quadkey_zoom=ZOOM,
            tilematrixset=tms,
            tiles=tiles,
            bounds=(-180, -70, 180, 70),
        )

    url = f"dynamodb://{region}/cogeo:size"
    for index, what in ((first, "cogeo-mosaic: build"), (second, "cogeo-mosaic: one more, overwritten")):
        with metered() as meter:
            started = time.perf_counter()
            DynamoDBBackend(url, mosaic_def=document(index)).write(overwrite=True)
            print()
            _row(what, meter, time.perf_counter() - started)
    backend = DynamoDBBackend(url)
    cells = sorted(second.cells)
    for up in (0, 3, 5):
        key = cells[len(cells) // 3][: ZOOM - up]
        tile = tms.quadkey_to_tile(key) if hasattr(tms, "quadkey_to_tile") else grids.load(GRID).tile(key)
        with metered() as meter:
            started = time.perf_counter()
            backend.get_assets(tile.x, tile.y, tile.z)
            _row(f"cogeo-mosaic: tile {up} levels above", meter, time.perf_counter() - started)


def warm() -> None:
    """Look-up time with a warm cache, at a thousand and at a million cells."""

    async def run(cells: int) -> None:
        side = 1000 if cells > 1000 else 32
        index = random_index(zoom=11 if cells > 1000 else 6, cells=1, granules=200)
        keys = [_quadkey(n % side, n // side, index.zoom) for n in range(cells)]
        lists = {key: tuple((n + step) % 200 for step in range(3)) for n, key in enumerate(keys)}
        index = replace(index, granules=tuple(granule(f"g{n}") for n in range(200)), cells=lists)
        store = open_store("memory://", head_ttl_s=3600, cache_bytes=256 << 20)
        version = await store.write(NAME, manifest_of(index), index)
        await store.publish(MosaicRef(NAME, version.number), expected=None)
        times = []
        for key in keys[:: max(1, cells // 50)] * 20:
            started = time.perf_counter()
            await store.lookup(await store.version(MosaicRef(NAME)), [key])
            times.append((time.perf_counter() - started) * 1e6)
        late = times[len(times) // 2 :]
        print(f"{cells:9} cells: median {statistics.median(late):.0f} us, p99 {np.percentile(late, 99):.0f} us")

    for cells in (1000, 1_000_000):
        asyncio.run(run(cells))


def _quadkey(x: int, y: int, zoom: int) -> str:
    return "".join(str((x >> bit & 1) | (y >> bit & 1) << 1) for bit in reversed(range(zoom)))
