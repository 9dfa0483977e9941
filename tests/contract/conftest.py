"""Engines for the store's contract; another store joins by adding a parameter."""

from collections.abc import Generator
from pathlib import Path

import pytest
from aws import AwsServers, new_engine
from engines import Engine, MemoryEngine, UrlEngine, open_on
from obstore.store import MemoryStore

from quadmosaic.ports import MosaicStore


@pytest.fixture(scope="session")
def aws_servers() -> Generator[AwsServers]:
    """moto and dynalite, each started with the first test that needs it."""
    servers = AwsServers()
    yield servers
    servers.stop()


@pytest.fixture(params=["memory", "file", "s3", "dynamodb", pytest.param("dynalite", marks=pytest.mark.clients)])
async def engine(
    request: pytest.FixtureRequest, tmp_path: Path, aws_servers: AwsServers, monkeypatch: pytest.MonkeyPatch
) -> Engine:
    """Lasting storage with nothing in it."""
    if request.param == "memory":
        return MemoryEngine(MemoryStore())
    if request.param == "file":
        return UrlEngine((tmp_path / "a folder with ümlaut # and %20").as_uri())
    for name, value in aws_servers.environment(request.param).items():
        monkeypatch.setenv(name, value)
    return await new_engine(request.param)


@pytest.fixture
def store(engine: Engine) -> MosaicStore:
    """A store with nothing in it."""
    return open_on(engine.bucket())
