"""Engines for the store's contract; another store joins by adding a parameter."""

from pathlib import Path

import pytest
from engines import Engine, FileEngine, MemoryEngine
from obstore.store import MemoryStore

from quadmosaic.ports import MosaicStore


@pytest.fixture(params=["memory", "file"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """Lasting storage with nothing in it."""
    if request.param == "memory":
        return MemoryEngine(MemoryStore())
    return FileEngine((tmp_path / "a folder with ümlaut # and %20").as_uri())


@pytest.fixture
def store(engine: Engine) -> MosaicStore:
    """A store with nothing in it."""
    return engine.open()
