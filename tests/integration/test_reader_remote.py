"""Reading over the network: S3 through a stand-in, plain http, slow and failing servers."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import shapely

from quadmosaic.domain.access import AccessMode, BucketAccess
from quadmosaic.domain.errors import Unavailable
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule
from quadmosaic.ports import Layer, ReadFailure, ReadOptions
from quadmosaic.reading.rasterio_reader import RasterioReader
from rasters import write_raster

MARS = "IAU_2015:49910"
BOX = GeoBox(MARS, (0.0, 0.0, 6400.0, 6400.0), 64, 64)
DELAY_S = 0.6


class Objects(ThreadingHTTPServer):
    """Serves a folder with ETags and byte ranges; keys with `slow` wait, keys with `held` wait for `release`, keys with
    `secret` are forbidden.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Objects
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.command, self.path, headers))
        path = self.server.folder / self.path.lstrip("/")
        if "slow" in self.path:
            time.sleep(DELAY_S)
        if "held" in self.path:
            self.server.release.wait(10)
        status = 403 if "secret" in self.path else 200 if path.is_file() else 404
        body = path.read_bytes() if status == 200 else b""
        etag, size = f'"{len(body)}"', len(body)
        self.send_response(206 if status == 200 and "range" in headers else status)
        if status == 200 and "range" in headers:
            first, last = headers["range"].removeprefix("bytes=").split("-")
            last = min(int(last or size), size - 1)
            body = body[int(first) : last + 1]
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("ETag", etag)
        self.send_header("Last-Modified", "Fri, 20 Nov 2026 10:00:00 GMT")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[Objects]:
    (tmp_path / "ard").mkdir()
    server = Objects(tmp_path)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def put(objects: Objects, key: str, value: int = 1) -> Path:
    data = np.full((1, 64, 64), value, np.uint8)
    return write_raster(objects.folder / "ard" / key, data, crs=MARS, bounds=BOX.bounds)


def open_reader(objects: Objects, mode: AccessMode = AccessMode.ANONYMOUS) -> RasterioReader:
    return RasterioReader(buckets={"ard": BucketAccess(region="us-west-2", mode=mode, endpoint=objects.url)})


def granules(*hrefs: str) -> list[Granule]:
    return [Granule(id=href, hrefs={"image": href}, footprint=shapely.box(0, 0, 1, 1)) for href in hrefs]


@pytest.mark.parametrize(
    "href", ["s3://ard/a.tif", "https://ard.s3.us-west-2.amazonaws.com/a.tif", "https://ard.s3.amazonaws.com/a.tif"]
)
async def test_every_spelling_of_a_bucket_reads_and_scans_it_unsigned(objects: Objects, href: str) -> None:
    path = put(objects, "a.tif", 7)
    reader = open_reader(objects)
    (layer,) = [answer async for answer in reader.read(granules(href), BOX, ReadOptions(asset="image"))]
    assert isinstance(layer, Layer)
    assert (layer.bands == 7).all()
    header = await reader.scan(href)
    assert header.etag == f'"{path.stat().st_size}"'
    assert header.blocks is not None
    assert {path for _, path, _ in objects.requests} == {"/ard/a.tif"}
    assert not any("authorization" in headers for _, _, headers in objects.requests)


async def test_a_plain_http_href_is_read_and_scanned(objects: Objects) -> None:
    put(objects, "a.tif", 9)
    reader = open_reader(objects)
    for href in (f"{objects.url}/ard/a.tif",):
        (layer,) = [answer async for answer in reader.read(granules(href), BOX, ReadOptions(asset="image"))]
        assert isinstance(layer, Layer)
        assert (layer.bands == 9).all()
        header = await reader.scan(href)
        assert header.blocks is not None
        assert header.etag


async def test_a_file_that_was_replaced_is_read_anew(objects: Objects) -> None:
    reader = open_reader(objects)
    for value, size in ((3, 64), (5, 96)):
        data = np.full((1, size, size), value, np.uint8)
        write_raster(objects.folder / "ard" / "a.tif", data, crs=MARS, bounds=BOX.bounds)
        read = reader.read(granules("s3://ard/a.tif"), BOX, ReadOptions(asset="image"))
        (layer,) = [answer async for answer in read]
        assert isinstance(layer, Layer)
        assert (layer.bands == value).all()


@pytest.mark.parametrize(("key", "reason"), [("missing.tif", "does not exist"), ("secret.tif", "may not be read")])
async def test_missing_and_forbidden_files_say_so(objects: Objects, key: str, reason: str) -> None:
    put(objects, "secret.tif")
    reader = open_reader(objects)
    read = reader.read(granules(f"s3://ard/{key}"), BOX, ReadOptions(asset="image"))
    (failure,) = [answer async for answer in read]
    assert isinstance(failure, ReadFailure)
    assert reason in failure.reason
    with pytest.raises(Unavailable, match=reason):
        await reader.scan(f"s3://ard/{key}")


async def test_reads_run_together_and_leave_the_event_loop_free(objects: Objects) -> None:
    for i in range(4):
        put(objects, f"slow{i}.tif", i + 1)
    reader = open_reader(objects)
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.02)

    ticking = asyncio.create_task(tick())
    one = time.monotonic()
    [_ async for _ in reader.read(granules("s3://ard/slow0.tif"), BOX, ReadOptions(asset="image"))]
    alone = time.monotonic() - one
    four = time.monotonic()
    hrefs = [f"s3://ard/slow{i}.tif" for i in range(4)]
    layers = [answer async for answer in reader.read(granules(*hrefs), BOX, ReadOptions(asset="image"))]
    together = time.monotonic() - four
    ticking.cancel()
    assert [layer.bands[0, 0, 0] for layer in layers if isinstance(layer, Layer)] == [1, 2, 3, 4]
    assert together < 2 * alone
    assert np.diff(ticks).max() < alone / 2


async def test_after_the_deadline_what_is_finished_still_comes(objects: Objects) -> None:
    put(objects, "slow.tif")
    put(objects, "fast.tif", 5)
    reader = open_reader(objects)
    options = ReadOptions(asset="image", timeout_s=0.4)
    answers = [answer async for answer in reader.read(granules("s3://ard/slow.tif", "s3://ard/fast.tif"), BOX, options)]
    assert isinstance(answers[0], ReadFailure)
    assert "0.4 s" in answers[0].reason
    assert isinstance(answers[1], Layer)


async def test_closing_the_stream_starts_nothing_more(objects: Objects) -> None:
    names = ["0.tif", *(f"held{i}.tif" for i in range(1, 30))]
    for name in names:
        put(objects, name)
    reader = RasterioReader(
        buckets={"ard": BucketAccess(region="us-west-2", mode=AccessMode.ANONYMOUS, endpoint=objects.url)},
        max_reads=2,
    )
    stream = reader.read(granules(*(f"s3://ard/{name}" for name in names)), BOX, ReadOptions(asset="image"))
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    objects.release.set()
    await asyncio.sleep(0.3)
    assert {path for _, path, _ in objects.requests} <= {"/ard/0.tif", "/ard/held1.tif", "/ard/held2.tif"}


@pytest.fixture
def credentials() -> Iterator[None]:
    """AWS credentials in the environment, as Lambda has them."""
    before = dict(os.environ)
    os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "word"}
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("credentials")
async def test_requester_pays_is_said(objects: Objects) -> None:
    put(objects, "a.tif")
    reader = open_reader(objects, AccessMode.REQUESTER_PAYS)
    read = reader.read(granules("s3://ard/a.tif"), BOX, ReadOptions(asset="image"))
    assert [isinstance(answer, Layer) async for answer in read] == [True]
    await reader.scan("s3://ard/a.tif")
    assert all(headers.get("x-amz-request-payer") == "requester" for _, _, headers in objects.requests)
    assert all("authorization" in headers for _, _, headers in objects.requests)
