"""Tiles over files that fail: in time, with what could be read, and with the others named; and what the reply says."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from fixtures_server import serving
from quadmosaic import bootstrap
from quadmosaic.bootstrap import Adapters
from quadmosaic.reading.fast_reader import FastReader
from quadmosaic.reading.rasterio_reader import RasterioReader
from range_server import RangeServer
from toys import Toys, heights, url, write_tile

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
QUOTED = r'"[^"\\\x00-\x1f]*"'
METRIC = rf"{TOKEN}(?:;{TOKEN}=(?:{TOKEN}|{QUOTED}))*"
SERVER_TIMING = re.compile(rf"{METRIC}(?:, {METRIC})*")
DEADLINES_S = {"fast": 1.0, "rasterio": 4.0}
"""GDAL and PROJ take a good part of a second for sixteen granules, on a slow machine more."""

BROKEN = ("corrupt", "missing", "slow")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    (tmp_path / "files").mkdir()
    with RangeServer(tmp_path / "files", delay_s=2 * max(DEADLINES_S.values())) as server:
        server.is_slow = False
        yield server


@pytest.fixture
def toys(tmp_path: Path) -> Toys:
    return Toys(folder=tmp_path)


@pytest.mark.parametrize("kind", DEADLINES_S)
def test_sixteen_granules_of_which_three_fail_are_a_tile_within_the_deadline(
    server: RangeServer, toys: Toys, kind: str
) -> None:
    plain, deadline_s = RasterioReader(buckets={}), DEADLINES_S[kind]
    reader = FastReader(plain, buckets={}) if kind == "fast" else plain
    names = [*BROKEN, *(f"good{number}" for number in range(13))]
    for seed, name in enumerate(names):
        write_tile(server.folder / f"{name}.tif", heights(seed=seed))
    toys.publish("m", [f"{server.url}/{name}.tif" for name in names])
    corrupt = (server.folder / "corrupt.tif").read_bytes()
    (server.folder / "corrupt.tif").write_bytes(corrupt[:4096] + b"\xff" * (len(corrupt) - 4096))
    (server.folder / "missing.tif").unlink()
    server.is_slow = True
    outside = Adapters(store=toys.outside().store, reader=reader)
    with toys.served(outside=outside, tile_deadline_s=deadline_s) as client:
        started = time.monotonic()
        reply = client.get(url("m"), params={"pixel_selection": "mean"})
        took = time.monotonic() - started
    reader.close()
    assert reply.status_code == 200
    assert deadline_s / 2 < took < server.delay_s
    assert sorted(reply.headers["x-assets-skipped"].split(",")) == sorted(BROKEN)
    assert len(reply.headers["x-assets"].split(",")) == 13
    assert "etag" not in reply.headers
    assert SERVER_TIMING.fullmatch(reply.headers["server-timing"])


def test_a_file_with_a_damaged_header_costs_its_granule_not_the_tile(toys: Toys) -> None:
    good, odd = (write_tile(toys.folder / f"{name}.tif", heights()) for name in ("good", "odd"))
    odd.write_bytes(odd.read_bytes().replace(b"Mars", b"M\xffrs"))
    toys.publish_items("m", {"odd": {"image": odd}, "good": {"image": good}}, scan=False)
    with toys.served() as client:
        reply = client.get(url("m"), params={"pixel_selection": "mean"})
    assert (reply.status_code, reply.headers["x-assets"], reply.headers["x-assets-skipped"]) == (200, "good", "odd")


def timing(reply: httpx.Response) -> dict[str, str]:
    """Values by metric name, in a header that is as the standard has it."""
    text = reply.headers["server-timing"]
    assert SERVER_TIMING.fullmatch(text), text
    return {part.split(";")[0]: part.split("=", 1)[1].strip('"') for part in text.split(", ")}


@pytest.fixture
def client(server: RangeServer, toys: Toys) -> Iterator[httpx.Client]:
    write_tile(server.folder / "a.tif", heights(), layout={"tiled": True, "blockxsize": 64, "blockysize": 64})
    toys.publish("m", [f"{server.url}/a.tif"])
    app: FastAPI = bootstrap.http_app(toys.settings, metrics=True)
    with serving(app) as base, httpx.Client(base_url=base, timeout=30) as client:
        yield client


def test_the_reply_says_what_each_step_took(server: RangeServer, client: httpx.Client) -> None:
    server.take()
    cold, warm = timing(client.get(url("m"))), timing(client.get(url("m", ".npy")))
    asked = server.take()
    assert list(cold) == ["lookup", "plan", "fetch", "decode", "resample", "merge", "encode",
                          "granules", "requests", "bytes", "blocks"]  # fmt: skip
    assert (cold["granules"], cold["requests"], cold["blocks"]) == ("1", str(len(asked)), "16")
    assert int(cold["bytes"]) == sum(request.span[1] - request.span[0] for request in asked if request.span)
    assert all(float(cold[step]) >= 0 for step in list(cold)[:7])
    assert "requests" not in warm
    assert warm["cached"] == "16"
    assert "server-timing" not in client.get("/healthz").headers


def test_metrics_add_up_what_the_replies_say(server: RangeServer, client: httpx.Client) -> None:
    def metric(name: str, **labels: str) -> float:
        chosen = ",".join(f'{label}="{value}"' for label, value in labels.items())
        line = re.search(rf"^{name}(?:{{{chosen}}})? (\S+)$", client.get("/metrics").text, re.MULTILINE)
        return float(line[1]) if line else np.nan

    timings = [timing(client.get(url("m"))) for _ in range(3)]
    assert metric("quadmosaic_source_requests_total") == int(timings[0]["requests"])
    assert metric("quadmosaic_source_bytes_total") == int(timings[0]["bytes"])
    assert metric("quadmosaic_blocks_total", source="decoded") == 16
    assert metric("quadmosaic_blocks_total", source="memory") == 32
    assert metric("quadmosaic_granules_total", outcome="fast") == 3
    assert metric("quadmosaic_step_seconds_count", step="encode") == 3
    assert metric("quadmosaic_step_seconds_count", step="fetch") == 1
    (server.folder / "a.tif").unlink()
    client.get(url("m", x=0))
    assert metric("quadmosaic_skipped_granules_replies_total") == 0


def test_a_fallback_says_its_reason(server: RangeServer, toys: Toys) -> None:
    write_tile(server.folder / "stripes.tif", heights(), layout={"compress": "deflate"})
    toys.publish("m", [f"{server.url}/stripes.tif"])
    with serving(bootstrap.http_app(toys.settings, metrics=True)) as base:
        reply = httpx.get(f"{base}{url('m')}")
        counted = httpx.get(f"{base}/metrics").text
    assert timing(reply)["fallbacks"] == "1 no block table"
    assert 'quadmosaic_fallbacks_total{reason="no block table"} 1.0' in counted


def test_a_client_that_leaves_ends_the_reads_of_its_tile(server: RangeServer, toys: Toys) -> None:
    names = [f"slow{number}.tif" for number in range(8)]
    for seed, name in enumerate(names):
        write_tile(server.folder / name, heights(seed=seed))
    toys.publish("m", [f"{server.url}/{name}" for name in names])
    server.is_slow = True
    with serving(bootstrap.http_app(toys.settings, metrics=True)) as base:
        address = httpx.URL(base)
        with socket.create_connection((address.host, address.port or 80)) as leaver:
            leaver.sendall(f"GET {url('m')}?pixel_selection=mean HTTP/1.1\r\nHost: m\r\n\r\n".encode())
            until(lambda: server.under_way > 0)
        given_up = re.compile(r'quadmosaic_requests_total{.*status="499".*} 1.0')
        until(lambda: given_up.search(httpx.get(f"{base}/metrics").text) is not None, at_most_s=server.delay_s / 2)


def until(is_so: Callable[[], bool], *, at_most_s: float = 10.0) -> None:
    end = time.monotonic() + at_most_s
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_replies_that_a_limit_cut_are_counted_as_partial(toys: Toys) -> None:
    toys.publish("m", [write_tile(toys.folder / f"{name}.tif", heights()) for name in ("a", "b")])
    settings = toys.settings.model_copy(update={"max_granules": 1})
    with serving(bootstrap.http_app(settings, metrics=True)) as base:
        reply = httpx.get(f"{base}{url('m')}", params={"pixel_selection": "mean"})
        counted = httpx.get(f"{base}/metrics").text
    assert (reply.status_code, reply.headers["x-assets"]) == (200, "a")
    assert "x-assets-skipped" not in reply.headers
    assert "quadmosaic_skipped_granules_replies_total 1.0" in counted
