"""The commands: what they print, where they print it, and how they end."""

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
import typer.main

from fixtures_command import Command, assert_said_in_one_line
from quadmosaic import bootstrap
from quadmosaic.cli import app
from quadmosaic.config import Settings
from quadmosaic.domain.builds import Build, Status
from quadmosaic.domain.mosaicjson_faults import faults
from quadmosaic.domain.registrations import parse_registration
from rasters import Array
from stac_api import Script, serving
from stac_items import item_collection, strips
from toys import heights, tile_box, write_tile

NODATA = -32767.0
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
JEZERO_QUADKEYS = 20


def two_tiles() -> dict[str, Array]:
    return {name: heights(seed=seed) for seed, name in enumerate(("west", "east"))}


@pytest.fixture
def cogs(tmp_path: Path) -> list[Path]:
    """Two files side by side."""
    left, bottom, right, top = tile_box()
    side = right - left
    return [
        write_tile(
            tmp_path / f"{name}.tif", values, bounds=(left + i * side, bottom, right + i * side, top), nodata=NODATA
        )
        for i, (name, values) in enumerate(two_tiles().items())
    ]


@pytest.fixture
def mosaic(quadmosaic: Command, cogs: list[Path], tmp_path: Path) -> Path:
    """A mosaic.json of the two files."""
    ended = quadmosaic("create", "-q", "-o", "mosaic.json", stdin="\n".join(map(str, cogs)))
    assert ended.code == 0, ended.err
    return tmp_path / "mosaic.json"


@pytest.mark.parametrize("how", ["standard input", "a dash", "a file"])
def test_create_takes_a_list_of_files_from_anywhere(
    quadmosaic: Command, cogs: list[Path], tmp_path: Path, how: str
) -> None:
    text = "\n".join(["", *map(str, cogs), "  "])
    (tmp_path / "list.txt").write_text(text)
    arguments = {"standard input": (), "a dash": ("-",), "a file": ("list.txt",)}[how]
    ended = quadmosaic("create", *arguments, stdin="" if how == "a file" else text)
    assert ended.code == 0, ended.err
    assert not faults(ended.document)
    assert {href for hrefs in ended.document["tiles"].values() for href in hrefs} == {str(file) for file in cogs}
    assert "2 of 2 granules" in ended.err


def test_create_takes_the_options_of_cogeo_mosaic(quadmosaic: Command, cogs: list[Path], tmp_path: Path) -> None:
    ended = quadmosaic(
        "create", "--tms", "MarsMercatorSphere", "--minzoom", "4", "--maxzoom", "11", "--quadkey-zoom", "8",
        "--name", "Two", "--description", "Two tiles", "--attribution", "nobody", "-o", "two.json", "-q",
        stdin="\n".join(map(str, cogs)),
    )  # fmt: skip
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    document = json.loads((tmp_path / "two.json").read_text())
    assert (document["minzoom"], document["maxzoom"], document["quadkey_zoom"]) == (4, 11, 8)
    assert (document["name"], document["description"], document["attribution"]) == ("Two", "Two tiles", "nobody")
    assert all(len(quadkey) == 8 for quadkey in document["tiles"])


def test_a_grid_may_come_from_a_file_and_output_may_be_gzipped(
    quadmosaic: Command, mosaic: Path, cogs: list[Path], tmp_path: Path
) -> None:
    grid = json.loads(mosaic.read_text())["tilematrixset"]
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    ended = quadmosaic("create", "--tms", "grid.json", "-o", "out.json.gz", stdin="\n".join(map(str, cogs)))
    assert ended.code == 0, ended.err
    assert json.loads(gzip.decompress((tmp_path / "out.json.gz").read_bytes()))["tilematrixset"]["id"] == grid["id"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        ((), "", ["source", "no usable granule"]),
        ((), "/nowhere/a.tif", ["source", "a: the file does not exist"]),
        ((), b"\xff\xfe\x00", ["file", "text"]),
        (("--tms", "NoSuchGrid"), "/nowhere/a.tif", ["tms", "NoSuchGrid"]),
        (("--tms", "nowhere.json"), "/nowhere/a.tif", ["tms", "nowhere.json"]),
        (("--quadkey-zoom", "deep"), "/nowhere/a.tif", ["quadkey_zoom", "deep"]),
    ],
)
def test_what_create_cannot_use_is_said_in_one_line(
    quadmosaic: Command, arguments: tuple[str, ...], stdin: str, words: list[str]
) -> None:
    assert_said_in_one_line(quadmosaic("create", "-q", *arguments, stdin=stdin), *words)


def test_a_folder_that_is_not_there_is_said_in_one_line(quadmosaic: Command, cogs: list[Path]) -> None:
    ended = quadmosaic("create", "-q", "-o", "nowhere/out.json", stdin=str(cogs[0]))
    assert_said_in_one_line(ended, "nowhere/out.json", "No such file", code=1)


def test_refused_files_are_named_as_they_are(quadmosaic: Command, cogs: list[Path]) -> None:
    ended = quadmosaic("create", stdin=f"{cogs[0]}\n/nowhere/[red]b.tif")
    assert ended.code == 0, ended.err
    assert "refused [red]b: the file does not exist" in ended.err
    assert "1 of 2 granules" in ended.err


@pytest.mark.data
def test_the_tutorials_ten_items_give_a_document_for_each_asset(
    quadmosaic: Command, shared_data: Path, tmp_path: Path
) -> None:
    items = shared_data / "stac" / "jezero_items.json"
    ended = quadmosaic(
        "create-from-features", items, "--asset", "image", "--asset", "dtm", "--tms", "MarsMercatorSphere",
        "-o", "jezero_{asset}.json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert ended.out == ""
    for asset, ending in (("image", "_hillshade.tif"), ("dtm", "_dtm.tif")):
        tiles = json.loads((tmp_path / f"jezero_{asset}.json").read_text())["tiles"]
        assert len(tiles) == JEZERO_QUADKEYS
        assert all(href.endswith(ending) for hrefs in tiles.values() for href in hrefs)


def test_several_assets_need_a_name_with_a_place_for_them(quadmosaic: Command) -> None:
    items = json.dumps(item_collection(strips(2)))
    for output in ((), ("-o", "out.json")):
        ended = quadmosaic("create-from-features", "--asset", "dtm", "--asset", "image", *output, stdin=items)
        assert_said_in_one_line(ended, "output", "{asset}")


def test_features_may_name_their_file_in_any_property(quadmosaic: Command) -> None:
    items = item_collection(strips(3))
    for number, each in enumerate(items["features"]):
        each["properties"]["where"] = f"https://data.example.com/{number}.tif"
    ended = quadmosaic("create-from-features", "--property", "where", "-q", stdin=json.dumps(items))
    assert ended.code == 0, ended.err
    assert {href for hrefs in ended.document["tiles"].values() for href in hrefs} == {
        f"https://data.example.com/{number}.tif" for number in range(3)
    }


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        ("", ["document", "JSON"]),
        ("{", ["document", "JSON"]),
        ("[]", ["features"]),
        ("{}", ["features"]),
        (json.dumps(item_collection(strips(2))), ["assets", "dtm"]),
        (json.dumps(item_collection([])), ["source", "no usable granule"]),
    ],
)
def test_what_create_from_features_cannot_use_is_said_in_one_line(
    quadmosaic: Command, stdin: str, words: list[str]
) -> None:
    assert_said_in_one_line(quadmosaic("create-from-features", "-q", stdin=stdin), *words)


@pytest.fixture
def api() -> Generator[tuple[Script, str]]:
    script = Script(items=strips(7))
    with serving(script) as address:
        yield script, address


def test_create_from_stac_searches_pages_and_writes_a_document_for_each_asset(
    quadmosaic: Command, api: tuple[Script, str], tmp_path: Path
) -> None:
    script, address = api
    ended = quadmosaic(
        "create-from-stac", address, "--collection", "ctx_dtms", "--bbox", "76,17,79,20", "--datetime", "2020-01-01/..",
        "--filter", "gsd < 30", "--max-items", "5", "--asset", "dtm", "--asset", "image", "-o", "{asset}.json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "5 of 5 granules" in ended.err
    for asset in ("dtm", "image"):
        tiles = json.loads((tmp_path / f"{asset}.json").read_text())["tiles"]
        assert len({href for hrefs in tiles.values() for href in hrefs}) == 5
    _, asked = script.asked[0]
    assert asked["collections"] == "ctx_dtms"
    assert [float(edge) for edge in asked["bbox"].split(",")] == [76, 17, 79, 20]
    assert (asked["filter"], asked["filter-lang"]) == ("gsd < 30", "cql2-text")


@pytest.mark.parametrize("wrapped", [False, True])
def test_create_from_stac_searches_inside_a_geometry(
    quadmosaic: Command, api: tuple[Script, str], tmp_path: Path, wrapped: bool
) -> None:
    script, address = api
    ring = [[76, 17], [79, 17], [79, 20], [76, 20], [76, 17]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    (tmp_path / "area.json").write_text(json.dumps(feature if wrapped else geometry))
    ended = quadmosaic("create-from-stac", address, "--intersects", "area.json", "--asset", "dtm", "-q")
    assert ended.code == 0, ended.err
    assert len({href for hrefs in ended.document["tiles"].values() for href in hrefs}) == 7
    assert script.asked[0][1]["intersects"] == geometry


def test_what_create_from_stac_cannot_use_is_said_in_one_line(
    quadmosaic: Command, api: tuple[Script, str], tmp_path: Path
) -> None:
    _, address = api
    (tmp_path / "broken.json").write_text("{")
    for arguments, words in (
        (("--bbox", "a,b"), ["bbox"]),
        (("--bbox", "1,2,3"), ["bbox"]),
        (("--intersects", "broken.json"), ["intersects", "broken.json"]),
        (("--datetime", "yesterday"), ["datetime"]),
    ):
        assert_said_in_one_line(quadmosaic("create-from-stac", address, "--asset", "dtm", "-q", *arguments), *words)
    gone = quadmosaic("create-from-stac", address, "--asset", "dtm", "-q", "--intersects", "nowhere.json")
    assert_said_in_one_line(gone, "nowhere.json", code=1)
    nobody = quadmosaic("create-from-stac", "http://127.0.0.1:9/api", "--asset", "dtm", "-q")
    assert_said_in_one_line(nobody, "127.0.0.1:9", code=1)


def test_validate_says_yes(quadmosaic: Command, mosaic: Path) -> None:
    ended = quadmosaic("validate", mosaic)
    assert (ended.code, ended.err) == (0, "")
    assert "is valid" in ended.out


def test_validate_prints_every_fault_by_its_field(quadmosaic: Command, mosaic: Path, tmp_path: Path) -> None:
    document = json.loads(mosaic.read_text())
    del document["minzoom"]
    document |= {"maxzoom": "deep", "bounds": [1, 2, 3], "tiles": {"9": ["a.tif"]}}
    (tmp_path / "bad.json").write_text(json.dumps(document))
    ended = quadmosaic("validate", "bad.json")
    assert ended.code == 2
    fields = {line.split(":")[0] for line in ended.out.splitlines()}
    assert {"minzoom", "maxzoom", "bounds"} <= fields
    assert any(field.startswith("tiles") for field in fields)


def test_validate_tells_no_json_from_no_file(quadmosaic: Command, tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("hello")
    assert_said_in_one_line(quadmosaic("validate", "text.json"), "document", "JSON")
    assert_said_in_one_line(quadmosaic("validate", "nowhere.json"), "nowhere.json", code=1)


def test_a_document_is_registered_listed_and_shown(quadmosaic: Command, mosaic: Path) -> None:
    ended = quadmosaic("register", mosaic, "--name", "two", "--store", "store", "--title", "Two [tiles]")
    assert (ended.code, ended.out) == (0, "two@1\n"), ended.err
    assert "2 of 2 granules" in ended.err
    (listed,) = json.loads(quadmosaic("list", "--store", "store", "--json").out)
    assert (listed["name"], listed["version"], listed["body"], listed["granules"]) == ("two", 1, "Mars", 2)
    table = quadmosaic("list", "--store", "store").out
    assert "two" in table
    assert "Two [tiles]" in table
    for name in ("two", "two@1"):
        shown = quadmosaic("show", name, "--store", "store")
        assert shown.document["title"] == "Two [tiles]"
        assert shown.document["assets"][0]["dtype"] == "float32"
        assert shown.err == ""


def test_a_store_may_be_named_by_the_environment(
    quadmosaic: Command, mosaic: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QUADMOSAIC_STORE", str(tmp_path / "elsewhere"))
    assert quadmosaic("register", mosaic, "--name", "two", "-q").code == 0
    assert json.loads(quadmosaic("list", "--json").out)[0]["name"] == "two"
    assert (tmp_path / "elsewhere").is_dir()


def test_an_empty_store_has_an_empty_list(quadmosaic: Command) -> None:
    assert json.loads(quadmosaic("list", "--store", "new", "--json").out) == []


def test_a_deleted_mosaic_leaves_its_name_free_for_another_recipe(
    quadmosaic: Command, mosaic: Path, tmp_path: Path
) -> None:
    document = json.loads(mosaic.read_text())
    body = {"name": "again", "source": {"type": "mosaicjson", "document": document}, "scan": False}
    for title in ("one", "other"):
        (tmp_path / "body.json").write_text(json.dumps(body | {"assets": [title]}))
        ended = quadmosaic("register", tmp_path / "body.json", "--store", "store")
        assert ended.code == 0, ended.err
        assert quadmosaic("delete", "again", "--yes", "--store", "store").code == 0
    assert quadmosaic("show", "again", "--store", "store").code == 1


def test_what_cannot_be_registered_is_said_in_one_line(quadmosaic: Command, mosaic: Path, tmp_path: Path) -> None:
    assert quadmosaic("register", mosaic, "--name", "two", "--store", "store", "-q").code == 0
    (tmp_path / "bad.json").write_text("{}")
    for source, name, words, code in (
        (mosaic, "Two Words", ["name"], 2),
        (mosaic, "two", ["two"], 1),
        (tmp_path / "bad.json", "bad", ["mosaicjson"], 2),
        (tmp_path / "nowhere.json", "gone", ["nowhere.json"], 2),
    ):
        ended = quadmosaic("register", source, "--name", name, "--store", "store", "-q")
        assert_said_in_one_line(ended, *words, code=code)


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("show", "nothing"), ["nothing"], 1),
        (("show", "nothing@7"), ["nothing"], 1),
        (("show", "Nothing!"), ["name"], 2),
        (("show", "a@b"), ["version"], 2),
        (("list", "--store", "gopher://x"), ["store", "gopher"], 2),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    quadmosaic: Command, arguments: tuple[str, ...], words: list[str], code: int
) -> None:
    assert_said_in_one_line(quadmosaic(*arguments), *words, code=code)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(quadmosaic: Command, command: str) -> None:
    ended = quadmosaic(command, "--help")
    assert ended.code == 0
    assert f"quadmosaic {command}" in ended.out.split("Example:")[1]


def test_without_a_command_all_are_listed(quadmosaic: Command) -> None:
    listed = quadmosaic().out + quadmosaic("--help").out
    assert all(command in listed for command in COMMANDS)


def test_as_a_module_progress_stays_off_standard_output(cogs: list[Path], tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "quadmosaic", "create"],
        input="\n".join(map(str, cogs)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not faults(json.loads(ended.stdout))
    assert "headers" in ended.stderr or "granules" in ended.stderr


class _Unworked:
    """A queue whose messages nobody takes."""

    async def send(self, *, mosaic: str, build: str, delay_s: int = 0) -> None:
        """Forget it."""


def test_a_command_works_on_no_build_but_its_own(quadmosaic: Command, cogs: list[Path], tmp_path: Path) -> None:
    settings = Settings(store=str(tmp_path / "store"), allowed_hosts=(cogs[0].parent.as_uri(),))
    built = bootstrap.building(settings, bootstrap.adapters(settings), queue=_Unworked(), wait_s=0)

    def body(name: str) -> dict[str, object]:
        return {"name": name, "source": {"type": "cogs", "hrefs": [path.as_uri() for path in cogs]}}

    async def left() -> Build:
        (build,) = (await built.registry.jobs.builds("left")).items
        return build

    asyncio.run(built.registry.register(parse_registration({**body("left"), "schedule": "rate(1 minute)"})))
    (tmp_path / "own.json").write_text(json.dumps(body("own")))
    assert quadmosaic("register", "own.json", "--store", settings.store).code == 0
    assert quadmosaic("granules", "list", "own", "--store", settings.store).code == 0
    assert asyncio.run(left()).status is Status.QUEUED
