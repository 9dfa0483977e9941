"""Documents over HTTP: lists, information, granules, versions, MosaicJSON, TileJSON and colormaps."""

import io
import json
from collections.abc import Generator

import httpx
import numpy as np
import pytest
import shapely.geometry
from cogeo_mosaic.mosaic import MosaicJSON

from quadmosaic.bootstrap import Adapters
from quadmosaic.domain.mosaic import Defaults
from rasters import Array
from small_mosaics import SmallMosaic
from toys import TMS, Toys, WatchedStore, X, Y, Z, heights, url, write_tile

NODATA = -32767.0


def numbered(number: int) -> Array:
    return np.full((1, 256, 256), -2500.0 + number, np.float32)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    toys = Toys(folder=tmp_path_factory.mktemp("documents"))
    files = [write_tile(toys.folder / f"g{number}.tif", numbered(number), nodata=NODATA) for number in range(5)]
    words = Defaults(title="Five & co", description="Five flat tiles", attribution="nobody")
    toys.publish("five", files, defaults=words)
    for number, title in enumerate("abc"):
        toys.publish("history", files[: number + 1], defaults=Defaults(title=title))
    nan = write_tile(toys.folder / "nan.tif", heights(), nodata=float("nan"))
    toys.publish("nan", [nan])
    toys.publish_items("two", {"one": {"dtm": files[0], "ortho": files[1]}, "other": {"dtm": files[2]}}, scan=False)
    return toys


@pytest.fixture(scope="module")
def http(toys: Toys) -> Generator[httpx.Client]:
    with toys.served() as client:
        yield client


def get(http: httpx.Client, path: str, **params: object) -> dict:
    reply = http.get(path, params=params or None)  # type: ignore[arg-type]
    assert reply.status_code == 200, reply.text
    return reply.json()


def pages(http: httpx.Client, path: str, key: str, *, limit: int) -> list[list[dict]]:
    """Follow the next links."""
    found, here = [], f"{path}?limit={limit}"
    while here:
        document = get(http, here)
        found.append(document[key])
        here = next((link["href"] for link in document["links"] if link["rel"] == "next"), "")
    return found


def test_mosaics_are_listed_by_name_and_page_by_page(http: httpx.Client) -> None:
    names = [["five", "history"], ["nan", "two"]]
    found = pages(http, "/mosaics", "mosaics", limit=2)
    assert [[mosaic["name"] for mosaic in page] for page in found if page] == names
    five = found[0][0]
    assert (five["title"], five["version"], five["body"], five["granules"]) == ("Five & co", 1, "Mars", 5)


def test_info_says_where_what_and_how_much(http: httpx.Client) -> None:
    document = get(http, "/mosaics/five/info")
    assert document.items() <= get(http, "/mosaics/five").items()
    assert document["crs"] == "http://www.opengis.net/def/crs/IAU/2015/49900"
    np.testing.assert_allclose(document["bounds"], [76.640625, 18.28125, 77.34375, 18.984375])
    assert document["default_asset"] == "data"
    (asset,) = document["assets"]
    assert (asset["bands"], asset["dtype"], asset["nodata"]) == (1, "float32", NODATA)
    assert asset["resolution_m"] == pytest.approx(162.8, abs=0.1)
    assert document["index"]["quadkey_zoom"] == 7
    assert document["index"]["granules_per_cell"] == {"median": 5, "p95": 5, "max": 5}
    assert document["report"]["found"] == document["report"]["used"] == 5
    assert document["report"]["refused_count"] == 0
    assert document["software"].startswith("quadmosaic ")


def test_info_of_files_that_nobody_read_says_what_is_known(http: httpx.Client) -> None:
    assert get(http, "/mosaics/two/info")["assets"] == [{"key": "dtm"}, {"key": "ortho"}]


def test_nodata_that_json_lacks_is_a_word(http: httpx.Client) -> None:
    assert get(http, "/mosaics/nan/info")["assets"][0]["nodata"] == "nan"


def test_info_is_a_feature_too(http: httpx.Client) -> None:
    reply = http.get("/mosaics/five/info.geojson")
    assert reply.headers["content-type"] == "application/geo+json"
    feature = reply.json()
    np.testing.assert_allclose(shapely.geometry.shape(feature["geometry"]).bounds, feature["properties"]["bounds"])


def test_versions_are_listed_newest_first_and_the_head_is_marked(http: httpx.Client) -> None:
    found = pages(http, "/mosaics/history/versions", "versions", limit=2)
    listed = [version for page in found for version in page]
    assert [(version["version"], version["title"], version["head"]) for version in listed] == [
        (3, "c", True),
        (2, "b", False),
        (1, "a", False),
    ]
    assert get(http, "/mosaics/history@1/info")["granules"] == 1


def test_granules_are_features_page_by_page_each_once(http: httpx.Client, toys: Toys) -> None:
    found = pages(http, "/mosaics/five/granules", "features", limit=2)
    assert [len(page) for page in found if page] == [2, 2, 1]
    features = {feature["id"]: feature for page in found for feature in page}
    assert set(features) == {f"g{number}" for number in range(5)}
    assert features["g3"]["properties"]["assets"] == {"data": str(toys.folder / "g3.tif")}
    assert shapely.geometry.shape(features["g3"]["geometry"]).is_valid
    assert http.get("/mosaics/five/granules").headers["content-type"] == "application/geo+json"


@pytest.mark.parametrize("asked", [{"bbox": "1,2,3"}, {"datetime": "yesterday"}, {"filter": "gsd <"}])
def test_a_search_of_granules_that_is_none_is_refused(http: httpx.Client, asked: dict[str, str]) -> None:
    reply = http.get("/mosaics/five/granules", params=asked)
    assert (reply.status_code, reply.json()["field"]) == (400, next(iter(asked)))


def test_mosaicjson_opens_in_cogeo_mosaic(http: httpx.Client, toys: Toys) -> None:
    document = MosaicJSON(**get(http, "/mosaics/five/mosaic.json"))
    assert document.mosaicjson == "0.0.3"
    assert (document.name, document.attribution) == ("Five & co", "nobody")
    assert all(
        hrefs == [str(toys.folder / f"g{number}.tif") for number in range(5)] for hrefs in document.tiles.values()
    )


def test_mosaicjson_is_for_one_asset(http: httpx.Client, toys: Toys) -> None:
    tiles = get(http, "/mosaics/two/mosaic.json", asset="ortho")["tiles"]
    assert {href for hrefs in tiles.values() for href in hrefs} == {str(toys.folder / "g1.tif")}
    assert http.get("/mosaics/two/mosaic.json", params={"asset": "slope"}).json()["field"] == "asset"


def test_mosaicjson_may_be_on_another_grid_with_one_root(http: httpx.Client) -> None:
    document = get(http, "/mosaics/five/mosaic.json", tms="MarsMercatorSphere")
    assert document["tilematrixset"]["id"] == "MarsMercatorSphere"


def test_tilejson_leads_to_tiles_with_data(http: httpx.Client) -> None:
    document = get(http, f"/mosaics/five/{TMS}/tilejson.json", tile_format="npy")
    assert document["tilejson"] == "3.0.0"
    assert document["minzoom"] <= Z <= document["maxzoom"]
    assert document["crs"] == "http://www.opengis.net/def/crs/IAU/2015/49910"
    assert document["name"] == "Five & co"
    lon, lat, zoom = document["center"]
    west, south, east, north = document["bounds"]
    assert west <= lon <= east
    assert south <= lat <= north
    assert document["minzoom"] <= zoom <= document["maxzoom"]
    address = document["tiles"][0].format(z=Z, x=X, y=Y)
    assert np.load(io.BytesIO(http.get(address).content)).shape == (2, 256, 256)


@pytest.mark.parametrize(("scale", "side"), [(1, 256), (2, 512)])
def test_tilejson_may_ask_for_larger_tiles(http: httpx.Client, scale: int, side: int) -> None:
    document = get(http, f"/mosaics/five/{TMS}/tilejson.json", tile_format="npy", tile_scale=scale)
    address = document["tiles"][0].format(z=Z, x=X, y=Y)
    assert np.load(io.BytesIO(http.get(address).content)).shape == (2, side, side)


def test_tilejson_carries_repeated_parameters_to_its_tiles(http: httpx.Client) -> None:
    document = get(http, f"/mosaics/five/{TMS}/tilejson.json", bidx=[1, 1], rescale=["0,1", "2,3"], tile_format="png")
    query = httpx.URL(document["tiles"][0]).params
    assert query.get_list("bidx") == ["1", "1"]
    assert query.get_list("rescale") == ["0,1", "2,3"]
    assert "tile_format" not in query


def test_addresses_are_those_that_the_client_used(http: httpx.Client) -> None:
    document = http.get(f"/mosaics/five/{TMS}/tilejson.json", headers={"Host": "maps.example:8443"}).json()
    assert document["tiles"][0].startswith("http://maps.example:8443/mosaics/five@1/")


@pytest.mark.parametrize("body", ["Mars", "Moon", "Europa"])
def test_a_mosaic_of_any_body_is_described_and_drawn(small_mosaics: dict[str, SmallMosaic], body: str) -> None:
    mosaic = small_mosaics[body]
    file = next(iter(mosaic.files.values()))[0]
    toys = Toys(folder=file.parent)
    with toys.served() as http:
        document = get(http, f"/mosaics/{mosaic.name}/info")
        assert document["body"] == body
        west, south, east, north = document["bounds"]
        assert -180 <= west < east <= 180
        assert -90 <= south < north <= 90
        reply = http.get(f"/mosaics/{mosaic.name}/preview.tif")
        assert reply.status_code == 200
        assert reply.headers["x-assets"]


def test_colormaps_are_listed_and_described(http: httpx.Client) -> None:
    names = get(http, "/colorMaps")["colorMaps"]
    assert {"viridis", "terrain"} <= set(names)
    described = get(http, "/colorMaps/viridis")
    assert len(described) == 256
    assert described["255"] == [253, 231, 36, 255]


def test_health_touches_no_store(toys: Toys) -> None:
    inside = toys.outside()
    store = WatchedStore(inside.store)
    with toys.served(outside=Adapters(store=store, reader=inside.reader)) as http:  # type: ignore[arg-type]
        document = get(http, "/healthz")
    assert document["status"] == "ok"
    assert document["version"]
    assert not store.used


def test_documents_are_json_without_nan(http: httpx.Client) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for path in ("/mosaics", "/mosaics/nan/info", "/mosaics/nan/granules", "/mosaics/nan/mosaic.json"):
        json.loads(http.get(path).content, parse_constant=refuse)
    assert http.get(url("nan", ".png")).status_code == 200
