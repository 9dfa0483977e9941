"""What GDAL has to read over the network: through requests of our own, and from stored header bytes where it can."""

import asyncio
import math
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
import rasterio.shutil
import shapely
from affine import Affine

from quadmosaic.api.timing import server_timing
from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.trace import Tally, Trace, tracing
from quadmosaic.ports import Layer, ReadFailure, ReadOptions
from quadmosaic.reading.access import Places
from quadmosaic.reading.fast_reader import FastReader
from quadmosaic.reading.gates import HostGates
from quadmosaic.reading.line import Line
from quadmosaic.reading.rasterio_reader import RasterioReader
from quadmosaic.reading.remote_file import RemoteFile
from range_server import RangeServer
from rasters import Array

MARS = "IAU_2015:49910"
SIDE = 512
LEADER = 4
"""Bytes that GDAL's COGs have in front of a block."""
BOX = GeoBox(MARS, (20000.0, 20000.0, 40000.0, 40000.0), 200, 200)
COARSE = GeoBox(MARS, (0.0, 0.0, 51200.0, 51200.0), 256, 256)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    with RangeServer(tmp_path, delay_s=1.0) as server:
        yield server


@pytest.fixture
def fallback() -> Iterator[RasterioReader]:
    reader = RasterioReader(buckets={}, max_reads=4)
    yield reader
    reader.close()


@pytest.fixture
def reader(fallback: RasterioReader) -> Iterator[FastReader]:
    reader = FastReader(fallback, buckets={})
    yield reader
    reader.close()


def put(
    server: RangeServer, key: str, *, seed: int = 1, driver: str = "COG", options: Mapping[str, str | int] | None = None
) -> Array:
    """A raster of noise over COARSE that the fast reader does not cover; its pixels as the file has them."""
    noise = np.random.default_rng(seed).integers(1, 255, (3, SIDE, SIDE), np.uint8)
    path = server.folder / key
    draft = server.folder / "draft.tif"
    place = {"crs": pyproj.CRS(MARS).to_wkt(), "transform": Affine(100, 0, 0, 0, -100, SIDE * 100)}
    shape = {"width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8", "photometric": "RGB"}
    with rasterio.open(draft, "w", driver="GTiff", **place, **shape) as file:
        file.write(noise)
    chosen = options or {"compress": "WEBP", "quality": 75, "blocksize": 256}
    rasterio.shutil.copy(draft, path, driver=driver, **chosen)
    with rasterio.open(path) as file:
        pixels: Array = file.read()
    return pixels


def inside(pixels: Array) -> Array:
    """The pixels of BOX."""
    return pixels[:, SIDE - 400 : SIDE - 200, 200:400]


def granule(server: RangeServer, key: str) -> Granule:
    return Granule(id="g", hrefs={"image": f"{server.url}/{key}"}, footprint=shapely.box(-10, -10, 10, 10))


async def scanned(reader: FastReader, server: RangeServer, key: str) -> Header:
    server.is_slow = False
    header = await reader.scan(f"{server.url}/{key}")
    server.is_slow = True
    server.take()
    return header


async def read(
    reader: FastReader | RasterioReader,
    server: RangeServer,
    key: str,
    header: Header | None,
    box: GeoBox = BOX,
    *,
    timeout_s: float | None = None,
) -> tuple[Layer | ReadFailure, Trace]:
    headers = {} if header is None else {"g": header}
    options = ReadOptions(asset="image", timeout_s=timeout_s)
    with tracing() as trace:
        stream = reader.read([granule(server, key)], box, options, headers=headers)
        (answer,) = [answer async for answer in stream]
    return answer, trace


def bands(answer: Layer | ReadFailure) -> Array:
    assert isinstance(answer, Layer), answer
    return answer.bands


@pytest.mark.parametrize("box", [BOX, COARSE])
async def test_a_cog_is_opened_from_its_record_and_only_blocks_are_asked_for(
    server: RangeServer, reader: FastReader, box: GeoBox
) -> None:
    put(server, "a.tif")
    header = await scanned(reader, server, "a.tif")
    assert header.blocks is not None
    first = min(int(level.block_offsets.min()) for level in header.blocks.levels)
    answer, trace = await read(reader, server, "a.tif", header, box)
    with rasterio.open(server.folder / "a.tif", **({} if box is BOX else {"OVERVIEW_LEVEL": 0})) as file:
        expected = inside(file.read()) if box is BOX else file.read()
    np.testing.assert_array_equal(bands(answer), expected)
    requests = server.take()
    assert {request.method for request in requests} == {"GET"}
    assert min(request.span[0] for request in requests if request.span) >= first - LEADER
    assert trace.tally.opened == 1
    assert trace.tally.requests == len(requests)
    assert 'fallbacks;desc="1 compression 50001"' in server_timing(trace)


async def test_without_a_record_the_header_is_one_request(server: RangeServer, fallback: RasterioReader) -> None:
    pixels = put(server, "a.tif")
    answer, trace = await read(fallback, server, "a.tif", None)
    np.testing.assert_array_equal(bands(answer), inside(pixels))
    requests = server.take()
    assert [request.method for request in requests] == ["GET"] * len(requests)
    assert sum(request.span is not None and request.span[0] == 0 for request in requests) == 1
    assert trace.tally.opened == 0


async def test_a_raster_that_is_read_fast_has_no_need_of_stored_bytes(server: RangeServer, reader: FastReader) -> None:
    put(server, "a.tif", options={"compress": "DEFLATE", "blocksize": 256})
    assert (await scanned(reader, server, "a.tif")).prefix == b""


@pytest.mark.parametrize("key", ["a.tif", "weak.tif", "lax.tif"])
async def test_a_replaced_file_is_read_as_it_is_now(server: RangeServer, reader: FastReader, key: str) -> None:
    put(server, key)
    header = await scanned(reader, server, key)
    pixels = put(server, key, seed=2, options={"compress": "WEBP", "quality": 60, "blocksize": 128})
    answer, _ = await read(reader, server, key, header)
    np.testing.assert_array_equal(bands(answer), inside(pixels))
    assert reader.replaced == {f"{server.url}/{key}"}
    await read(reader, server, key, header)
    server.take()
    answer, _ = await read(reader, server, key, header)
    np.testing.assert_array_equal(bands(answer), inside(pixels))
    assert [request.span[0] == 0 for request in server.take() if request.span] == [False]


async def test_a_weak_etag_is_compared_where_it_cannot_be_a_condition(
    server: RangeServer, reader: FastReader, fallback: RasterioReader
) -> None:
    pixels = put(server, "weak.tif", options={"compress": "DEFLATE", "blocksize": 256})
    header = await scanned(reader, server, "weak.tif")
    answer, _ = await read(reader, server, "weak.tif", header)
    np.testing.assert_array_equal(bands(answer), inside(pixels))
    assert reader.tally.fast == 1
    pixels = put(server, "weak.tif", seed=2, options={"compress": "DEFLATE", "blocksize": 128})
    fresh = FastReader(fallback, buckets={})
    answer, trace = await read(fresh, server, "weak.tif", header)
    fresh.close()
    np.testing.assert_array_equal(bands(answer), inside(pixels))
    assert dict(trace.tally.fallbacks) == {"replaced file": 1}


async def test_a_file_that_became_shorter_is_read_as_it_is_now(server: RangeServer, reader: FastReader) -> None:
    put(server, "weak.tif", options={"compress": "DEFLATE", "blocksize": 128})
    header = await scanned(reader, server, "weak.tif")
    pixels = put(server, "weak.tif", seed=2, options={"compress": "WEBP", "quality": 1, "blocksize": 128})
    answer, trace = await read(reader, server, "weak.tif", header)
    np.testing.assert_array_equal(bands(answer), inside(pixels))
    assert dict(trace.tally.fallbacks) == {"replaced file": 1}


FORMS = {
    "stripes": ("GTiff", {"compress": "deflate"}),
    "tiles": ("GTiff", {"tiled": "yes", "compress": "lzw", "interleave": "band"}),
    "plain": ("GTiff", {}),
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_comes_over_the_network_as_it_is(
    server: RangeServer, fallback: RasterioReader, form: str
) -> None:
    driver, options = FORMS[form]
    pixels = put(server, "raster", driver=driver, options=options)
    for box in (BOX, COARSE):
        here = Granule(id="g", hrefs={"image": str(server.folder / "raster")}, footprint=shapely.box(-10, -10, 10, 10))
        stream = fallback.read([here], box, ReadOptions(asset="image"))
        (local,) = [answer async for answer in stream]
        answer, _ = await read(fallback, server, "raster", None, box)
        np.testing.assert_array_equal(bands(answer), bands(local))
        if box is BOX:
            np.testing.assert_array_equal(bands(answer), inside(pixels))


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 99), (10_000, 70_000), (65_000, 66_000), (30_000, 170_000), (9, 10**6)]
)
async def test_bytes_that_begin_in_the_first_request_go_on_in_the_next(
    server: RangeServer, start: int, stop: int
) -> None:
    raw = np.random.default_rng(1).bytes(300_000)
    (server.folder / "file").write_bytes(raw)
    place, line = Places({}).find(f"{server.url}/file"), Line()
    file = RemoteFile(place, line, None, hosts=HostGates(8), total=Tally())
    assert await asyncio.to_thread(file.bytes_at, start, stop) == raw[start:stop]


@pytest.mark.parametrize(("key", "reason"), [("missing.tif", "does not exist"), ("secret.tif", "may not be read")])
async def test_what_is_wrong_with_the_file_is_said(
    server: RangeServer, fallback: RasterioReader, key: str, reason: str
) -> None:
    answer, _ = await read(fallback, server, key, None)
    assert isinstance(answer, ReadFailure)
    assert reason in answer.reason


async def test_a_scan_of_a_cog_is_one_request(server: RangeServer, reader: FastReader) -> None:
    put(server, "a.tif", options={"compress": "DEFLATE", "blocksize": 128})
    server.take()
    header = await reader.scan(f"{server.url}/a.tif")
    assert [request.method for request in server.take()] == ["GET"]
    assert header.blocks == (await reader.scan(str(server.folder / "a.tif"))).blocks is not None


async def test_block_tables_beyond_the_first_bytes_are_read_whole(server: RangeServer, reader: FastReader) -> None:
    tiny = {"compress": "DEFLATE", "tiled": "yes", "blockxsize": 16, "blockysize": 16, "interleave": "band"}
    put(server, "a.tif", driver="GTiff", options=tiny)
    header = await reader.scan(f"{server.url}/a.tif")
    assert header.blocks is not None
    assert len(header.blocks.levels[0].block_offsets) == 3 * math.ceil(SIDE / 16) ** 2
    assert header.blocks == (await reader.scan(str(server.folder / "a.tif"))).blocks


async def test_a_file_that_is_replaced_during_its_scan_is_out_of_reach_for_now(
    server: RangeServer, fallback: RasterioReader
) -> None:
    put(server, "slow.tif", driver="GTiff", options={"tiled": "no"})
    with rasterio.open(server.folder / "slow.tif", "r+") as file:
        file.update_tags(note="the directory no longer fits where it was " * 10)
    scan = asyncio.create_task(fallback.scan(f"{server.url}/slow.tif"))
    while not server.asked:  # noqa: ASYNC110 - the server is a thread
        await asyncio.sleep(0.01)
    put(server, "slow.tif", seed=2, driver="GTiff", options={"compress": "deflate"})
    with pytest.raises(Unavailable, match="changed while it was read"):
        await scan


async def test_an_empty_file_is_no_raster(server: RangeServer, fallback: RasterioReader) -> None:
    (server.folder / "empty.tif").write_bytes(b"")
    with pytest.raises(Invalid, match="empty"):
        await fallback.scan(f"{server.url}/empty.tif")
    answer, _ = await read(fallback, server, "empty.tif", None)
    assert isinstance(answer, ReadFailure)
    assert "empty" in answer.reason


async def test_a_damaged_block_is_said(server: RangeServer, reader: FastReader) -> None:
    put(server, "a.tif")
    header = await scanned(reader, server, "a.tif")
    path = server.folder / "a.tif"
    raw = path.read_bytes()
    path.write_bytes(raw[:8192] + b"\x00" * (len(raw) - 8192))
    fresh = await scanned(reader, server, "a.tif")
    for record in (header, fresh):
        answer, _ = await read(reader, server, "a.tif", record)
        assert isinstance(answer, ReadFailure)
        assert "damaged" in answer.reason


async def test_at_the_deadline_gdal_s_requests_end_too(server: RangeServer, reader: FastReader) -> None:
    put(server, "slow.tif")
    header = await scanned(reader, server, "slow.tif")
    answer, _ = await read(reader, server, "slow.tif", header, timeout_s=0.2)
    assert isinstance(answer, ReadFailure)
    assert "0.2 s" in answer.reason
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == 1
    begun = len(server.asked)
    await asyncio.sleep(server.delay_s)
    assert len(server.asked) == begun


@pytest.mark.parametrize("kind", ["fast", "rasterio"])
async def test_a_host_whose_name_has_come_to_mean_a_private_address_is_not_asked(
    server: RangeServer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []
    resolve = socket.getaddrinfo

    def resolved(host: str, *args: Any, **options: Any) -> Any:
        return resolve("127.0.0.1" if host in ("files.example", b"files.example") else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)

    def permits(address: str) -> bool:
        looked_at.append(address)
        return False

    careful = RasterioReader(buckets={}, permits=permits)
    guarded = FastReader(careful, buckets={}, permits=permits) if kind == "fast" else careful
    put(server, "a.tif")
    href = f"{server.url}/a.tif".replace("127.0.0.1", "files.example")
    here = Granule(id="g", hrefs={"image": href}, footprint=shapely.box(-10, -10, 10, 10))
    stream = guarded.read([here], BOX, ReadOptions(asset="image"))
    (answer,) = [answer async for answer in stream]
    assert isinstance(answer, ReadFailure)
    assert "ALLOW_PRIVATE" in answer.reason
    for ask in (guarded.scan, guarded.etag):
        with pytest.raises(Invalid, match="ALLOW_PRIVATE"):
            await ask(href)
    guarded.close()
    assert server.asked == []
    assert set(looked_at) == {"127.0.0.1"}


MOVED = ("moved-a.tif", "moved-always-moved-a.tif", "moved-a.tif?v=1", "moved-always-moved-a.tif?v=1")


@pytest.mark.parametrize("key", MOVED)
@pytest.mark.parametrize("compress", ["DEFLATE", "WEBP"])
async def test_a_redirect_is_refused_and_never_followed(
    server: RangeServer, reader: FastReader, tmp_path: Path, key: str, compress: str
) -> None:
    options = {"compress": compress, "blocksize": 256}
    put(server, "a.tif", options=options)
    record = await scanned(reader, server, "a.tif")
    (server.folder / "a.tif").rename(server.folder / key.partition("?")[0])
    (tmp_path / "elsewhere").mkdir()
    with RangeServer(tmp_path / "elsewhere") as elsewhere:
        server.elsewhere = elsewhere.url
        put(elsewhere, "a.tif", options=options)
        for known in (record, None):
            answer, _ = await read(reader, server, key, known)
            assert isinstance(answer, ReadFailure)
            assert "redirects" in answer.reason
        with pytest.raises(Invalid, match="redirects"):
            await reader.scan(f"{server.url}/{key}")
        if "always" in key:
            with pytest.raises(Invalid, match="redirects"):
                await reader.etag(f"{server.url}/{key}")
        assert elsewhere.asked == []


@pytest.mark.parametrize("compress", ["DEFLATE", "WEBP"])
async def test_a_url_with_a_query_is_read_like_any_other(
    server: RangeServer, reader: FastReader, compress: str
) -> None:
    pixels = put(server, "a.tif", options={"compress": compress, "blocksize": 256})
    key = "a.tif?v=1&sig=a%2Fb"
    header = await scanned(reader, server, key)
    assert header.blocks is not None
    answer, trace = await read(reader, server, key, header)
    np.testing.assert_array_equal(bands(answer), inside(pixels))
    assert trace.tally.requests == len(requests := server.take())
    assert {(request.method, request.key) for request in requests} == {("GET", key)}


@pytest.mark.parametrize("compress", ["DEFLATE", "WEBP"])
async def test_of_a_server_without_byte_ranges_the_whole_file_is_read(
    server: RangeServer, reader: FastReader, compress: str
) -> None:
    pixels = put(server, "whole.tif", options={"compress": compress, "blocksize": 256})
    header = await scanned(reader, server, "whole.tif")
    for known in (header, None):
        answer, _ = await read(reader, server, "whole.tif", known)
        np.testing.assert_array_equal(bands(answer), inside(pixels))


async def test_a_file_that_is_too_large_to_be_read_whole_is_refused(
    server: RangeServer, reader: FastReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quadmosaic.reading.fetch.MAX_WHOLE", 100_000)
    put(server, "whole.tif", options={"compress": "NONE", "blocksize": 256})
    answer, _ = await read(reader, server, "whole.tif", None)
    assert isinstance(answer, ReadFailure)
    assert "no byte ranges" in answer.reason
