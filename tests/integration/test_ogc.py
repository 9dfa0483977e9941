"""The OGC documents and GDAL files, as URLs answer them; tests/clients drives the programs that read them."""

import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Generator
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import httpx
import pytest
import rasterio
import shapely

from fixtures_server import serving
from quadmosaic import bootstrap
from quadmosaic.config import Settings
from quadmosaic.domain import grids
from quadmosaic.domain.mosaic import Defaults, Recipe
from quadmosaic.domain.sources import FeaturesSource
from quadmosaic.services.drafts import publish
from small_mosaics import MARS_NODATA, SmallMosaic

WMTS = {"w": "http://www.opengis.net/wmts/1.0", "o": "http://www.opengis.net/ows/1.1"}
EQUIDISTANT = "MarsEquidistantCylindricalSphere"

type Xml = ElementTree.Element


@pytest.fixture(autouse=True)
def _mosaics(small_mars_mosaic: SmallMosaic) -> None:
    """All tests here use the store of small mosaics."""


def capabilities(http: httpx.Client, mosaic: str = "mars-strips", **query: str) -> Xml:
    answer = http.get(f"/mosaics/{mosaic}/WMTSCapabilities.xml", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/xml"
    return ElementTree.fromstring(answer.content)


def texts(element: Xml, path: str) -> list[str]:
    return [found.text or "" for found in element.findall(path, WMTS)]


def templates(document: Xml) -> dict[tuple[str, str], str]:
    """URL templates by layer and media type."""
    return {
        (layer.findtext("o:Identifier", namespaces=WMTS) or "", url.attrib["format"]): url.attrib["template"]
        for layer in document.findall("w:Contents/w:Layer", WMTS)
        for url in layer.findall("w:ResourceURL", WMTS)
    }


def gdal_file(http: httpx.Client, mosaic: str, tms: str, **query: str) -> Xml:
    answer = http.get(f"/mosaics/{mosaic}/{tms}/gdal.xml", params=query)
    assert answer.status_code == 200, answer.text
    return ElementTree.fromstring(answer.content)


def refused(http: httpx.Client, path: str, **query: str) -> tuple[int, str | None]:
    answer = http.get(path, params=query)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json().get("field")


# WMTS


def test_wmts_has_a_layer_per_asset_on_the_named_grids_of_the_body(http: httpx.Client) -> None:
    document = capabilities(http)
    assert texts(document, "w:Contents/w:Layer/o:Identifier") == ["dtm", "ortho"]
    sets = texts(document, "w:Contents/w:TileMatrixSet/o:Identifier")
    assert sets[0] == EQUIDISTANT
    assert {"MarsMercatorSphere", "MarsGeographicSphere"} < set(sets)
    assert all(tms.startswith("Mars") and "Coalesced" not in tms and "Polar" not in tms for tms in sets)
    for layer in document.findall("w:Contents/w:Layer", WMTS):
        assert texts(layer, "w:TileMatrixSetLink/w:TileMatrixSet") == sets


def test_wmts_names_crs_as_qgis_and_gdal_can_read_them(http: httpx.Client) -> None:
    assert texts(capabilities(http, tms=EQUIDISTANT), ".//o:SupportedCRS") == ["IAU_2015:49910"]
    assert texts(capabilities(http, tms="MarsGeographicSphere"), ".//o:SupportedCRS") == ["IAU_2015:49900"]


def test_wmts_states_native_bounds_and_none_of_earth(http: httpx.Client) -> None:
    document = capabilities(http, tms=EQUIDISTANT)
    box = document.find("w:Contents/w:Layer/o:BoundingBox", WMTS)
    assert box is not None
    assert box.attrib["crs"] == "IAU_2015:49910"
    lower, upper = (texts(box, f"o:{corner}Corner")[0].split() for corner in ("Lower", "Upper"))
    assert [float(v) for v in (*lower, *upper)] == pytest.approx([4_550_000, 1_060_000, 4_605_000, 1_120_000], abs=0.01)
    assert document.find(".//o:WGS84BoundingBox", WMTS) is None


def test_wmts_writes_degrees_latitude_first(http: httpx.Client) -> None:
    document = capabilities(http, "moon-degrees", tms="MoonGeographicSphere")
    assert set(texts(document, ".//w:TopLeftCorner")) == {"90.0 -180.0"}
    lower = texts(document, ".//o:LowerCorner")[0].split()
    assert [float(v) for v in lower] == pytest.approx([0, -60], abs=1e-6)


@pytest.mark.parametrize(
    ("tms", "metres"), [(EQUIDISTANT, 10669445.554195119 / 256), ("MarsGeographicSphere", 180 / 256 * 111319.49079)]
)
def test_wmts_scale_denominators_count_pixels_of_0_28_mm(http: httpx.Client, tms: str, metres: float) -> None:
    scales = [float(text) for text in texts(capabilities(http, tms=tms), ".//w:ScaleDenominator")]
    assert scales[0] == pytest.approx(metres / 0.00028, rel=1e-9)
    assert all(finer == pytest.approx(coarser / 2) for coarser, finer in itertools.pairwise(scales))


def test_wmts_limits_hold_the_tiles_that_have_data(http: httpx.Client) -> None:
    document = capabilities(http, tms=EQUIDISTANT)
    limits = document.findall(
        "w:Contents/w:Layer[1]/w:TileMatrixSetLink/w:TileMatrixSetLimits/w:TileMatrixLimits", WMTS
    )
    deepest = limits[-1]
    z, y0, y1, x0, x1 = (
        int(texts(deepest, f"w:{name}")[0])
        for name in ("TileMatrix", "MinTileRow", "MaxTileRow", "MinTileCol", "MaxTileCol")
    )
    codes = {
        (x, y): http.get(f"/mosaics/mars-strips/tiles/{EQUIDISTANT}/{z}/{x}/{y}.png").status_code
        for x in range(x0 - 1, x1 + 2)
        for y in range(y0 - 1, y1 + 2)
    }
    with_data = {tile for tile, code in codes.items() if code == 200}
    assert {x for x, _ in with_data} == set(range(x0, x1 + 1))
    assert {y for _, y in with_data} == set(range(y0, y1 + 1))


def test_wmts_tile_urls_carry_the_asset_and_the_requests_own_parameters(http: httpx.Client) -> None:
    colormap = json.dumps({"1": "#ff0000"})
    document = capabilities(http, tms=EQUIDISTANT, colormap=colormap, rescale="0,250", empty="404")
    template = templates(document)["ortho", "image/png"]
    assert "/mosaics/mars-strips/tiles/{TileMatrixSet}/{TileMatrix}/{TileCol}/{TileRow}.png?" in template
    assert parse_qs(urlsplit(template).query) == {
        "assets": ["ortho"],
        "colormap": [colormap],
        "rescale": ["0,250"],
        "empty": ["404"],
    }


def test_wmts_shows_one_layer_where_one_asset_is_asked_for(http: httpx.Client) -> None:
    document = capabilities(http, tms=EQUIDISTANT, assets="ortho")
    assert texts(document, "w:Contents/w:Layer/o:Identifier") == ["ortho"]
    assert all(url.count("assets=ortho") == 1 for url in templates(document).values())


def test_wmts_of_larger_tiles_has_the_same_matrices_with_finer_pixels(http: httpx.Client) -> None:
    small, large = (capabilities(http, tms=EQUIDISTANT, tilesize=size) for size in ("256", "512"))
    assert texts(large, ".//w:TileWidth")[0] == "512"
    assert texts(large, ".//w:MatrixWidth") == texts(small, ".//w:MatrixWidth")
    assert float(texts(large, ".//w:ScaleDenominator")[0]) == float(texts(small, ".//w:ScaleDenominator")[0]) / 2


def test_wmts_for_gdal_writes_wkt_with_x_first(http: httpx.Client) -> None:
    document = capabilities(http, "moon-degrees", tms="MoonGeographicSphere", f="gdal")
    assert texts(document, ".//o:SupportedCRS")[0].startswith("GEOGCRS")
    assert set(texts(document, ".//w:TopLeftCorner")) == {"-180.0 90.0"}


def test_wmts_of_a_version_gives_tiles_of_that_version_and_may_be_kept(http: httpx.Client) -> None:
    answer = http.get("/mosaics/mars-strips@1/WMTSCapabilities.xml", params={"tms": EQUIDISTANT})
    assert "immutable" in answer.headers["cache-control"]
    assert "/mosaics/mars-strips@1/tiles/" in answer.text


def test_documents_answer_304_to_who_has_them(http: httpx.Client) -> None:
    for path in (
        "/mosaics/mars-strips/WMTSCapabilities.xml",
        f"/mosaics/mars-strips/{EQUIDISTANT}/gdal.xml",
        "/mosaics/mars-strips/tiles",
    ):
        first = http.get(path)
        assert http.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
        assert http.get(f"{path}?rescale=0,1", headers={"If-None-Match": first.headers["etag"]}).status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"tms": "MoonGeographicSphere"}, "tms"),
        ({"tms": "nowhere"}, "tms"),
        ({"tms": "MarsNorthPolarSphere"}, "tms"),
        ({"assets": "nothing"}, "assets"),
        ({"rescale": "high"}, "rescale"),
        ({"colormap_name": "nothing"}, "colormap_name"),
        ({"buffer": "2"}, "buffer"),
        ({"f": "pdf"}, "f"),
    ],
)
def test_wmts_refuses_by_field(http: httpx.Client, query: dict[str, str], field: str) -> None:
    assert refused(http, "/mosaics/mars-strips/WMTSCapabilities.xml", **query) == (400, field)


# GDAL files


def test_gdal_tms_file_describes_the_grid_and_the_values(http: httpx.Client) -> None:
    document = gdal_file(http, "mars-strips", EQUIDISTANT, service="tms", tile_format="tif")
    grid = grids.load(EQUIDISTANT)
    assert document.tag == "GDAL_WMS"
    window = {child.tag: child.text or "" for child in document.findall("DataWindow/*")}
    corners = (window["UpperLeftX"], window["LowerRightY"], window["LowerRightX"], window["UpperLeftY"])
    assert tuple(map(float, corners)) == grid.bounds
    assert (window["TileLevel"], window["TileCountX"], window["TileCountY"]) == ("9", "2", "1")
    assert window["YOrigin"] == "top"
    assert document.findtext("Projection") == "IAU_2015:49910"
    assert (document.findtext("BandsCount"), document.findtext("DataType")) == ("1", "Float32")
    assert float(document.find("DataValues").attrib["NoData"]) == MARS_NODATA
    assert document.findtext("ZeroBlockHttpCodes") == "204"
    assert document.find("Cache") is None
    assert document.findtext("Service/ServerUrl").endswith(f"/{EQUIDISTANT}/${{z}}/${{x}}/${{y}}.tif?assets=dtm")


def test_gdal_wmts_file_asks_for_filled_tiles(http: httpx.Client) -> None:
    document = gdal_file(http, "mars-strips", EQUIDISTANT, service="wmts", assets="ortho", rescale="0,9")
    url = urlsplit(document.findtext("GetCapabilitiesUrl"))
    assert parse_qs(url.query) == {
        "tms": [EQUIDISTANT],
        "f": ["gdal"],
        "assets": ["ortho"],
        "empty": ["fill"],
        "rescale": ["0,9"],
    }
    answer = http.get(document.findtext("GetCapabilitiesUrl"))
    found = templates(ElementTree.fromstring(answer.content))
    assert document.findtext("Layer") == "ortho"
    assert "empty=fill" in found["ortho", document.findtext("Format")]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"assets": "ortho"},
        {"expression": "b1*2;b1/3"},
        {"rescale": "-3000,-2000"},
        {"rescale": "-3000,-2000", "colormap_name": "viridis"},
        {"nodata": "-9"},
        {"unscale": "true", "assets": "ortho"},
        {"pixel_selection": "stdev"},
        {"pixel_selection": "count"},
    ],
)
@pytest.mark.parametrize("empty", ["204", "fill"])
def test_gdal_file_says_what_its_tiles_are(http: httpx.Client, query: dict[str, str], empty: str) -> None:
    document = gdal_file(http, "mars-strips", EQUIDISTANT, **query)
    place = "9/731/203" if empty == "204" else "9/0/0"
    tile = http.get(f"/mosaics/mars-strips/tiles/{EQUIDISTANT}/{place}.tif", params=query | {"empty": empty})
    with rasterio.open(BytesIO(tile.content)) as dataset:
        assert document.findtext("BandsCount") == str(dataset.count)
        assert document.findtext("DataType").lower().replace("byte", "uint8") == dataset.dtypes[0]
        values = document.find("DataValues")
        stated = None if values is None else float(values.attrib["NoData"])
        assert stated == pytest.approx(dataset.nodata, nan_ok=True)


@pytest.mark.parametrize(("tile_format", "bands"), [("png", "4"), ("webp", "4"), ("jpg", "3")])
def test_gdal_file_of_pictures_has_bytes(http: httpx.Client, tile_format: str, bands: str) -> None:
    document = gdal_file(http, "mars-strips", EQUIDISTANT, tile_format=tile_format)
    assert (document.findtext("BandsCount"), document.findtext("DataType")) == (bands, "Byte")
    assert document.find("DataValues") is None


def test_gdal_file_writes_wkt_where_programs_may_lack_the_code(http: httpx.Client) -> None:
    assert gdal_file(http, "mars-strips", "MarsMercatorSphere").findtext("Projection").startswith("PROJCRS")
    assert gdal_file(http, "mars-strips", "MarsNorthPolarSphere").findtext("Projection").startswith("PROJCRS")


def test_gdal_file_escapes_what_it_passes_on(http: httpx.Client) -> None:
    colormap = '{"1": "#fff", "2": [1, 2, 3, 4]}'
    url = gdal_file(http, "mars-strips", EQUIDISTANT, colormap=colormap).findtext("Service/ServerUrl")
    assert parse_qs(urlsplit(url).query) == {"colormap": [colormap], "assets": ["dtm"]}
    assert "<" not in urlsplit(url).query
    assert "{" not in urlsplit(url).query


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"service": "wfs"}, "service"),
        ({"tile_format": "npy"}, "tile_format"),
        ({"tile_format": "gif"}, "tile_format"),
        ({"bidx": "2"}, "bidx"),
        ({"assets": "nothing"}, "assets"),
        ({"buffer": "1"}, "buffer"),
    ],
)
def test_gdal_file_refuses_by_field(http: httpx.Client, query: dict[str, str], field: str) -> None:
    assert refused(http, f"/mosaics/mars-strips/{EQUIDISTANT}/gdal.xml", **query) == (400, field)


@contextlib.contextmanager
def unread_mosaic(folder: Path, tms: str, box: tuple[float, float, float, float]) -> Generator[httpx.Client]:
    """A client of a service with the mosaic `unread`, of one file that nobody has opened."""
    settings = Settings(store=str(folder / "store"))
    outside = bootstrap.adapters(settings)
    geometry = shapely.geometry.mapping(shapely.box(*box))
    feature = {"type": "Feature", "geometry": geometry, "properties": {"path": str(folder / "missing.tif")}}
    source = FeaturesSource(features={"type": "FeatureCollection", "features": [feature]})

    async def build() -> None:
        recipe = Recipe(source=source, tms=tms, scan=False)
        await publish(outside.store, "unread", await bootstrap.builder(outside.reader).draft(recipe, Defaults()))

    asyncio.run(build())
    with serving(bootstrap.http_app(settings, metrics=False)) as url, httpx.Client(base_url=url) as client:
        yield client


def test_gdal_file_waits_for_files_that_were_never_read(tmp_path: Path) -> None:
    with unread_mosaic(tmp_path, "MarsMercatorSphere", (0, 0, 1, 1)) as client:
        values = client.get(f"/mosaics/unread/{EQUIDISTANT}/gdal.xml")
        pictures = client.get(f"/mosaics/unread/{EQUIDISTANT}/gdal.xml?tile_format=png")
    assert values.status_code == 503
    assert "not been read" in values.json()["detail"]
    assert pictures.status_code == 200


def test_wmts_of_earth_has_urns_degrees_and_only_grids_that_are_at_home_there(tmp_path: Path) -> None:
    with unread_mosaic(tmp_path, "WebMercatorQuad", (100, 10, 101, 11)) as client:
        document = capabilities(client, "unread")
    crs = dict(
        zip(texts(document, ".//w:TileMatrixSet/o:Identifier"), texts(document, ".//o:SupportedCRS"), strict=True)
    )
    assert crs["WebMercatorQuad"] == "urn:ogc:def:crs:EPSG::3857"
    assert crs["WGS1984Quad"] == "urn:ogc:def:crs:EPSG::4326"
    assert crs["WorldCRS84Quad"] == "urn:ogc:def:crs:OGC:1.3:CRS84"
    assert not {"EuropeanETRS89_LAEAQuad", "NZTM2000Quad", "UTM31WGS84Quad"} & set(crs)
    box = document.find(".//o:WGS84BoundingBox", WMTS)
    assert box is not None
    assert [float(text) for text in texts(box, "o:LowerCorner")[0].split()] == [100, 10]
    corners = {
        tms.findtext("o:Identifier", namespaces=WMTS): tms.findtext("w:TileMatrix/w:TopLeftCorner", namespaces=WMTS)
        for tms in document.findall("w:Contents/w:TileMatrixSet", WMTS)
    }
    assert (corners["WGS1984Quad"], corners["WorldCRS84Quad"]) == ("90 -180", "-180 90")


def test_wmts_of_a_polar_grid_gives_its_crs_in_full(tmp_path: Path) -> None:
    with unread_mosaic(tmp_path, "MarsNorthPolarSphere", (0, 82, 90, 88)) as client:
        document = capabilities(client, "unread", tms="MarsNorthPolarSphere")
        named = texts(capabilities(client, "unread"), "w:Contents/w:TileMatrixSet/o:Identifier")
    assert texts(document, ".//o:SupportedCRS")[0].startswith("PROJCRS")
    assert "MarsNorthPolarSphere" not in named


# OGC API Tiles


def test_tilesets_are_those_of_the_body(http: httpx.Client) -> None:
    listed = http.get("/mosaics/europa-180/tiles").json()["tilesets"]
    names = {tileset["tileMatrixSetId"] for tileset in listed}
    assert names == set(grids.ids("Europa"))


def test_every_link_of_the_tilesets_answers(http: httpx.Client) -> None:
    listed = http.get("/mosaics/mars-strips/tiles", params={"rescale": "0,10"}).json()
    hrefs = {link["href"] for tileset in listed["tilesets"] for link in tileset["links"]}
    hrefs |= {link["href"] for link in listed["links"]}
    codes = {href: http.get(href).status_code for href in hrefs}
    assert set(codes.values()) == {200}, codes
    assert any("rescale=0%2C10" in href for href in hrefs)


def test_tileset_has_limits_crs_and_templated_tiles(http: httpx.Client) -> None:
    tileset = http.get(f"/mosaics/mars-strips/tiles/{EQUIDISTANT}", params={"assets": "ortho"}).json()
    assert tileset["dataType"] == "map"
    assert tileset["crs"] == "http://www.opengis.net/def/crs/IAU/2015/49910"
    assert tileset["boundingBox"]["lowerLeft"] == pytest.approx([4_550_000, 1_060_000], abs=0.01)
    assert [layer["id"] for layer in tileset["layers"]] == ["dtm", "ortho"]
    limit = tileset["tileMatrixSetLimits"][-1]
    items = [link for link in tileset["links"] if link["rel"] == "item"]
    assert {link["type"] for link in items} >= {"image/png", "image/jpeg", "image/tiff; application=geotiff"}
    for link in items:
        assert link["templated"] is True
        column = (limit["minTileCol"] + limit["maxTileCol"]) // 2
        row = (limit["minTileRow"] + limit["maxTileRow"]) // 2
        url = link["href"].format(tileMatrix=limit["tileMatrix"], tileCol=column, tileRow=row)
        answer = http.get(url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, link["type"])


def test_tileset_in_degrees_has_its_corners_latitude_first(http: httpx.Client) -> None:
    tileset = http.get("/mosaics/moon-degrees/tiles/MoonGeographicSphere").json()
    assert tileset["boundingBox"]["lowerLeft"] == pytest.approx([0, -60], abs=1e-6)
    assert tileset["centerPoint"]["coordinates"] == pytest.approx([5, -55], abs=1e-6)


def test_tileset_on_a_grid_where_the_mosaic_does_not_lie_has_no_limits(http: httpx.Client) -> None:
    tileset = http.get("/mosaics/mars-strips/tiles/MarsNorthPolarSphere").json()
    assert tileset["tileMatrixSetLimits"] == []
    assert tileset["crs"]["wkt"]["type"] == "ProjectedCRS"


def test_matrix_sets_are_listed_by_body(http: httpx.Client) -> None:
    def listed(**query: str) -> set[str]:
        answer = http.get("/tileMatrixSets", params=query)
        assert answer.status_code == 200
        return {item["id"] for item in answer.json()["tileMatrixSets"]}

    assert listed(body="moon") == set(grids.ids("Moon"))
    assert listed() == set().union(*(grids.ids(body) for body in ("Mars", "Moon", "Europa")))
    assert refused(http, "/tileMatrixSets", body="Krypton") == (400, "body")


def test_a_matrix_set_is_its_ogc_document(http: httpx.Client) -> None:
    document = http.get("/tileMatrixSets/MarsMercatorSphere").json()
    assert grids.parse(document).bounds == grids.load("MarsMercatorSphere").bounds
    assert http.get("/tileMatrixSets/nowhere").status_code == 404


def test_conformance_names_ogc_api_tiles(http: httpx.Client) -> None:
    classes = http.get("/conformance").json()["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core" in classes


def test_a_service_starts_without_the_template_engine() -> None:
    code = "import sys, quadmosaic.bootstrap; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
