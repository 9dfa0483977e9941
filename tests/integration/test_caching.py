"""What clients and CDNs may keep, and what a reply says of granules that are missing from it."""

from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from rasterio.io import MemoryFile

from quadmosaic.bootstrap import Adapters
from quadmosaic.domain.mosaic import Defaults
from toys import TMS, Toys, WatchedReader, WatchedStore, X, heights, url, write_tile

YEAR = "public, max-age=31536000, immutable"
SHORT, BRIEF = "public, max-age=60", "public, max-age=10"
NODATA = -32767.0
PIXEL_VERBS = {"lookup", "lookup_prefix", "granules", "index", "headers"}
DOCUMENTS = [
    "/mosaics",
    "/mosaics/dtm",
    "/mosaics/dtm/info",
    "/mosaics/dtm/info.geojson",
    "/mosaics/dtm/versions",
    "/mosaics/dtm/granules",
    "/mosaics/dtm/mosaic.json",
    f"/mosaics/dtm/{TMS}/tilejson.json",
    "/colorMaps",
    "/colorMaps/viridis",
    "/healthz",
    "/openapi.json",
]
IMAGES = [url("dtm", suffix) for suffix in (".png", ".jpg", ".webp", ".tif", ".npy", "")] + [
    "/mosaics/dtm/preview.png",
    "/mosaics/dtm/bbox/76.7,18.3,77.3,18.9.tif",
]


def third(number: int) -> np.ndarray:
    """Heights with data in one third of the columns."""
    values = heights(seed=number)
    for other in {1, 2, 3} - {number}:
        values[0, :, 86 * (other - 1) : 86 * other] = NODATA
    return values


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    toys = Toys(folder=tmp_path_factory.mktemp("caching"))
    toys.publish("dtm", [write_tile(toys.folder / "dtm.tif", heights(), nodata=NODATA)])
    for gone in (1, 2, 3):
        files = [write_tile(toys.folder / f"{gone}-{n}.tif", third(n), nodata=NODATA) for n in (1, 2, 3)]
        toys.publish(f"lost{gone}", files)
        files[gone - 1].unlink()
    files = [write_tile(toys.folder / f"all-{n}.tif", third(n), nodata=NODATA) for n in (1, 2, 3)]
    toys.publish("nothing", files)
    for file in files:
        file.unlink()
    return toys


@pytest.fixture(scope="module")
def http(toys: Toys) -> Generator[httpx.Client]:
    with toys.served() as client:
        yield client


@pytest.mark.parametrize("path", [*IMAGES, url("dtm", ".png", x=X + 40)])
def test_the_same_request_has_the_same_tag_and_is_not_sent_twice(http: httpx.Client, path: str) -> None:
    first, second = http.get(path), http.get(path)
    assert first.headers["etag"] == second.headers["etag"]
    assert first.content == second.content
    for held in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        third = http.get(path, headers={"If-None-Match": held})
        assert (third.status_code, third.content) == (304, b"")
        assert third.headers["etag"] == first.headers["etag"]
        assert third.headers["cache-control"] == first.headers["cache-control"]
    assert http.get(path, headers={"If-None-Match": '"other"'}).status_code == first.status_code


def test_304_comes_before_any_look_up_and_any_pixel(toys: Toys) -> None:
    inside = toys.outside()
    reader, store = WatchedReader(inner=inside.reader), WatchedStore(inside.store)
    with toys.served(outside=Adapters(store=store, reader=reader)) as http:  # type: ignore[arg-type]
        for path in (*IMAGES, "/mosaics/dtm/point/77,18.5"):
            tag = http.get(path).headers["etag"]
            assert PIXEL_VERBS & set(store.used)
            store.used.clear()
            reader.asked.clear()
            assert http.get(path, headers={"If-None-Match": tag}).status_code == 304
            assert not PIXEL_VERBS & set(store.used)
            assert not reader.asked


@pytest.mark.parametrize(
    "params",
    [
        {"rescale": "0,1"},
        {"rescale": "0,2"},
        {"colormap_name": "gray"},
        {"colormap": '{"1": "#fff"}'},
        {"expression": "b1*2"},
        {"bidx": 1},
        {"nodata": 5},
        {"unscale": "true"},
        {"resampling": "cubic"},
        {"reproject": "cubic"},
        {"pixel_selection": "mean"},
        {"color_formula": "gamma R 2"},
        {"return_mask": "false"},
        {"buffer": 1},
        {"tilesize": 128},
        {"empty": "404"},
    ],
    ids=str,
)
def test_another_request_has_another_tag(http: httpx.Client, params: dict[str, str]) -> None:
    tags = {http.get(path, params=given).headers["etag"] for path in (url("dtm", ".png"),) for given in ({}, params)}
    assert len(tags) == 2
    assert http.get(url("dtm", ".webp"), params=params).headers["etag"] not in tags
    assert http.get(url("dtm", ".png", x=X + 1), params=params).headers["etag"] not in tags


def test_a_new_version_has_another_tag_and_the_old_url_keeps_its_own(toys: Toys) -> None:
    file = toys.folder / "dtm.tif"
    toys.publish("growing", [file])
    with toys.served() as http:
        before = {path: http.get(path).headers["etag"] for path in (url("growing"), url("growing@1"))}
        assert len(set(before.values())) == 1
        toys.publish("growing", [file], defaults=Defaults(title="new words"))
        assert http.get(url("growing")).headers["etag"] != before[url("growing")]
        assert http.get(url("growing@1")).headers["etag"] == before[url("growing@1")]
        assert http.get(url("growing@2")).headers["etag"] == http.get(url("growing")).headers["etag"]


@pytest.mark.parametrize("path", [*IMAGES, *DOCUMENTS[1:4], *DOCUMENTS[6:8]])
def test_a_version_is_kept_for_a_year_and_a_head_for_a_minute(http: httpx.Client, path: str) -> None:
    assert http.get(path).headers["cache-control"] == SHORT
    assert http.get(path.replace("/dtm", "/dtm@1")).headers["cache-control"] == YEAR


def test_tilejson_publishes_the_versioned_tiles_with_the_requests_own_parameters(http: httpx.Client) -> None:
    document = http.get(f"/mosaics/dtm/{TMS}/tilejson.json", params={"rescale": "0,1", "tile_format": "webp"}).json()
    (template,) = document["tiles"]
    assert template.startswith(f"{http.base_url}/mosaics/dtm@1/tiles/{TMS}/")
    assert template.endswith("/{z}/{x}/{y}.webp?rescale=0%2C1")


@pytest.mark.parametrize("mosaic", ["{}", "{}@1"])
@pytest.mark.parametrize("gone", [1, 2, 3])
def test_one_missing_file_of_three_is_named_and_the_others_are_drawn(
    http: httpx.Client, gone: int, mosaic: str
) -> None:
    reply = http.get(url(mosaic.format(f"lost{gone}"), ".npy"))
    assert reply.status_code == 200
    assert reply.headers["x-assets"] == ",".join(f"{gone}-{n}" for n in (1, 2, 3) if n != gone)
    assert reply.headers["x-assets-skipped"] == f"{gone}-{gone}"
    assert reply.headers["cache-control"] == BRIEF
    assert "etag" not in reply.headers
    strict = http.get(url(mosaic.format(f"lost{gone}")), params={"strict": "true"})
    assert strict.status_code == 503
    assert strict.headers["content-type"] == "application/problem+json"
    assert int(strict.headers["retry-after"]) > 0
    assert f"{gone}-{gone}" in strict.json()["detail"]


@pytest.mark.parametrize(("empty", "status"), [("204", 204), ("404", 404), ("fill", 200)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_where_all_files_are_missing_the_tile_is_empty_and_partial(
    http: httpx.Client, empty: str, status: int, suffix: str
) -> None:
    reply = http.get(url("nothing@1", suffix), params={"empty": empty})
    assert reply.status_code == status
    assert reply.headers["x-assets-skipped"] == "all-1,all-2,all-3"
    assert reply.headers["x-assets"] == ""
    assert reply.headers["cache-control"] == BRIEF
    assert "etag" not in reply.headers


def test_at_the_deadline_the_tile_is_drawn_from_what_has_arrived(toys: Toys) -> None:
    files = [write_tile(toys.folder / f"slow-{n}.tif", third(n), nodata=NODATA) for n in (1, 2, 3)]
    toys.publish("slow", files)
    inside = toys.outside()
    reader = WatchedReader(inner=inside.reader, slow=frozenset({"slow-2"}))
    with toys.served(outside=Adapters(store=inside.store, reader=reader), tile_deadline_s=0.3) as http:
        reply = http.get(url("slow"))
        assert (reply.headers["x-assets"], reply.headers["x-assets-skipped"]) == ("slow-1,slow-3", "slow-2")
        assert reply.headers["cache-control"] == BRIEF
        assert reply.elapsed.total_seconds() < 3


def test_a_view_whose_stretch_is_not_known_in_time_is_drawn_from_itself_and_kept_briefly(toys: Toys) -> None:
    toys.publish_items("unscanned", {"one": {"dtm": toys.folder / "dtm.tif"}}, scan=False)
    inside = toys.outside()
    reader = WatchedReader(inner=inside.reader, hangs=lambda geobox: geobox.width != 256)
    with toys.served(outside=Adapters(store=inside.store, reader=reader), tile_deadline_s=0.5) as http:
        reply = http.get(url("unscanned", ".jpg"))
        assert reply.elapsed.total_seconds() < 3
        assert reply.headers["cache-control"] == BRIEF
        assert "etag" not in reply.headers
        with MemoryFile(reply.content) as memory, memory.open() as picture:
            assert np.ptp(picture.read()) > 200
        assert "etag" in http.get(url("unscanned")).headers


def test_a_stretch_that_could_not_be_sampled_is_sampled_anew(toys: Toys) -> None:
    file = write_tile(toys.folder / "away.tif", heights())
    toys.publish_items("away", {"one": {"dtm": file}}, scan=False)
    hidden = file.with_suffix(".hidden")
    with toys.served() as http:
        file.rename(hidden)
        assert http.get(url("away", ".png")).status_code == 204
        hidden.rename(file)
        reply = http.get(url("away", ".png"))
        assert reply.status_code == 200
        assert "etag" in reply.headers


def test_more_granules_than_may_be_read_make_a_reply_partial(toys: Toys) -> None:
    toys.publish("many", [write_tile(toys.folder / f"many-{n}.tif", third(n), nodata=NODATA) for n in (1, 2, 3)])
    with toys.served(max_granules=2) as http:
        reply = http.get(url("many"))
        assert reply.headers["x-assets"] == "many-1,many-2"
        assert reply.headers["cache-control"] == BRIEF
        assert "etag" not in reply.headers


@pytest.mark.parametrize("path", [*IMAGES, *DOCUMENTS, "/mosaics/dtm/point/77,18.5", "/nowhere", url("dtm", x=X + 40)])
def test_head_is_get_without_its_body(http: httpx.Client, path: str) -> None:
    got, asked = http.get(path), http.head(path)
    assert asked.content == b""
    assert asked.status_code == got.status_code
    changing = {"date", "server-timing"}
    assert {name: value for name, value in asked.headers.items() if name not in changing} == {
        name: value for name, value in got.headers.items() if name not in changing
    }
    if got.status_code == 200:
        assert int(asked.headers["content-length"]) == len(got.content)


def test_pages_of_other_origins_may_ask_and_read_the_headers(http: httpx.Client) -> None:
    origin = {"Origin": "https://map.example"}
    preflight = http.options(
        url("dtm"),
        headers={**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "If-None-Match"},
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "GET" in preflight.headers["access-control-allow-methods"]
    assert "if-none-match" in preflight.headers["access-control-allow-headers"].lower()
    for path in (url("dtm"), url("dtm", x=X + 40), "/nowhere"):
        exposed = http.get(path, headers=origin).headers["access-control-expose-headers"]
        assert {"ETag", "X-Assets", "X-Assets-Skipped", "Content-Bbox", "Content-Crs", "Server-Timing"} <= {
            name.strip() for name in exposed.split(",")
        }


def test_only_the_origins_of_the_settings_may(toys: Toys) -> None:
    with toys.served(cors_origins=("https://map.example",)) as http:
        for origin, allowed in (("https://map.example", "https://map.example"), ("https://other.example", None)):
            reply = http.get(url("dtm"), headers={"Origin": origin})
            assert reply.headers.get("access-control-allow-origin") == allowed


def test_ids_are_percent_encoded_and_a_long_list_becomes_a_count(toys: Toys) -> None:
    file: Path = write_tile(toys.folder / "any.tif", heights(), nodata=NODATA)
    ids = ["Krüger, 1", "火星/2", "a\nb", "50%"]
    toys.publish_items("words", {name: {"dtm": file} for name in ids}, scan=False)
    many = [f"{number:02d}-{'x' * 60}" for number in range(40)]
    toys.publish_items("crowd", {name: {"dtm": file} for name in many}, scan=False)
    with toys.served() as http:
        listed = http.get(url("words"), params={"pixel_selection": "mean"}).headers["x-assets"]
        assert listed == ",".join(quote(name, safe="") for name in ids)
        assert http.get(url("crowd"), params={"pixel_selection": "mean"}).headers["x-assets"] == "40 granules"
