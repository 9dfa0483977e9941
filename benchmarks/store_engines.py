"""Where the store's soak runs: a URL, or a stand-in that is started for it."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "contract"))

from aws import AwsServers, new_engine
from engines import TableEngine, UrlEngine
from histories import run_histories
from indexes import below, found, granule, header, listed, manifest_of, random_index, small_index

__all__ = [
    "ENGINES",
    "UrlEngine",
    "below",
    "found",
    "granule",
    "header",
    "listed",
    "manifest_of",
    "random_index",
    "run_histories",
    "small_index",
    "store_url",
]

ENGINES = ("file", "s3", "dynamodb", "dynalite")


@contextmanager
def store_url(engine: str) -> Iterator[str]:
    """The URL of an empty store on one of the ENGINES; anything else is a URL already."""
    if engine == "file":
        with tempfile.TemporaryDirectory() as folder:
            yield f"{folder}/store"
        return
    if engine not in ENGINES:
        yield engine
        return
    servers = AwsServers()
    os.environ.update(servers.environment(engine))
    try:
        made = asyncio.run(new_engine(engine))
        assert isinstance(made, UrlEngine | TableEngine)
        yield made.url
    finally:
        servers.stop()
