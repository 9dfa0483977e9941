"""A real HTTP server on a store of small mosaics, for tests that go through URLs or drive a real client."""

import contextlib
import threading
import time
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from quadmosaic import bootstrap
from quadmosaic.config import Settings
from small_mosaics import SmallMosaic, build_europa, build_mars, build_moon

START_S = 20.0


@pytest.fixture(scope="session")
def small_mosaics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SmallMosaic]:
    """Mosaics of Mars, the Moon and Europa by body, in one store (`small_store`)."""
    folder = tmp_path_factory.mktemp("small-mosaics")
    store = bootstrap.adapters(Settings(store=str(folder / "store"))).store
    built = [build(folder, store) for build in (build_mars, build_moon, build_europa)]
    return {mosaic.version.manifest.body: mosaic for mosaic in built}


@pytest.fixture(scope="session")
def small_mars_mosaic(small_mosaics: dict[str, SmallMosaic]) -> SmallMosaic:
    """Three overlapping float32 strips at Jezero, assets dtm and ortho."""
    return small_mosaics["Mars"]


@pytest.fixture(scope="session")
def small_store(small_mosaics: dict[str, SmallMosaic]) -> Path:
    """The folder of the store that holds the small mosaics."""
    file = next(iter(small_mosaics["Mars"].files.values()))[0]
    return file.parent / "store"


@pytest.fixture(scope="session")
def app(small_store: Path) -> FastAPI:
    """The service on the small mosaics."""
    return bootstrap.http_app(Settings(store=str(small_store)), metrics=True)


@pytest.fixture(scope="session")
def live_server(app: FastAPI) -> Generator[str]:
    """Base URL of the service, listening on a port of its own."""
    with serving(app) as url:
        yield url


@pytest.fixture(scope="session")
def http(live_server: str) -> Generator[httpx.Client]:
    """A client of the live server."""
    with httpx.Client(base_url=live_server, timeout=30) as client:
        yield client


@contextlib.contextmanager
def serving(app: FastAPI) -> Generator[str]:
    """Run an app in a thread on 127.0.0.1; gives its base URL."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + START_S
    while not server.started:
        if time.monotonic() > end or not thread.is_alive():
            raise RuntimeError("the server did not start")
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(START_S)
