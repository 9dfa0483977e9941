"""The fast reader over the network: what it asks a server for, and what it does where the fast path ends."""

import asyncio
import time
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine

from quadmosaic.api.timing import server_timing
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.trace import tracing
from quadmosaic.ports import Layer, ReadFailure, ReadOptions
from quadmosaic.reading.fast_reader import MEGABYTE, FastReader
from quadmosaic.reading.rasterio_reader import RasterioReader
from range_server import RangeServer
from rasters import waves, write_raster

MARS = "IAU_2015:49910"
BOX = GeoBox(MARS, (0.0, 0.0, 6400.0, 6400.0), 64, 64)
WHOLE = shapely.box(-1, -1, 1, 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    with RangeServer(tmp_path) as server:
        yield server


@pytest.fixture
def reader() -> Iterator[FastReader]:
    fallback = RasterioReader(buckets={}, max_reads=4)
    reader = FastReader(fallback, buckets={})
    yield reader
    reader.close()
    fallback.close()


def put(server: RangeServer, key: str, value: int = 1, *, hole: tuple[slice, slice] | None = None) -> Path:
    """A raster over BOX, of noise that starts at `value`, in 4 x 4 blocks of 16."""
    data = np.full((1, 64, 64), value, np.uint8)
    if hole is not None:
        data[0][hole] = 0
    layout = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
    return write_raster(server.folder / key, data, crs=MARS, bounds=BOX.bounds, nodata=0, layout=layout)


def granules(server: RangeServer, *keys: str, footprint: shapely.Geometry = WHOLE) -> list[Granule]:
    return [Granule(id=key, hrefs={"image": f"{server.url}/{key}"}, footprint=footprint) for key in keys]


async def headers_of(reader: FastReader, asked: Sequence[Granule], server: RangeServer) -> dict[str, Header]:
    server.is_slow = False
    headers = {granule.id: await reader.scan(granule.hrefs["image"]) for granule in asked}
    server.is_slow = True
    server.most_at_once = 0
    server.take()
    return headers


async def read(
    reader: FastReader,
    asked: Sequence[Granule],
    headers: Mapping[str, Header],
    box: GeoBox = BOX,
    *,
    until_full: bool = False,
    timeout_s: float | None = None,
) -> list[Layer | ReadFailure]:
    options = ReadOptions(asset="image", until_full=until_full, timeout_s=timeout_s)
    return [answer async for answer in reader.read(asked, box, options, headers=headers)]


def part(left: int, top: int, size: int) -> GeoBox:
    """Some pixels of BOX."""
    return GeoBox(
        MARS, (left * 100.0, 6400.0 - (top + size) * 100.0, (left + size) * 100.0, 6400.0 - top * 100.0), size, size
    )


async def test_only_the_block_ranges_are_asked_for_neighbours_together(server: RangeServer, reader: FastReader) -> None:
    put(server, "a.tif", 7)
    asked = granules(server, "a.tif")
    headers = await headers_of(reader, asked, server)
    (layer,) = await read(reader, asked, headers, part(20, 20, 20))
    assert isinstance(layer, Layer)
    assert (layer.bands == 7).all()
    requests = server.take()
    assert [request.method for request in requests] == ["GET"]
    tables = headers["a.tif"].blocks
    assert tables is not None
    offsets, counts = tables.levels[0].block_offsets, tables.levels[0].block_byte_counts
    assert requests[0].span == (offsets[5], offsets[10] + counts[10])
    assert reader.tally.blocks == 4


async def test_blocks_far_apart_are_asked_for_at_once(server: RangeServer, reader: FastReader) -> None:
    noise = np.random.default_rng(1).integers(1, 255, (1, 512, 2048), np.uint8)
    layout = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    transform = Affine(100, 0, 0, 0, -100, 0)
    write_raster(server.folder / "slow.tif", noise, crs=MARS, transform=transform, layout=layout)
    asked = granules(server, "slow.tif")
    headers = await headers_of(reader, asked, server)
    (layer,) = await read(reader, asked, headers, GeoBox(MARS, (50000, -30600, 60000, -20600), 100, 100))
    assert server.most_at_once == 2
    assert isinstance(layer, Layer)
    np.testing.assert_array_equal(layer.bands, noise[:, 206:306, 500:600])
    assert len(server.take()) == 2


async def test_a_block_is_fetched_once_while_it_is_kept(server: RangeServer, reader: FastReader) -> None:
    put(server, "a.tif")
    asked = granules(server, "a.tif")
    headers = await headers_of(reader, asked, server)
    await read(reader, asked, headers, part(0, 0, 20))
    server.take()
    await read(reader, asked, headers, part(4, 4, 20))
    assert server.take() == []
    await read(reader, asked, headers, part(16, 0, 30))
    assert len(server.take()) == 1
    assert (reader.tally.blocks, reader.tally.cached_blocks) == (6, 6)


async def test_a_granule_that_the_box_does_not_touch_costs_no_request(server: RangeServer, reader: FastReader) -> None:
    put(server, "a.tif")
    asked = granules(server, "a.tif")
    headers = await headers_of(reader, asked, server)
    (layer,) = await read(reader, asked, headers, GeoBox(MARS, (1e6, 1e6, 1.1e6, 1.1e6), 64, 64))
    assert isinstance(layer, Layer)
    assert not layer.mask.any()
    assert server.take() == []


async def test_without_a_header_a_file_is_scanned_once(server: RangeServer, reader: FastReader) -> None:
    put(server, "a.tif", 5)
    asked = granules(server, "a.tif") * 3
    answers = await read(reader, asked, {})
    assert [(answer.bands == 5).all() for answer in answers if isinstance(answer, Layer)] == [True] * 3
    assert (reader.tally.fast, dict(reader.tally.fallbacks)) == (3, {})
    heads = sum(request.method == "HEAD" for request in server.take())
    await read(reader, asked, {})
    assert server.take() == []
    await reader.scan(asked[0].hrefs["image"])
    assert heads == sum(request.method == "HEAD" for request in server.take())


@pytest.mark.parametrize("key", ["a.tif", "lax.tif"])
async def test_a_replaced_file_is_never_read_with_its_old_table(
    server: RangeServer, reader: FastReader, key: str
) -> None:
    put(server, key, 3)
    asked = granules(server, key)
    headers = await headers_of(reader, asked, server)
    noise = np.random.default_rng(2).integers(100, 255, (1, 64, 64), np.uint8)
    write_raster(server.folder / key, noise, crs=MARS, bounds=BOX.bounds)
    (layer,) = await read(reader, asked, headers)
    assert isinstance(layer, Layer)
    np.testing.assert_array_equal(layer.bands, noise)
    assert dict(reader.tally.fallbacks) == {"replaced file": 1}
    assert reader.replaced == {asked[0].hrefs["image"]}
    (again,) = await read(reader, asked, headers)
    assert isinstance(again, Layer)
    np.testing.assert_array_equal(again.bands, noise)
    assert reader.tally.fast == 1


async def test_a_file_without_etag_is_left_to_the_fallback(server: RangeServer, reader: FastReader) -> None:
    put(server, "plain.tif", 4)
    asked = granules(server, "plain.tif")
    (layer,) = await read(reader, asked, await headers_of(reader, asked, server))
    assert isinstance(layer, Layer)
    assert (layer.bands == 4).all()
    assert dict(reader.tally.fallbacks) == {"no etag": 1}


async def test_until_full_a_covered_granule_is_not_fetched(server: RangeServer, reader: FastReader) -> None:
    keys = [f"{i}.tif" for i in range(4)]
    for value, key in enumerate(keys, start=1):
        put(server, key, value)
    asked = granules(server, *keys)
    headers = await headers_of(reader, asked, server)
    answers = await read(reader, asked, headers, until_full=True)
    assert [isinstance(answer, Layer) and bool(answer.mask.any()) for answer in answers] == [True, False, False, False]
    assert {request.key for request in server.take()} == {"0.tif"}
    assert reader.tally.covered == 3
    everything = await read(reader, asked, headers)
    assert all(isinstance(answer, Layer) and answer.mask.all() for answer in everything)


async def test_until_full_a_second_wave_fills_the_holes_of_the_first(server: RangeServer, reader: FastReader) -> None:
    put(server, "holed.tif", 1, hole=(slice(10, 30), slice(40, 50)))
    put(server, "slow-half.tif", 2, hole=(slice(0, 20), slice(0, 64)))
    put(server, "slow-full.tif", 3)
    put(server, "spare.tif", 4)
    asked = granules(server, "holed.tif", "slow-half.tif", "slow-full.tif", "spare.tif")
    headers = await headers_of(reader, asked, server)
    answers = await read(reader, asked, headers, until_full=True)
    assert server.most_at_once >= 2
    result = np.zeros((64, 64), np.uint8)
    for answer in answers:
        assert isinstance(answer, Layer)
        result = np.where((result == 0) & answer.mask, answer.bands[0], result)
    expected = np.ones((64, 64), np.uint8)
    expected[20:30, 40:50] = 2
    expected[10:20, 40:50] = 3
    np.testing.assert_array_equal(result, expected)


async def test_until_full_granules_side_by_side_are_fetched_at_once(server: RangeServer, reader: FastReader) -> None:
    degree = 3396190 * np.pi / 180
    put(server, "slow-west.tif", 1, hole=(slice(None), slice(32, 64)))
    put(server, "slow-east.tif", 2, hole=(slice(None), slice(0, 32)))
    west = granules(server, "slow-west.tif", footprint=shapely.box(0, 0, 3200 / degree, 6400 / degree))
    east = granules(server, "slow-east.tif", footprint=shapely.box(3200 / degree, 0, 6400 / degree, 6400 / degree))
    asked = [*west, *east]
    headers = await headers_of(reader, asked, server)
    first, second = await read(reader, asked, headers, until_full=True)
    assert server.most_at_once == 2
    assert isinstance(first, Layer)
    assert isinstance(second, Layer)
    assert (first.mask ^ second.mask).all()


async def test_sixteen_granules_of_which_three_fail_are_answered_in_time(
    server: RangeServer, reader: FastReader
) -> None:
    server.delay_s = 2.0
    keys = [f"{i}.tif" for i in range(16)]
    keys[3], keys[7], keys[11] = "corrupt.tif", "missing.tif", "slow.tif"
    for key in keys:
        put(server, key, 9)
    asked = granules(server, *keys)
    headers = await headers_of(reader, asked, server)
    (server.folder / "missing.tif").unlink()
    corrupt = server.folder / "corrupt.tif"
    tables = headers["corrupt.tif"].blocks
    assert tables is not None
    damaged = bytearray(corrupt.read_bytes())
    for start, count in zip(tables.levels[0].block_offsets, tables.levels[0].block_byte_counts, strict=True):
        damaged[int(start) : int(start + count)] = b"\xff" * int(count)
    corrupt.write_bytes(damaged)
    headers |= await headers_of(reader, granules(server, "corrupt.tif"), server)
    started = time.monotonic()
    answers = await read(reader, asked, headers, timeout_s=1.0)
    assert time.monotonic() - started < server.delay_s
    reasons = {answer.granule.id: answer.reason for answer in answers if isinstance(answer, ReadFailure)}
    assert set(reasons) == {"corrupt.tif", "missing.tif", "slow.tif"}
    assert "damaged" in reasons["corrupt.tif"]
    assert "does not exist" in reasons["missing.tif"]
    assert "1 s" in reasons["slow.tif"]
    assert [answer.granule.id for answer in answers] == keys


async def test_a_forbidden_file_says_so(server: RangeServer, reader: FastReader) -> None:
    path = put(server, "a.tif")
    headers = {"secret.tif": await reader.scan(f"{server.url}/a.tif")}
    path.rename(server.folder / "secret.tif")
    (failure,) = await read(reader, granules(server, "secret.tif"), headers)
    assert isinstance(failure, ReadFailure)
    assert "may not be read" in failure.reason


async def test_closing_the_stream_stops_what_is_under_way(server: RangeServer, reader: FastReader) -> None:
    put(server, "a.tif")
    put(server, "slow.tif")
    asked = [*granules(server, "a.tif"), *granules(server, "slow.tif") * 3]
    headers = await headers_of(reader, asked, server)
    stream = reader.read(asked, BOX, ReadOptions(asset="image"), headers=headers)
    assert isinstance(await anext(stream), Layer)
    await stream.aclose()
    assert len(asyncio.all_tasks()) == 1
    assert reader.tally.fast == 1


async def test_the_event_loop_goes_on_while_blocks_are_decoded(server: RangeServer, reader: FastReader) -> None:
    noise = np.random.default_rng(1).integers(1, 255, (4, 2048, 2048)).astype(np.float32)
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}
    bounds = (0.0, 0.0, 204800.0, 204800.0)
    path = write_raster(server.folder / "a.tif", noise, crs=MARS, bounds=bounds, layout=layout)
    asked = [Granule(id="a", hrefs={"image": str(path)}, footprint=WHOLE)]
    headers = {"a": await reader.scan(str(path))}
    ticks = [time.monotonic()]

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.002)
            ticks.append(time.monotonic())

    ticking = asyncio.create_task(tick())
    started = time.monotonic()
    await read(reader, asked, headers, GeoBox(MARS, bounds, 2048, 2048))
    took = time.monotonic() - started
    ticking.cancel()
    assert np.diff(ticks).max() < took / 2


def polar(folder: Path, count: int) -> list[Granule]:
    """Granules of one polar raster, whose pixels every GeoBox of MERCATOR has to be turned to."""
    path = write_raster(folder / "polar.tif", waves("uint8"), crs="IAU_2015:49930", bounds=(-2e6, -2e6, 2e6, 2e6))
    return [
        Granule(id=f"g{i}", hrefs={"image": str(path)}, footprint=shapely.box(-180, 60, 180, 90)) for i in range(count)
    ]


def north(size: int) -> GeoBox:
    """A square between Mars's northern mid-latitudes and its pole, of so many pixels a side."""
    return GeoBox(MARS, (0.2e6, 3.6e6, 1.8e6, 5.2e6), size, size)


async def test_planning_ends_at_the_deadline(server: RangeServer, reader: FastReader) -> None:
    asked = polar(server.folder, 16)
    headers = dict.fromkeys((granule.id for granule in asked), await reader.scan(asked[0].hrefs["image"]))
    await read(reader, asked[:1], headers, north(900))
    started = time.monotonic()
    await read(reader, asked[:1], headers, north(1000))
    alone_s = time.monotonic() - started
    started = time.monotonic()
    answers = await read(reader, asked, headers, north(1001), timeout_s=alone_s)
    assert time.monotonic() - started < 6 * alone_s
    assert [answer.granule.id for answer in answers] == [granule.id for granule in asked]
    assert isinstance(answers[-1], ReadFailure)
    assert "deadline" in answers[-1].reason


async def test_a_tile_does_not_wait_for_the_plans_of_a_large_image(server: RangeServer, reader: FastReader) -> None:
    asked = polar(server.folder, 8)
    headers = dict.fromkeys((granule.id for granule in asked), await reader.scan(asked[0].hrefs["image"]))
    await read(reader, asked[:1], headers, north(64))
    started = time.monotonic()
    image = asyncio.create_task(read(reader, asked, headers, north(1500)))
    await asyncio.sleep(0.05)
    (tile,) = await read(reader, asked[:1], headers, north(256))
    tile_s = time.monotonic() - started
    assert isinstance(tile, Layer)
    assert all(isinstance(answer, Layer) for answer in await image)
    assert tile_s < (time.monotonic() - started) / 3


async def peak_bytes(reader: FastReader, asked: Sequence[Granule], header: Header, box: GeoBox) -> int:
    """Bytes that were held at most; the caller forgets each layer at once."""
    headers = dict.fromkeys((granule.id for granule in asked), header)
    tracemalloc.start()
    async with aclosing(reader.read(asked, box, ReadOptions(asset="image"), headers=headers)) as answers:
        async for answer in answers:
            assert isinstance(answer, Layer)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


async def test_memory_does_not_grow_with_the_granules_of_a_large_image(server: RangeServer, reader: FastReader) -> None:
    asked = polar(server.folder, 12)
    header = await reader.scan(asked[0].hrefs["image"])
    await read(reader, asked[:1], {"g0": header}, north(64))
    few = await peak_bytes(reader, asked[:4], header, north(1500))
    assert await peak_bytes(reader, asked, header, north(1501)) < 1.6 * few


async def test_memory_does_not_grow_with_granules_without_overviews(
    server: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quadmosaic.reading.fast_reader.IMAGE_BYTES", 1 << 23)
    fallback = RasterioReader(buckets={}, max_reads=1)
    reader = FastReader(fallback, buckets={}, block_cache_bytes=1)
    data = np.tile(waves("float32"), (1, 5, 5))
    layout = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    names = [f"{i}.tif" for i in range(12)]
    for name in names:
        write_raster(server.folder / name, data, crs=MARS, bounds=BOX.bounds, layout=layout)
    asked = [Granule(id=name, hrefs={"image": str(server.folder / name)}, footprint=WHOLE) for name in names]
    header = await reader.scan(str(server.folder / names[0]))
    headers = {granule.id: await reader.scan(granule.hrefs["image"]) for granule in asked}
    assert all(isinstance(answer, Layer) for answer in await read(reader, asked, headers))
    assert await peak_bytes(reader, asked[:1] * 12, header, BOX) < 3 * (1 << 23)
    reader.close()
    fallback.close()


async def test_coordinates_are_kept_up_to_so_many_bytes(server: RangeServer, reader: FastReader) -> None:
    asked = polar(server.folder, 1)
    headers = {"g0": await reader.scan(asked[0].hrefs["image"])}
    tracemalloc.start()
    for size in range(1000, 1020):
        await read(reader, asked, headers, north(size))
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 160 * MEGABYTE


async def test_a_huge_block_is_left_to_the_fallback(server: RangeServer, reader: FastReader) -> None:
    data = np.ones((3, 64, 64), np.uint8)
    layout = {"tiled": True, "blockxsize": 8192, "blockysize": 4096, "compress": "deflate"}
    path = write_raster(server.folder / "a.tif", data, crs=MARS, bounds=BOX.bounds, layout=layout)
    asked = [Granule(id="a", hrefs={"image": str(path)}, footprint=WHOLE)]
    (layer,) = await read(reader, asked, {"a": await reader.scan(str(path))})
    assert isinstance(layer, Layer)
    np.testing.assert_array_equal(layer.bands, data)
    assert dict(reader.tally.fallbacks) == {"huge block": 1}


async def test_a_record_of_the_file_that_took_another_s_place_counts_again(
    server: RangeServer, reader: FastReader
) -> None:
    put(server, "a.tif", 3)
    asked = granules(server, "a.tif")
    old = await headers_of(reader, asked, server)
    put(server, "a.tif", 200)
    await read(reader, asked, old)
    new = await headers_of(reader, asked, server)
    (layer,) = await read(reader, asked, new)
    assert isinstance(layer, Layer)
    assert layer.bands.max() == 200
    assert (reader.tally.fast, reader.tally.scanned) == (1, 0)


async def test_requests_in_vain_are_counted(server: RangeServer, reader: FastReader) -> None:
    put(server, "a.tif", 3)
    asked = granules(server, "a.tif")
    headers = await headers_of(reader, asked, server)
    (server.folder / "a.tif").unlink()
    with tracing() as trace:
        (failure,) = await read(reader, asked, headers)
    assert isinstance(failure, ReadFailure)
    assert (trace.tally.requests, trace.tally.failed) == (len(server.take()), 1)
    assert 'failed;desc="1"' in server_timing(trace)


async def test_until_full_a_large_covered_granule_holds_no_pixels(server: RangeServer, reader: FastReader) -> None:
    asked = polar(server.folder, 3)
    headers = dict.fromkeys((granule.id for granule in asked), await reader.scan(asked[0].hrefs["image"]))
    first, *others = await read(reader, asked, headers, north(800), until_full=True)
    assert isinstance(first, Layer)
    for other in others:
        assert isinstance(other, Layer)
        assert (other.bands.shape, other.bands.dtype) == (first.bands.shape, first.bands.dtype)
        assert not other.mask.any()
    assert (reader.tally.fast, reader.tally.covered) == (1, 2)
