"""What builds by the registry cost: many items, a rebuild after a few changes, and builders that are killed.

python benchmarks/registry.py items [COUNT]   seconds, peak memory, and what a rebuild after 10 + 5 - 3 changes does
python benchmarks/registry.py kills [TIMES]   a builder killed at random moments gives the digest of an undisturbed one
"""

import asyncio
import json
import multiprocessing
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from quadmosaic import bootstrap
from quadmosaic.bootstrap import Building
from quadmosaic.config import Settings
from quadmosaic.domain.errors import NotFound
from quadmosaic.domain.mosaic import MosaicRef
from quadmosaic.domain.registrations import parse_registration
from quadmosaic.services.worker import Outcome

COUNT, PAGE = 100_000, 1000
NEW, CHANGED, REMOVED = 10, 5, 3
LEASE_S = 0.3
NAME = "bench"


def item(number: int, *, updated: str) -> dict[str, Any]:
    """A slanted strip anywhere but at the poles."""
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
        "assets": {"image": {"href": f"s3://astrogeo-ard/strips/{number:06d}.tif", "type": "image/tiff"}},
        "links": [],
    }


def numbers(count: int, epoch: int) -> list[int]:
    """Which items there are: in the second epoch a few more and a few less."""
    first = list(range(count))
    return first if epoch == 0 else [*first[REMOVED:], *range(count, count + NEW)]


def serve(count: int, epoch: Any, port: Any) -> None:
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
            items = [item(n, updated="2025" if n in changed else "2024") for n in there[start : start + PAGE]]
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


@contextmanager
def api(count: int) -> Iterator[tuple[str, Synchronized]]:
    """The API's address, in a process of its own, and which epoch it is."""
    epoch, port = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)
    process = multiprocessing.Process(target=serve, args=(count, epoch, port), daemon=True)
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
        store=store, allowed_hosts=(urlsplit(href).netloc, "s3://astrogeo-ard"), allow_private=True, head_ttl_s=0
    )
    return bootstrap.building(settings, bootstrap.adapters(settings), queue=Unsent(), wait_s=0, lease_s=LEASE_S)


def registration(href: str) -> dict[str, Any]:
    source = {"type": "stac", "href": href, "search": {"limit": PAGE}}
    return {"name": NAME, "source": source, "assets": ["image"], "tms": "MarsMercatorSphere", "quadkey_zoom": 9,
            "scan": False}  # fmt: skip


async def begin(built: Building, href: str, build_id: str) -> None:
    """Register once, and begin a build."""
    try:
        registered = await built.registry.registered(NAME)
    except NotFound:
        registered = await built.registry.jobs.register(
            parse_registration({**registration(href), "created": "2026-01-01T00:00:00+00:00"}), after=0
        )
    await built.rebuilds.start(registered, trigger="manual", build_id=build_id)


async def work(store: str, href: str, build_id: str) -> None:
    """Until the build is over."""
    built = building(store, href)
    # The lease that it waits for is another process's.
    while await built.worker.run(NAME, build_id) is not Outcome.DONE:  # noqa: ASYNC110
        await asyncio.sleep(LEASE_S / 3)


def many(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, api(count) as (href, epoch):
        print(f"{count} items; before: {peak_mb():.0f} MB")
        for number, build_id in enumerate(("first", "same", "changed")):
            epoch.value = 1 if build_id == "changed" else 0
            built = building(f"{folder}/store", href)
            started = time.perf_counter()
            asyncio.run(begin(built, href, build_id))
            asyncio.run(work(f"{folder}/store", href, build_id))
            seconds = time.perf_counter() - started
            build = asyncio.run(built.registry.jobs.build(NAME, build_id)).build
            files = [path for path in Path(folder).rglob("*") if path.is_file() and path.stat().st_mtime > 0]
            stored = sum(path.stat().st_size for path in files) / 1e6
            print(
                f"{build_id:<8} {build.status:<10} {seconds:7.1f} s  peak {peak_mb():6.0f} MB  store {stored:6.1f} MB"
            )
            if build.report is not None:
                r = build.report
                print(
                    f"         found {r.found} added {r.added} removed {r.removed} changed {r.changed} cells changed "
                    f"{r.cells_changed} of {r.cells}, {r.requests} requests, {r.bytes / 1e6:.1f} MB, ${r.cost_usd}"
                )
            assert build.fault is None, (number, build.fault)


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
                time.sleep(chance.uniform(0.4, 1.0) * usual)
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
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["items", *count]:
            many(int(count[0]) if count else COUNT)
        case ["kills", *times]:
            kills(int(times[0]) if times else 50)
        case ["work", store, href, build_id]:
            asyncio.run(work(store, href, build_id))
        case _:
            print(__doc__)
