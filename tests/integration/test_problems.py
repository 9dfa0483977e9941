"""What goes wrong, as clients see it: problem documents that name the field, and no word of the server's insides."""

import json
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from quadmosaic.bootstrap import Adapters
from toys import SIZE, TMS, Toys, WatchedReader, X, Y, Z, heights, tile_box, url, write_tile

TILE = url("dtm", ".png")
RGB = url("rgb", ".png")
POINT = "/mosaics/dtm/point/77.0,18.5"
BBOX = "/mosaics/dtm/bbox/76.7,18.3,77.3,18.9"
LONG = "9" * 5000

BAD: list[tuple[str, dict[str, Any], str]] = [
    (url("dtm", ".png", z=99), {}, "z"),
    (url("dtm", ".png", z=-1), {}, "z"),
    (f"/mosaics/dtm/tiles/{TMS}/a/{X}/{Y}.png", {}, "z"),
    (url("dtm", ".png", x=512), {}, "x"),
    (url("dtm", ".png", x=-1), {}, "x"),
    (f"/mosaics/dtm/tiles/{TMS}/{Z}/a/{Y}.png", {}, "x"),
    (url("dtm", ".png", y=256), {}, "y"),
    (f"/mosaics/dtm/tiles/{TMS}/{Z}/{X}/a.png", {}, "y"),
    (f"/mosaics/dtm/tiles/{TMS}/{Z}/{X}/-1.png", {}, "y"),
    (f"/mosaics/dtm/tiles/{TMS}/{Z}/{X}/{LONG}.png", {}, "y"),
    (f"/mosaics/dtm/tiles/{TMS}/{Z}/{X}/{Y}.p-ng", {}, "y"),
    (url("dtm", ".bmp"), {}, "format"),
    ("/mosaics/dtm/preview.bmp", {}, "format"),
    (f"{BBOX}.bmp", {}, "format"),
    (url("dtm", "@9x.png"), {}, "scale"),
    (url("dtm", "@0x.png"), {}, "scale"),
    (TILE, {"tilesize": 0}, "tilesize"),
    (TILE, {"tilesize": 4096}, "tilesize"),
    (TILE, {"tilesize": "big"}, "tilesize"),
    (url("dtm", "@4x.png"), {"tilesize": 1024}, "tilesize"),
    (TILE, {"buffer": -1}, "buffer"),
    (TILE, {"buffer": 0.3}, "buffer"),
    (TILE, {"buffer": 999}, "buffer"),
    (TILE, {"buffer": "nan"}, "buffer"),
    (TILE, {"empty": "maybe"}, "empty"),
    (TILE, {"assets": "slope"}, "assets"),
    (TILE, {"assets": ["data", "other"]}, "assets"),
    (TILE, {"bidx": 0}, "bidx"),
    (TILE, {"bidx": 2}, "bidx"),
    (TILE, {"bidx": "red"}, "bidx"),
    (url("dtm", ".png", x=X + 40), {"bidx": 2}, "bidx"),
    (TILE, {"expression": "b1+"}, "expression"),
    (TILE, {"expression": "b2"}, "expression"),
    (TILE, {"expression": "b1+nothing"}, "expression"),
    (TILE, {"nodata": "none"}, "nodata"),
    (TILE, {"unscale": "perhaps"}, "unscale"),
    (TILE, {"resampling": "best"}, "resampling"),
    (TILE, {"reproject": "best"}, "reproject"),
    (TILE, {"pixel_selection": "top"}, "pixel_selection"),
    (TILE, {"rescale": "1"}, "rescale"),
    (TILE, {"rescale": "5,5"}, "rescale"),
    (TILE, {"rescale": ["0,1", "0,2"]}, "rescale"),
    (TILE, {"colormap_name": "mauve"}, "colormap_name"),
    (RGB, {"colormap_name": "viridis"}, "colormap_name"),
    (TILE, {"colormap": "{}"}, "colormap"),
    (TILE, {"colormap": '{"1": "red"}'}, "colormap"),
    (TILE, {"color_formula": "gamma"}, "color_formula"),
    (TILE, {"color_formula": "saturation 2"}, "color_formula"),
    (url("dtm"), {"color_formula": "gamma R 2"}, "color_formula"),
    (TILE, {"return_mask": "perhaps"}, "return_mask"),
    (TILE, {"strict": "perhaps"}, "strict"),
    (f"/mosaics/dtm/tiles/NoSuchGrid/{Z}/{X}/{Y}.png", {}, "tms"),
    (f"/mosaics/dtm/tiles/MoonMercatorSphere/{Z}/{X}/{Y}.png", {}, "tms"),
    (f"/mosaics/dtm/tiles/WebMercatorQuad/{Z}/{X}/{Y}.png", {}, "tms"),
    ("/mosaics/dtm/NoSuchGrid/tilejson.json", {}, "tms"),
    ("/mosaics/dtm/mosaic.json", {"tms": "NoSuchGrid"}, "tms"),
    ("/mosaics/dtm/mosaic.json", {"tms": TMS}, "tms"),
    (f"/mosaics/dtm/{TMS}/tilejson.json", {"rescale": "1"}, "rescale"),
    (f"/mosaics/dtm/{TMS}/tilejson.json", {"tile_format": "bmp"}, "tile_format"),
    (f"/mosaics/dtm/{TMS}/tilejson.json", {"tile_scale": 9}, "tile_scale"),
    (POINT, {"coord_crs": "EPSG:4326"}, "coord_crs"),
    (POINT, {"coord_crs": "IAU_2015:30100"}, "coord_crs"),
    (POINT, {"coord_crs": "NOPE:1"}, "coord_crs"),
    (POINT, {"coord_crs": ""}, "coord_crs"),
    (POINT, {"expression": "b7"}, "expression"),
    ("/mosaics/dtm/point/77,91", {}, "coordinates"),
    ("/mosaics/dtm/point/400,18", {}, "coordinates"),
    ("/mosaics/dtm/point/nan,18", {}, "coordinates"),
    ("/mosaics/dtm/point/inf,18", {}, "coordinates"),
    ("/mosaics/dtm/point/77,north", {}, "lat"),
    ("/mosaics/dtm/point/1e9,1e12", {"coord_crs": "IAU_2015:49910"}, "coordinates"),
    (f"{BBOX}.png", {"coord_crs": "EPSG:4326"}, "coord_crs"),
    (f"{BBOX}.png", {"coord_crs": ""}, "coord_crs"),
    (f"{BBOX}.png", {"crs": "EPSG:3857"}, "crs"),
    (f"{BBOX}.png", {"crs": ""}, "crs"),
    (f"{BBOX}.png", {"max_size": 0}, "max_size"),
    (BBOX, {}, "format"),
    (f"{BBOX}/0x10.png", {}, "width"),
    (f"{BBOX}/10x9999.png", {}, "height"),
    ("/mosaics/dtm/bbox/77.3,18.3,76.7,18.9.png", {}, "bbox"),
    ("/mosaics/dtm/bbox/76.7,18.9,77.3,18.3.png", {}, "bbox"),
    ("/mosaics/dtm/bbox/76.7,18.3,76.7,18.9.png", {}, "bbox"),
    ("/mosaics/dtm/bbox/76.7,nan,77.3,18.9.png", {}, "bbox"),
    ("/mosaics/dtm/bbox/-inf,18,inf,19.png", {}, "bbox"),
    ("/mosaics/dtm/bbox/-1e308,-1e308,1e308,1e308.png", {}, "bbox"),
    ("/mosaics/dtm/bbox/0,-100,10,100.png", {}, "bbox"),
    ("/mosaics/dtm/bbox/1e12,1e12,2e12,2e12.png", {"coord_crs": "IAU_2015:49910"}, "bbox"),
    ("/mosaics/dtm/bbox/76.7,18.3,77.3,south.png", {}, "maxy"),
    ("/mosaics/DTM/info", {}, "name"),
    ("/mosaics/d%20tm/info", {}, "name"),
    (f"/mosaics/{'a' * 65}/info", {}, "name"),
    ("/mosaics/dtm@0/info", {}, "version"),
    ("/mosaics/dtm@one/info", {}, "version"),
    ("/mosaics/dtm@/info", {}, "version"),
    (f"/mosaics/dtm@{LONG}/info", {}, "version"),
    ("/mosaics", {"limit": 0}, "limit"),
    ("/mosaics/dtm/granules", {"limit": 5000}, "limit"),
    ("/colorMaps/mauve", {}, "colormap_name"),
]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    toys = Toys(folder=tmp_path_factory.mktemp("problems"))
    toys.publish("dtm", [write_tile(toys.folder / "dtm.tif", heights(), nodata=-32767)])
    toys.publish("rgb", [write_tile(toys.folder / "rgb.tif", heights(dtype="uint8", bands=3))])
    return toys


@pytest.fixture(scope="module")
def http(toys: Toys) -> Generator[httpx.Client]:
    with toys.served() as client:
        yield client


def assert_problem(reply: httpx.Response, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text[:500]
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["access-control-allow-origin"] == "*"
    document: dict[str, Any] = reply.json()
    assert document["type"] == "about:blank"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


@pytest.mark.parametrize(
    ("path", "params", "field"), BAD, ids=[f"{field}:{path[-30:]}{params}"[:90] for path, params, field in BAD]
)
def test_a_bad_parameter_is_400_and_named(http: httpx.Client, path: str, params: dict[str, Any], field: str) -> None:
    document = assert_problem(http.get(path, params=params, headers={"Origin": "https://map.example"}), 400)
    assert document["field"] == field


@pytest.mark.parametrize(
    "path",
    [
        url("nothing", ".png"),
        url("dtm@7", ".png"),
        "/mosaics/nothing",
        "/mosaics/nothing/info",
        "/mosaics/dtm@9999999999/info",
        "/mosaics/nothing/versions",
        "/mosaics/nothing/granules",
        "/mosaics/nothing/preview.png",
        "/mosaics/nothing/point/1,2",
        f"/mosaics/nothing/{TMS}/tilejson.json",
        "/nowhere",
        "/mosaics/dtm/nowhere",
    ],
)
def test_what_does_not_exist_is_404(http: httpx.Client, path: str) -> None:
    assert_problem(http.get(path, headers={"Origin": "https://map.example"}), 404)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_a_wrong_method_is_405_and_the_right_one_is_told(http: httpx.Client, method: str) -> None:
    reply = http.request(method, TILE, headers={"Origin": "https://map.example"})
    assert_problem(reply, 405)
    assert "GET" in reply.headers["allow"]


def test_a_granule_out_of_reach_is_503_when_strict(toys: Toys) -> None:
    lost = write_tile(toys.folder / "lost.tif", heights(), nodata=-32767)
    toys.publish("lost", [lost])
    lost.unlink()
    with toys.served() as http:
        reply = http.get(url("lost"), params={"strict": "true"}, headers={"Origin": "https://map.example"})
        document = assert_problem(reply, 503)
        assert int(reply.headers["retry-after"]) > 0
        assert "lost" in document["detail"]
        assert str(toys.folder) not in reply.text


def test_an_unexpected_fault_is_500_without_its_text(toys: Toys) -> None:
    outside = toys.outside()
    reader = WatchedReader(inner=outside.reader, fault=RuntimeError("the secret is swordfish"))
    with toys.served(outside=Adapters(store=outside.store, reader=reader)) as http:
        reply = http.get(TILE)
        assert reply.status_code == 500
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["status"] == 500
        assert "swordfish" not in reply.text
        assert "Traceback" not in reply.text


@pytest.mark.parametrize(
    ("origins", "shared"),
    [(("*",), "*"), (("https://map.example",), "https://map.example"), (("https://other.example",), None)],
)
def test_a_fault_is_readable_by_the_pages_that_may_use_the_maps(
    toys: Toys, origins: tuple[str, ...], shared: str | None
) -> None:
    outside = toys.outside()
    adapters = Adapters(store=outside.store, reader=WatchedReader(inner=outside.reader, fault=RuntimeError("no")))
    with toys.served(outside=adapters, cors_origins=origins) as http:
        reply = http.get(TILE, headers={"Origin": "https://map.example"})
        assert (reply.status_code, reply.headers.get("access-control-allow-origin")) == (500, shared)


def test_a_store_of_a_newer_make_is_refused_in_words(toys: Toys) -> None:
    other = Toys(folder=toys.folder / "newer")
    other.publish("dtm", [toys.folder / "dtm.tif"])
    (format_file,) = (other.folder / "store").glob("**/format.json")
    format_file.write_text(json.dumps({**json.loads(format_file.read_text()), "format": 999}))
    with other.served() as http:
        reply = http.get(url("dtm"))
        assert reply.status_code == 500
        assert reply.headers["content-type"] == "application/problem+json"
        assert str(other.folder) not in reply.text


def test_too_many_granules_are_an_error_when_strict(toys: Toys) -> None:
    files = [write_tile(toys.folder / f"many{seed}.tif", heights(seed=seed)) for seed in (1, 2, 3)]
    toys.publish("many", files)
    with toys.served(max_granules=2) as http:
        assert http.get(url("many")).headers["x-assets"] == "many1"
        assert http.get(url("many"), params={"strict": "true"}).status_code == 503


def test_the_table_covers_every_parameter_of_an_image(http: httpx.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    tile = paths["/mosaics/{mosaic}/tiles/{tms}/{z}/{x}/{y}"]["get"]
    names = {parameter["name"] for parameter in tile["parameters"]} - {"mosaic"}
    assert names <= {field for _, _, field in BAD}


def test_values_on_the_edge_are_no_problem(http: httpx.Client) -> None:
    left, bottom, right, top = tile_box()
    for path in (
        "/mosaics/dtm/point/180,90",
        "/mosaics/dtm/point/-180,-90",
        "/mosaics/dtm/point/360,0",
        f"/mosaics/dtm/bbox/{left},{bottom},{right},{top}/1x1.tif?coord_crs=IAU_2015:49910",
        f"{url('dtm', '@4x.tif')}?tilesize=512",
        f"{url('dtm', '.tif')}?buffer=256&tilesize={SIZE}",
        url("dtm", ".png", z=0, x=0, y=0),
        url("dtm", ".png", z=23, x=X << 15, y=Y << 15),
    ):
        assert http.get(path).status_code in (200, 204), path
