"""Points over HTTP: a value for each granule under a place, in the mosaic's order."""

import math
from collections.abc import Generator

import httpx
import numpy as np
import pytest

from rasters import Array
from toys import GRID, MARS, Toys, heights, tile_box, write_tile

NODATA = -32767.0
ROW, COLUMN = 40, 100


def dtm(seed: int) -> Array:
    values = heights(seed=seed)
    if seed == 2:
        values[0, :60] = NODATA
    return values


def place(row: int = ROW, column: int = COLUMN) -> tuple[float, float]:
    """The middle of a pixel, in metres."""
    left, _, right, top = tile_box()
    pixel = (right - left) / 256
    return left + (column + 0.5) * pixel, top - (row + 0.5) * pixel


def degrees(row: int = ROW, column: int = COLUMN) -> tuple[float, float]:
    lon, lat = GRID.unproject(*(np.array([edge]) for edge in place(row, column)))
    return lon[0].item(), lat[0].item()


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    toys = Toys(folder=tmp_path_factory.mktemp("points"))
    files = [write_tile(toys.folder / f"{seed}.tif", dtm(seed), nodata=NODATA) for seed in (1, 2, 3)]
    toys.publish("three", files)
    rgb = heights(dtype="uint8", bands=3)
    toys.publish("rgb", [write_tile(toys.folder / "rgb.tif", rgb, scales=[2] * 3, offsets=[1] * 3)])
    lost = [write_tile(toys.folder / f"lost{seed}.tif", dtm(seed), nodata=NODATA) for seed in (1, 2, 3)]
    toys.publish("lost", lost)
    lost[0].unlink()
    return toys


@pytest.fixture(scope="module")
def http(toys: Toys) -> Generator[httpx.Client]:
    with toys.served() as client:
        yield client


def ask(http: httpx.Client, at: tuple[float, float], *, mosaic: str = "three", **params: object) -> httpx.Response:
    return http.get(f"/mosaics/{mosaic}/point/{at[0]!r},{at[1]!r}", params=params)  # type: ignore[arg-type]


def test_each_granule_has_its_pixels_value_in_order_and_null_without_data(http: httpx.Client) -> None:
    document = ask(http, degrees()).json()
    assert document["coordinates"] == list(degrees())
    assert document["crs"] == "IAU_2015:49900"
    assert document["values"] == [
        {"granule": "1", "bands": ["b1"], "values": [float(dtm(1)[0, ROW, COLUMN])]},
        {"granule": "2", "bands": ["b1"], "values": None},
        {"granule": "3", "bands": ["b1"], "values": [float(dtm(3)[0, ROW, COLUMN])]},
    ]


def test_coordinates_may_be_in_any_crs_of_the_body(http: httpx.Client) -> None:
    reply = ask(http, place(), coord_crs=MARS)
    assert reply.json()["crs"] == MARS
    assert reply.json()["values"] == ask(http, degrees()).json()["values"]


@pytest.mark.parametrize(("crs", "sign"), [("IAU_2015:49900", 1), ("IAU_2015:49901", -1)])
def test_longitude_comes_first_however_the_authority_has_it(http: httpx.Client, crs: str, sign: int) -> None:
    lon, lat = degrees()
    assert ask(http, (sign * lon, lat), coord_crs=crs).json()["values"] == ask(http, (lon, lat)).json()["values"]


def test_ocentric_latitudes_of_the_ellipsoid_come_second(http: httpx.Client) -> None:
    lon, lat = degrees()
    flattening = 1 / 169.894447223611
    ocentric = math.degrees(math.atan((1 - flattening) ** 2 * math.tan(math.radians(lat))))
    values = ask(http, (lon, ocentric), coord_crs="IAU_2015:49902").json()["values"]
    assert values == ask(http, (lon, lat)).json()["values"]


def test_longitudes_may_run_to_360(http: httpx.Client) -> None:
    lon, lat = degrees()
    assert ask(http, (lon - 360, lat)).json()["values"] == ask(http, (lon, lat)).json()["values"]


@pytest.mark.parametrize(("row", "column"), [(0, 0), (255, 255), (0, 255), (60, 7)])
def test_it_is_exactly_the_pixel_under_the_point(http: httpx.Client, row: int, column: int) -> None:
    values = ask(http, degrees(row, column)).json()["values"]
    assert values[0]["values"] == [float(dtm(1)[0, row, column])]


def test_bands_expressions_and_scales_work_as_for_images(http: httpx.Client) -> None:
    pixel = heights(dtype="uint8", bands=3)[:, ROW, COLUMN].astype(int).tolist()

    def values(**params: object) -> dict[str, object]:
        (granule,) = ask(http, degrees(), mosaic="rgb", **params).json()["values"]
        return granule

    assert values()["values"] == pixel
    assert values(bidx=[3, 1]) == {"granule": "rgb", "bands": ["b3", "b1"], "values": [pixel[2], pixel[0]]}
    computed = values(expression="b1+b2;b3>500")
    assert computed["bands"] == ["b1+b2", "b3>500"]
    assert computed["values"] == [pixel[0] + pixel[1], 0]
    assert values(unscale="true")["values"] == [2.0 * value + 1 for value in pixel]
    assert values(nodata=pixel[0], bidx=1)["values"] is None


def test_a_place_without_granules_has_no_values(http: httpx.Client) -> None:
    assert ask(http, (-40.0, 10.0)).json()["values"] == []
    assert http.get("/mosaics/three/point/-40,10/assets").json() == []


def test_the_granules_under_a_point_are_listed(http: httpx.Client) -> None:
    lon, lat = degrees()
    listed = http.get(f"/mosaics/three/point/{lon},{lat}/assets").json()
    assert [granule["id"] for granule in listed] == ["1", "2", "3"]


def test_a_granule_that_cannot_be_read_is_named_and_the_reply_is_kept_briefly(http: httpx.Client) -> None:
    reply = ask(http, degrees(), mosaic="lost@1")
    assert reply.status_code == 200
    first, *others = reply.json()["values"]
    assert (first["granule"], first["values"], first["error"]) == ("lost1", None, "the file does not exist")
    assert others == [
        {"granule": f"lost{seed}", "bands": ["b1"], "values": values}
        for seed, values in ((2, None), (3, [float(dtm(3)[0, ROW, COLUMN])]))
    ]
    assert reply.headers["cache-control"] == "public, max-age=10"
    assert "etag" not in reply.headers


def test_strict_makes_an_error_of_it(http: httpx.Client) -> None:
    reply = ask(http, degrees(), mosaic="lost", strict="true")
    assert reply.status_code == 503
    assert "lost1" in reply.json()["detail"]
    assert int(reply.headers["retry-after"]) > 0


def test_a_reply_is_tagged_and_kept_like_a_tile(http: httpx.Client) -> None:
    reply = ask(http, degrees(), mosaic="three@1")
    assert "immutable" in reply.headers["cache-control"]
    lon, lat = degrees()
    again = http.get(f"/mosaics/three@1/point/{lon},{lat}", headers={"If-None-Match": reply.headers["etag"]})
    assert again.status_code == 304


def test_more_granules_than_may_be_read_make_a_reply_partial(toys: Toys) -> None:
    with toys.served(max_granules=2) as http:
        reply = ask(http, degrees(), mosaic="three@1")
        assert [value["granule"] for value in reply.json()["values"]] == ["1", "2"]
        assert reply.headers["cache-control"] == "public, max-age=10"
        assert "etag" not in reply.headers
        assert ask(http, degrees(), strict="true").status_code == 503
