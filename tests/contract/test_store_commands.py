"""The commands on versions and for export, on any store URL."""

import asyncio
import gzip
import json
from pathlib import Path

import pytest
from aws import AwsServers, new_engine
from engines import TableEngine, UrlEngine
from indexes import ids, manifest_of, random_index
from typer.testing import CliRunner, Result

from quadmosaic.cli import app
from quadmosaic.domain.mosaic import MosaicRef
from quadmosaic.domain.mosaicjson import parse
from quadmosaic.storage.objects import open_store

INDEXES = [random_index(seed, zoom=6, cells=40, granules=20) for seed in range(3)]


@pytest.fixture(params=["file", "s3", "dynamodb"])
def url(
    request: pytest.FixtureRequest, tmp_path: Path, aws_servers: AwsServers, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A store in which mosaic `jezero` has three versions."""
    if request.param == "file":
        found = str(tmp_path / "store")
    else:
        for name, value in aws_servers.environment(request.param).items():
            monkeypatch.setenv(name, value)
        engine = asyncio.run(new_engine(request.param))
        assert isinstance(engine, UrlEngine | TableEngine)
        found = engine.url
    asyncio.run(_fill(found))
    return found


async def _fill(url: str) -> None:
    store = open_store(url)
    for number, index in enumerate(INDEXES):
        version = await store.write("jezero", manifest_of(index), index)
        await store.publish(MosaicRef("jezero", version.number), expected=number or None)


def run(url: str, *arguments: str, stdin: str = "") -> Result:
    result = CliRunner().invoke(app, [*arguments, "--store", url], input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_versions_are_listed_swept_and_brought_back(url: str) -> None:
    listed = json.loads(run(url, "versions", "jezero", "--json").stdout)
    assert [(one["version"], one["head"]) for one in listed] == [(3, True), (2, False), (1, False)]
    assert run(url, "publish", "jezero@2").stdout == "jezero@2\n"
    said = json.loads(run(url, "publish", "jezero@3", "--json").stdout)
    assert said == {"name": "jezero", "version": 3, "before": 2}
    assert "0 old versions" in run(url, "sweep", "-q").stdout
    report = json.loads(run(url, "sweep", "--keep", "1", "--younger-than", "0", "--spare", "0", "--json").stdout)
    assert report["published"] == ["jezero@1", "jezero@2"]
    assert "*" in run(url, "versions", "jezero").stdout


def test_changes_between_versions_are_told(url: str) -> None:
    found = json.loads(run(url, "changes", "jezero@1", "jezero@2", "--json").stdout)
    assert set(found["cells_added"]) == set(INDEXES[1].cells) - set(INDEXES[0].cells)
    assert "cells added: " in run(url, "changes", "jezero@1", "jezero@2").stdout


def test_a_mosaic_is_exported(url: str, tmp_path: Path) -> None:
    run(url, "export", "jezero@1", "--asset", "dtm", "-o", str(tmp_path / "out.json.gz"))
    document = parse((tmp_path / "out.json.gz").read_bytes())
    index = INDEXES[0]
    assert {key: list(names) for key, names in document.tiles.items()} == {
        key: [index.granules[place].hrefs["dtm"] for place in places] for key, places in index.cells.items()
    }
    assert gzip.decompress((tmp_path / "out.json.gz").read_bytes()).startswith(b"{")
    run(url, "export", "jezero", "--as", "footprints", "-o", str(tmp_path / "out.geojson"), "-q")
    collection = json.loads((tmp_path / "out.geojson").read_text())
    assert sorted(member["id"] for member in collection["features"]) == sorted(ids(INDEXES[2].granules))
    assert json.loads(run(url, "export", "jezero").stdout)["mosaicjson"] == "0.0.3"
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.geojson", "out.json.gz"]


def test_a_mosaic_is_deleted_once_it_is_meant(url: str) -> None:
    refused = CliRunner().invoke(app, ["delete", "jezero", "--store", url], input="n\n")
    assert refused.exit_code == 1
    assert json.loads(run(url, "list", "--json").stdout)
    assert run(url, "delete", "jezero", "--yes").stdout == "jezero is deleted\n"
    assert json.loads(run(url, "list", "--json").stdout) == []
