"""What builds by the registry cost: many items, a rebuild after a few changes, and builders that are killed.

python benchmarks/registry.py items [COUNT]   seconds, peak memory, and what a rebuild after 10 + 5 - 3 changes does
python benchmarks/registry.py kills [TIMES]   a builder killed at random moments gives the digest of an undisturbed one
python benchmarks/registry.py scan [COUNT]    headers of COGs on a server: seconds, requests and bytes, with one kill
"""

import asyncio
import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import rasterio

from quadmosaic import bootstrap
from quadmosaic.bootstrap import Building
from quadmosaic.config import Settings
from quadmosaic.domain.errors import NotFound
from quadmosaic.domain.mosaic import MosaicRef
from quadmosaic.domain.registrations import parse_registration
from quadmosaic.services.drafts import Draft
from quadmosaic.services.job import Job
from quadmosaic.services.steps import Steps
from quadmosaic.services.worker import Outcome

COUNT, PAGE = 100_000, 1000
NEW, CHANGED, REMOVED = 10, 5, 3
LEASE_S = 0.3
NAME = "bench"
COGS = "BENCHMARK_COGS"
"""The environment variable that names the host of the COGs."""


def item(number: int, *, updated: str, files: str) -> dict[str, Any]:
    """A slanted strip anywhere but at the poles; its file lies below `files`."""
    rng = np.random.default_rng(number)
    west, south = float(rng.uniform(-179, 176)), float(rng.uniform(-80, 75))
    width, height, slant = 0.5, float(rng.uniform(1, 4)), float(rng.uniform(-0.4, 0.4))
    ring = [
        [west, south],
        [west + width, south],
        [west + width + slant, south + height],
        [west + slant, south + height],
    ]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"strip-{number:06d}",
        "collection": "strips",
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        "properties": {"datetime": "2024-01-01T00:00:00Z", "updated": updated, "ssys:targets": ["Mars"], "gsd": 6.0},
        "assets": {"image": {"href": f"{files}/{number:06d}.tif", "type": "image/tiff"}},
        "links": [],
    }


def numbers(count: int, epoch: int) -> list[int]:
    """Which items there are: in the second epoch a few more and a few less."""
    first = list(range(count))
    return first if epoch == 0 else [*first[REMOVED:], *range(count, count + NEW)]


def serve(count: int, epoch: Any, port: Any, files: str) -> None:
    """A STAC API whose items are made when they are asked for."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            split = urlsplit(self.path)
            root = f"http://{self.headers['Host']}/api"
            if split.path == "/api":
                self.reply({"type": "Catalog", "links": [{"rel": "search", "href": f"{root}/search"}]})
                return
            start = int(dict(parse_qsl(split.query)).get("token", 0))
            there = numbers(count, epoch.value)
            changed = set(there[:CHANGED]) if epoch.value else set()
            items = [
                item(n, updated="2025" if n in changed else "2024", files=files) for n in there[start : start + PAGE]
            ]
            following = [{"rel": "next", "href": f"{root}/search?token={start + PAGE}"}]
            self.reply({"features": items, "links": following if start + PAGE < len(there) else []})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def reply(self, document: dict[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/geo+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Builders that are killed leave their connections."""

    server = Server(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


def serve_cogs(cog: bytes, port: Any, asked: Any, sent: Any) -> None:
    """One COG under any name, whole or in ranges, each name with an ETag of its own; counts requests and bytes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(found[1]) if found else 0
            stop = min(int(found[2]) + 1, len(cog)) if found and found[2] else len(cog)
            body = cog[start:stop]
            self.send_response(206 if found else 200)
            if found:
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(cog)}")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{self.path}"')
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            with asked.get_lock():
                asked.value += 1
            if self.command == "GET":
                with sent.get_lock():
                    sent.value += len(body)
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """Builders that are killed leave their connections."""

    server = Server(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


def a_cog(folder: str) -> bytes:
    """A tiled raster with overviews, its block tables some 9 kB."""
    path = f"{folder}/a.tif"
    rng = np.random.default_rng(1)
    heights = np.cumsum(rng.integers(-3, 4, (4096, 8192), dtype=np.int16), axis=1, dtype=np.int16)
    with rasterio.open(
        path, "w", driver="COG", width=8192, height=4096, count=1, dtype="int16", nodata=-32768, compress="deflate",
        blocksize=256, crs="IAU_2015:49910", transform=rasterio.Affine(6, 0, 0, 0, -6, 0),
    ) as file:  # fmt: skip
        file.write(heights, 1)
    return Path(path).read_bytes()


@contextmanager
def api(count: int, files: str = "s3://astrogeo-ard/strips") -> Iterator[tuple[str, Synchronized]]:
    """The API's address, in a process of its own, and which epoch it is."""
    epoch, port = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)
    process = multiprocessing.Process(target=serve, args=(count, epoch, port, files), daemon=True)
    process.start()
    while port.value == 0:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port.value}/api", epoch
    finally:
        process.terminate()
        process.join()


class Unsent:
    """A queue for who calls the worker himself."""

    async def send(self, *, mosaic: str, build: str, delay_s: int = 0) -> None:
        """Nothing is sent."""


def building(store: str, href: str) -> Building:
    settings = Settings(
        store=store,
        allowed_hosts=(urlsplit(href).netloc, os.environ.get(COGS, "s3://astrogeo-ard")),
        allow_private=True,
        head_ttl_s=0,
    )
    return bootstrap.building(settings, bootstrap.adapters(settings), queue=Unsent(), wait_s=0, lease_s=LEASE_S)


def registration(href: str) -> dict[str, Any]:
    source = {"type": "stac", "href": href, "search": {"limit": PAGE}}
    return {"name": NAME, "source": source, "assets": ["image"], "tms": "MarsMercatorSphere", "quadkey_zoom": 9,
            "scan": False}  # fmt: skip


async def begin(built: Building, href: str, build_id: str, **more: Any) -> None:
    """Register once, and begin a build."""
    try:
        registered = await built.registry.registered(NAME)
    except NotFound:
        registered = await built.registry.jobs.register(
            parse_registration({**registration(href), **more, "created": "2026-01-01T00:00:00+00:00"}), after=0
        )
    await built.rebuilds.start(registered, trigger="manual", build_id=build_id)


async def work(store: str, href: str, build_id: str) -> None:
    """Until the build is over."""
    built = building(store, href)
    # The lease that it waits for is another process's.
    while await built.worker.run(NAME, build_id) is not Outcome.DONE:  # noqa: ASYNC110
        await asyncio.sleep(LEASE_S / 3)


@dataclass(frozen=True, kw_only=True)
class Watched(Steps):
    """Steps that tell how long each took and how large the process was at most meanwhile."""

    since: list[float] = field(default_factory=lambda: [time.perf_counter()])
    told: dict[str, tuple[float, float]] = field(default_factory=dict)

    def note(self, step: str) -> None:
        now = time.perf_counter()
        self.told[step] = (now - self.since[0], peak_mb())
        self.since[0] = now
        forget_peak()

    async def crawl(self, job: Job) -> bool:
        self.note("before")
        ended = await super().crawl(job)
        self.note("crawl")
        return ended

    async def scan(self, job: Job) -> bool:
        ended = await super().scan(job)
        self.note("scan")
        return ended

    async def cover(self, job: Job) -> Draft:
        draft = await super().cover(job)
        self.note("cover")
        return draft


def measure(store: str, href: str, build_id: str) -> None:
    """One build in this process, step by step."""
    built = building(store, href)
    known = {each.name: getattr(built.worker.steps, each.name) for each in fields(Steps)}
    steps = Watched(**known)
    asyncio.run(replace(built.worker, steps=steps).run(NAME, build_id))
    steps.note("publish")
    build = asyncio.run(built.registry.jobs.build(NAME, build_id)).build
    assert build.fault is None, build.fault
    stored = sum(path.stat().st_size for path in Path(store).rglob("*") if path.is_file()) / 1e6
    seconds = sum(took for took, _ in steps.told.values()) - steps.told["before"][0]
    most = max(mb for _, mb in steps.told.values())
    print(f"{build_id:<8} {build.status:<10} {seconds:6.1f} s, peak {most:4.0f} MB, store {stored:.1f} MB")
    print("        ", ", ".join(f"{step} {took:.1f} s {mb:.0f} MB" for step, (took, mb) in steps.told.items()))
    if build.report is not None:
        r = build.report
        print(
            f"         found {r.found} added {r.added} removed {r.removed} changed {r.changed}, scanned {r.scanned} "
            f"reused {r.reused}, cells changed {r.cells_changed} of {r.cells}, {r.requests} requests, "
            f"{r.bytes / 1e6:.1f} MB, ${r.cost_usd}"
        )


def many(count: int) -> None:
    """Each build in a process of its own, so that one's memory is not the other's."""
    with tempfile.TemporaryDirectory() as folder, api(count) as (href, epoch):
        store = f"{folder}/store"
        print(f"{count} items", flush=True)
        for build_id in ("first", "same", "changed"):
            epoch.value = 1 if build_id == "changed" else 0
            asyncio.run(begin(building(store, href), href, build_id))
            subprocess.run([sys.executable, __file__, "measure", store, href, build_id], check=True)


def kills(times: int, count: int = 3000) -> None:
    with tempfile.TemporaryDirectory() as folder, api(count) as (href, _):
        calm = f"{folder}/calm"
        asyncio.run(begin(building(calm, href), href, "build"))
        started = time.perf_counter()
        subprocess.run(command(calm, href), check=True)
        usual, expected = time.perf_counter() - started, digest(calm)
        chance = random.Random(7)
        killed = rounds = wrong = different = 0
        while killed < times:
            rounds += 1
            store = f"{folder}/wild-{rounds}"
            asyncio.run(begin(building(store, href), href, "build"))
            while True:
                began = time.perf_counter()
                process = subprocess.Popen(command(store, href))
                time.sleep(chance.uniform(0.3, 1.4) * usual)
                is_killed = process.poll() is None and killed < times
                if is_killed:
                    process.kill()
                    killed += 1
                process.wait()
                # A machine that was busy at first must not make the kills come too late.
                usual = usual if is_killed else min(usual, time.perf_counter() - began)
                wrong += digest(store) not in (None, expected)
                if not is_killed:
                    break
            different += digest(store) != expected
        print(f"{killed} kills in {rounds} builds; undisturbed {usual:.1f} s each")
        print(f"heads that were wrong at a kill: {wrong}; builds with another digest at the end: {different}")


def scan(count: int) -> None:
    """A build whose files are opened, another that is killed in the middle of that, and a rebuild of what is known."""
    port, asked, sent = multiprocessing.Value("i", 0), multiprocessing.Value("q", 0), multiprocessing.Value("q", 0)
    with tempfile.TemporaryDirectory() as folder:
        cog = a_cog(folder)
        cogs = multiprocessing.Process(target=serve_cogs, args=(cog, port, asked, sent), daemon=True)
        cogs.start()
        while port.value == 0:
            time.sleep(0.01)
        os.environ[COGS] = f"127.0.0.1:{port.value}"
        with api(count, f"http://127.0.0.1:{port.value}") as (href, epoch):
            print(f"{count} COGs of {len(cog) / 1e6:.1f} MB", flush=True)
            for store, build_id in (("calm", "first"), ("calm", "same"), ("calm", "changed"), ("wild", "first")):
                epoch.value = 1 if build_id == "changed" else 0
                place = f"{folder}/{store}"
                asyncio.run(begin(building(place, href), href, build_id, scan=True))
                asked.value = sent.value = 0
                if store == "wild":
                    process = subprocess.Popen([sys.executable, __file__, "work", place, href, build_id])
                    while asked.value < 2 * count:
                        time.sleep(0.01)
                    process.kill()
                    process.wait()
                    print(f"killed after {asked.value} requests")
                    time.sleep(LEASE_S)
                subprocess.run([sys.executable, __file__, "measure", place, href, build_id], check=True)
                print(f"         {asked.value} requests ({asked.value / count:.2f} per COG), {sent.value / 1e6:.1f} MB",
                      f"from the COGs' server, digest {digest(place)}", flush=True)  # fmt: skip
        cogs.terminate()
        cogs.join()


def command(store: str, href: str) -> list[str]:
    return [sys.executable, __file__, "work", store, href, "build"]


def digest(store: str) -> str | None:
    try:
        return asyncio.run(
            bootstrap.adapters(Settings(store=store, head_ttl_s=0)).store.version(MosaicRef(NAME))
        ).digest
    except NotFound:
        return None


def peak_mb() -> float:
    """Largest resident size of this process since `forget_peak`, or ever."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1e3 for line in status.splitlines() if line.startswith("VmHWM"))


def forget_peak() -> None:
    """Let the largest size be counted anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["items", *count]:
            many(int(count[0]) if count else COUNT)
        case ["kills", *times]:
            kills(int(times[0]) if times else 50)
        case ["scan", *count]:
            scan(int(count[0]) if count else 5000)
        case ["measure", store, href, build_id]:
            measure(store, href, build_id)
        case ["work", store, href, build_id]:
            asyncio.run(work(store, href, build_id))
        case _:
            print(__doc__)
