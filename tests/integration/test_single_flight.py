"""Images at the same time: what they have in common is fetched once, and none can spoil it for another."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.trace import Trace, tracing
from quadmosaic.ports import Layer, ReadOptions
from quadmosaic.reading.fast_reader import FastReader
from quadmosaic.reading.rasterio_reader import RasterioReader
from range_server import RangeServer
from rasters import ramp, write_raster

MARS = "IAU_2015:49910"
BOX = GeoBox(MARS, (0.0, 0.0, 6400.0, 6400.0), 64, 64)
RAMP = ramp(64, 64)
LAYOUT = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    write_raster(tmp_path / "slow.tif", RAMP, crs=MARS, bounds=BOX.bounds, layout=LAYOUT)
    with RangeServer(tmp_path, delay_s=0.2) as server:
        yield server


@pytest.fixture
def reader() -> Iterator[FastReader]:
    reader = FastReader(RasterioReader(buckets={}), buckets={})
    yield reader
    reader.close()


def granule(server: RangeServer) -> Granule:
    return Granule(id="g", hrefs={"image": f"{server.url}/slow.tif"}, footprint=shapely.box(-1, -1, 1, 1))


async def header_of(reader: FastReader, server: RangeServer) -> Header:
    server.is_slow = False
    header = await reader.scan(granule(server).hrefs["image"])
    server.is_slow = True
    server.take()
    return header


async def read(reader: FastReader, server: RangeServer, header: Header, box: GeoBox = BOX) -> tuple[Layer, Trace]:
    with tracing() as trace:
        stream = reader.read([granule(server)], box, ReadOptions(asset="image"), headers={"g": header})
        (layer,) = [answer async for answer in stream]
    assert isinstance(layer, Layer)
    return layer, trace


def upper(rows: int) -> GeoBox:
    return GeoBox(MARS, (0.0, 6400.0 - rows * 100.0, 6400.0, 6400.0), 64, rows)


async def test_two_images_of_the_same_blocks_fetch_them_once(server: RangeServer, reader: FastReader) -> None:
    header = await header_of(reader, server)
    answers = await asyncio.gather(*(read(reader, server, header) for _ in range(5)))
    assert len(server.take()) == 1
    assert all((layer.bands == RAMP).all() for layer, _ in answers)
    assert (reader.tally.blocks, reader.tally.shared_blocks, reader.tally.requests) == (16, 64, 1)
    assert sorted((trace.tally.requests, trace.tally.shared_blocks) for _, trace in answers) == [(0, 16)] * 4 + [(1, 0)]


async def test_an_image_fetches_only_what_no_other_is_fetching(server: RangeServer, reader: FastReader) -> None:
    header = await header_of(reader, server)
    (small, _), (large, trace) = await asyncio.gather(
        read(reader, server, header, upper(32)), read(reader, server, header)
    )
    assert (small.bands == RAMP[:, :32]).all()
    assert (large.bands == RAMP).all()
    spans = sorted(request.span or (0, 0) for request in server.take())
    assert len(spans) == 2
    assert spans[0][1] <= spans[1][0]
    assert (trace.tally.blocks, trace.tally.shared_blocks) == (8, 8)


async def test_who_is_cancelled_first_does_not_fail_the_others(server: RangeServer, reader: FastReader) -> None:
    header = await header_of(reader, server)
    first, second = (asyncio.create_task(read(reader, server, header)) for _ in range(2))
    await asyncio.sleep(server.delay_s / 4)
    first.cancel()
    layer, _ = await second
    assert first.cancelled()
    assert (layer.bands == RAMP).all()
    assert len(server.take()) == 1


async def test_when_all_are_cancelled_nothing_goes_on(server: RangeServer, reader: FastReader) -> None:
    header = await header_of(reader, server)
    images = [asyncio.create_task(read(reader, server, header)) for _ in range(3)]
    await asyncio.sleep(server.delay_s / 4)
    for image in images:
        image.cancel()
    await asyncio.gather(*images, return_exceptions=True)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
    layer, _ = await read(reader, server, header)
    assert (layer.bands == RAMP).all()
    assert reader.tally.blocks == 16


async def test_a_fault_reaches_all_who_wait(server: RangeServer, reader: FastReader) -> None:
    header = await header_of(reader, server)
    other = ramp(64, 64)[:, ::-1].copy()
    write_raster(server.folder / "slow.tif", other, crs=MARS, bounds=BOX.bounds, layout=LAYOUT)
    answers = await asyncio.gather(*(read(reader, server, header) for _ in range(3)))
    assert all((layer.bands == other).all() for layer, _ in answers)
    assert [dict(trace.tally.fallbacks) for _, trace in answers] == [{"replaced file": 1}] * 3


async def test_one_scan_serves_all_who_lack_the_header(server: RangeServer, reader: FastReader) -> None:
    async def unknown() -> Layer:
        stream = reader.read([granule(server)], BOX, ReadOptions(asset="image"))
        (layer,) = [answer async for answer in stream]
        assert isinstance(layer, Layer)
        return layer

    alone = asyncio.create_task(unknown())
    await asyncio.sleep(server.delay_s / 4)
    others = [asyncio.create_task(unknown()) for _ in range(4)]
    await asyncio.sleep(server.delay_s / 4)
    alone.cancel()
    assert all((layer.bands == RAMP).all() for layer in await asyncio.gather(*others))
    heads = [request.span for request in server.take() if request.span and request.span[0] == 0]
    assert len(heads) == 1


def test_a_reader_serves_one_event_loop_after_another(server: RangeServer, reader: FastReader) -> None:
    """As in a function that keeps its caches, and runs each request in an event loop of its own."""
    header = asyncio.run(header_of(reader, server))

    async def given_up() -> None:
        image = asyncio.create_task(read(reader, server, header, upper(16)))
        await asyncio.sleep(server.delay_s / 4)
        image.cancel()

    async def several() -> list[tuple[Layer, Trace]]:
        return await asyncio.gather(*(read(reader, server, header) for _ in range(40)))

    asyncio.run(given_up())
    for _ in range(3):
        layers = [layer for layer, _ in asyncio.run(several())]
        assert all((layer.bands == RAMP).all() for layer in layers)
    assert reader.tally.blocks == 16


def test_an_event_loop_that_stopped_in_the_middle_holds_nothing_up(server: RangeServer, reader: FastReader) -> None:
    header = asyncio.run(header_of(reader, server))
    frozen = asyncio.new_event_loop()
    image = frozen.create_task(read(reader, server, header))
    frozen.run_until_complete(asyncio.sleep(server.delay_s / 4))
    layer, _ = asyncio.run(asyncio.wait_for(read(reader, server, header), 5))
    assert (layer.bands == RAMP).all()
    assert (frozen.run_until_complete(image)[0].bands == RAMP).all()
    frozen.close()


async def test_requests_to_one_host_are_bounded_over_all_images(server: RangeServer) -> None:
    noise = np.random.default_rng(1).integers(1, 255, (1, 512, 4096), np.uint8)
    layout = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    write_raster(server.folder / "slow.tif", noise, crs=MARS, bounds=(0, 0, 409600, 51200), layout=layout)
    reader = FastReader(RasterioReader(buckets={}), buckets={}, host_requests=3)
    header = await header_of(reader, server)
    server.most_at_once = 0
    boxes = [GeoBox(MARS, (51200.0 * i, 0.0, 51200.0 * i + 10000, 51200.0), 100, 512) for i in range(8)]
    await asyncio.gather(*(read(reader, server, header, box) for box in boxes))
    reader.close()
    assert server.most_at_once == 3
