"""A registry for tests: a service on a store of its own, sources in an allowed folder, a token that may write."""

import json
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from fixtures_server import serving
from quadmosaic import bootstrap
from quadmosaic.config import Settings
from quadmosaic.domain.tokens import VERBS, mint, token_document
from toys import heights, item, write_tile

SECRET, TOKEN = mint("tests", b"0" * 32, names=["*"], verbs=VERBS)
AUTH = {"Authorization": f"Bearer {SECRET}"}
PATIENCE_S = 20.0


def tokens_setting(*tokens: Any) -> str:
    return json.dumps([token_document(token) for token in tokens or (TOKEN,)])


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder with a store and files that a registration may name."""

    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        told: dict[str, Any] = {
            "store": str(self.folder / "store"),
            "head_ttl_s": 0,
            "allowed_hosts": (f"file://{self.folder / 'files'}",),
            "tokens": tokens_setting(),
        }
        return Settings(**{**told, **self.options})

    def file(self, name: str, *, seed: int = 1, dtype: str = "float32", bands: int = 1) -> str:
        """The href of a raster over the tile."""
        path = self.folder / "files" / f"{name}.tif"
        path.parent.mkdir(exist_ok=True)
        write_tile(path, heights(seed=seed, dtype=dtype, bands=bands))
        return path.as_uri()

    def item(self, name: str, *, assets: Sequence[str] = ("dtm",), seed: int = 1) -> dict[str, Any]:
        return item(name, {key: self.file(f"{name}_{key}", seed=seed) for key in assets})

    @contextmanager
    def served(self, *, open_writes: bool = False, **headers: str) -> Generator[httpx.Client]:
        app = bootstrap.http_app(self.settings, metrics=False, open_writes=open_writes)
        with serving(app) as base, httpx.Client(base_url=base, timeout=60, headers={**AUTH, **headers}) as client:
            yield client


def features(*items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "features", "features": {"type": "FeatureCollection", "features": list(items)}}


def registration(name: str, *items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "source": features(*items), "quadkey_zoom": 7, **more}


def finished(client: httpx.Client, reply: httpx.Response) -> dict[str, Any]:
    """The build that a reply speaks of, once it is over."""
    end = time.monotonic() + PATIENCE_S
    location = reply.headers["location"]
    while True:
        build = client.get(location).json()
        if build["status"] not in ("queued", "running"):
            return dict(build)
        if time.monotonic() > end:
            raise AssertionError(f"the build is still {build}")
        time.sleep(0.05)
