"""What every catalog owes, whatever the source: the same strips given as a STAC API, as items, as features, as COGs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_bounds

from quadmosaic.catalog.items import body_of_item
from quadmosaic.catalog.sources import SourceCatalog
from quadmosaic.catalog.stac import StacHttp
from quadmosaic.domain import bodies
from quadmosaic.domain.errors import Invalid, QuadmosaicError, Unavailable
from quadmosaic.domain.granules import Harvest, Header, Refusal
from quadmosaic.domain.sources import CogsSource, FeaturesSource, MosaicJsonSource, Source, StacSource
from stac_api import Script, serving
from stac_items import Item, item_collection, strips

MARS = str(bodies.geographic_crs("Mars").to_wkt())
MOON = str(bodies.geographic_crs("Moon").to_wkt())

type MakeSource = Callable[[list[Item]], Source]


async def scan(href: str) -> Header:
    """A header as a reader gives it: rasterio's, for files on disk."""

    def read() -> Header:
        try:
            with rasterio.open(href) as raster:
                crs = raster.crs.to_wkt() if raster.crs else ""
                return Header(
                    width=raster.width,
                    height=raster.height,
                    dtype=raster.dtypes[0],
                    count=raster.count,
                    nodata=raster.nodata,
                    crs=crs,
                    transform=tuple(raster.transform)[:6],
                )
        except rasterio.errors.RasterioIOError as error:
            raise Invalid("is no raster", field="href") from error

    return await asyncio.to_thread(read)


@pytest.fixture
def catalog() -> SourceCatalog:
    return SourceCatalog(scan=scan, http=StacHttp(timeout_s=5, backoff_s=0.001))


def write_cog(path: Path, bounds: Sequence[float], *, crs: str | None = MARS) -> str:
    transform = from_bounds(*bounds, 8, 8)
    profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, crs=crs, transform=transform) as raster:
        raster.write(np.ones((1, 8, 8), "uint8"))
    return str(path)


@pytest.fixture(params=["stac", "items", "features", "cogs"])
def make_source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeSource]:
    """Turns items into a source of each type that says the same of the same scenes."""
    closers: list[Any] = []

    def stac(items: list[Item]) -> Source:
        api = serving(Script(items=items))
        href = api.__enter__()
        closers.append(api)
        return StacSource(href=href, search={"limit": 4})

    def features(items: list[Item]) -> Source:
        plain = [
            {
                "type": "Feature",
                "id": item["id"],
                "geometry": item["geometry"],
                "properties": {
                    "ssys:targets": item["properties"]["ssys:targets"],
                    "path": item["assets"]["dtm"]["href"],
                },
            }
            for item in items
        ]
        return FeaturesSource(features=item_collection(plain), property="path")

    def cogs(items: list[Item]) -> Source:
        for item in items:
            crs = MARS if item["properties"]["ssys:targets"] == ["Mars"] else MOON
            write_cog(tmp_path / f"{item['id']}.tif", item["bbox"], crs=crs)
        return CogsSource(hrefs=tuple(str(tmp_path / f"{item['id']}.tif") for item in items))

    makers: dict[str, MakeSource] = {
        "stac": stac,
        "items": lambda items: FeaturesSource(features=item_collection(items)),
        "features": features,
        "cogs": cogs,
    }
    yield makers[request.param]
    for api in closers:
        api.__exit__(None, None, None)


async def collect(stream: AsyncIterator[Harvest | Refusal]) -> list[Harvest | Refusal]:
    return [granule async for granule in stream]


def ids(found: Sequence[Harvest | Refusal]) -> list[str]:
    return [granule.granule.id for granule in found if isinstance(granule, Harvest)]


def refusals(found: Sequence[Harvest | Refusal]) -> dict[str, str]:
    return {refusal.granule_id: refusal.reason for refusal in found if isinstance(refusal, Refusal)}


class TestEveryCatalog:
    async def test_gives_all_granules_in_the_sources_order(
        self, catalog: SourceCatalog, make_source: MakeSource
    ) -> None:
        items = strips()[::-1]
        found = await collect(catalog.harvest(make_source(items), assets=["dtm"], body="Mars"))
        assert ids(found) == [item["id"] for item in items]

    async def test_gives_the_href_under_the_asset_asked_for(
        self, catalog: SourceCatalog, make_source: MakeSource
    ) -> None:
        found = await collect(catalog.harvest(make_source(strips(2)), assets=["dtm"], body="Mars"))
        assert [list(each.granule.hrefs) for each in found if isinstance(each, Harvest)] == [["dtm"], ["dtm"]]
        assert all(each.granule.hrefs["dtm"].endswith(".tif") for each in found if isinstance(each, Harvest))

    async def test_footprints_lie_where_the_scenes_do(self, catalog: SourceCatalog, make_source: MakeSource) -> None:
        items = strips(3)
        found = await collect(catalog.harvest(make_source(items), assets=["dtm"], body="Mars"))
        for item, harvest in zip(items, found, strict=True):
            assert isinstance(harvest, Harvest)
            assert harvest.granule.footprint.bounds == pytest.approx(item["bbox"], abs=1e-6)

    async def test_refuses_a_granule_of_another_body_and_names_both(
        self, catalog: SourceCatalog, make_source: MakeSource
    ) -> None:
        items = strips(3)
        items[1]["properties"]["ssys:targets"] = ["Moon"]
        found = await collect(catalog.harvest(make_source(items), assets=["dtm"], body="Mars"))
        assert ids(found) == [items[0]["id"], items[2]["id"]]
        assert refusals(found) == {items[1]["id"]: "lies on Moon, and the mosaic on Mars"}

    async def test_the_first_granule_settles_the_body_where_none_is_given(
        self, catalog: SourceCatalog, make_source: MakeSource
    ) -> None:
        items = strips(3)
        items[0]["properties"]["ssys:targets"] = ["Moon"]
        found = await collect(catalog.harvest(make_source(items), assets=["dtm"], body=None))
        assert ids(found) == [items[0]["id"]]
        assert set(refusals(found).values()) == {"lies on Mars, and the mosaic on Moon"}
        assert isinstance(found[0], Harvest)
        assert found[0].granule.properties["ssys:targets"] == ["Moon"]

    async def test_a_granule_that_comes_twice_is_refused_once(
        self, catalog: SourceCatalog, make_source: MakeSource
    ) -> None:
        items = strips(2)
        found = await collect(catalog.harvest(make_source([*items, items[0]]), assets=["dtm"], body="Mars"))
        assert ids(found) == [items[0]["id"], items[1]["id"]]
        assert "duplicate id" in refusals(found)[items[0]["id"]]

    async def test_can_be_left_early(self, catalog: SourceCatalog, make_source: MakeSource) -> None:
        items = strips()
        stream = catalog.harvest(make_source(items), assets=["dtm"], body="Mars")
        first = await anext(stream)
        assert isinstance(first, Harvest)
        assert first.granule.id == items[0]["id"]
        await stream.aclose()


class TestItems:
    async def harvest(
        self, catalog: SourceCatalog, items: list[Any], *, assets: Sequence[str] = ("dtm",), body: str | None = "Mars"
    ) -> list[Harvest | Refusal]:
        return await collect(catalog.harvest(FeaturesSource(features=item_collection(items)), assets=assets, body=body))

    async def test_keeps_small_properties_and_drops_prose_and_false_ones(self, catalog: SourceCatalog) -> None:
        item = strips(1)[0]
        item["properties"] |= {"eo:cloud_cover": 0, "view:sun_azimuth": 12.5, "missing": None, "deep": [[1]]}
        (found,) = await self.harvest(catalog, [item])
        assert isinstance(found, Harvest)
        kept = found.granule.properties
        assert {
            key: kept[key] for key in ("gsd", "eo:cloud_cover", "view:sun_azimuth", "proj:shape", "instruments")
        } == {
            "gsd": 20.0,
            "eo:cloud_cover": 0,
            "view:sun_azimuth": 12.5,
            "proj:shape": [4622, 2013],
            "instruments": ["Context Camera (CTX)"],
        }
        assert kept["collection"] == "ctx_dtms"
        dropped = {
            "description",
            "proj:projjson",
            "proj:wkt2",
            "proj:bbox",
            "proj:transform",
            "cube:dimensions",
            "deep",
        }
        assert not dropped & set(kept)

    async def test_a_missing_asset_is_refused_with_those_there_are(self, catalog: SourceCatalog) -> None:
        items = strips(2)
        del items[0]["assets"]["dtm"]
        found = await self.harvest(catalog, items)
        assert ids(found) == [items[1]["id"]]
        assert refusals(found)[items[0]["id"]].startswith("has no asset 'dtm'; it has 'image', 'orthoimage'")

    async def test_several_assets_are_kept_together(self, catalog: SourceCatalog) -> None:
        (found,) = await self.harvest(catalog, strips(1), assets=["orthoimage", "dtm"])
        assert isinstance(found, Harvest)
        assert list(found.granule.hrefs) == ["orthoimage", "dtm"]

    async def test_without_an_asset_the_only_raster_is_taken(self, catalog: SourceCatalog) -> None:
        items = strips(2)
        for item in items:
            del item["assets"]["image"], item["assets"]["orthoimage"]
        found = await self.harvest(catalog, items, assets=())
        assert [list(each.granule.hrefs) for each in found if isinstance(each, Harvest)] == [["dtm"], ["dtm"]]

    async def test_without_an_asset_several_rasters_are_a_choice_to_make(self, catalog: SourceCatalog) -> None:
        with pytest.raises(Invalid, match="'dtm', 'image', 'orthoimage'") as raised:
            await self.harvest(catalog, strips(1), assets=())
        assert raised.value.field == "assets"

    @pytest.mark.parametrize(
        ("asset", "reason"),
        [
            ({"href": "lola.laz", "type": "application/vnd.laszip+copc"}, "point cloud"),
            ({"href": "lola.LAZ"}, "point cloud"),
            ({"href": "table.csv", "type": "text/csv"}, "text/csv"),
            ({"href": "a.jpg", "type": "image/jpeg"}, "image/jpeg"),
            ({"href": "a.xml", "type": "application/xml"}, "application/xml"),
            ({"type": "image/tiff"}, "no href"),
        ],
    )
    async def test_what_is_no_raster_is_refused(
        self, catalog: SourceCatalog, asset: dict[str, str], reason: str
    ) -> None:
        items = strips(2)
        items[0]["assets"]["dtm"] = asset
        found = await self.harvest(catalog, items)
        assert ids(found) == [items[1]["id"]]
        assert reason in refusals(found)[items[0]["id"]]

    async def test_a_collection_of_point_clouds_is_refused_by_name(self, catalog: SourceCatalog) -> None:
        items = strips(1)
        items[0]["assets"] = {"points": {"href": "x.laz", "type": "application/vnd.laszip+copc"}}
        found = await self.harvest(catalog, items, assets=())
        assert refusals(found) == {items[0]["id"]: "is a point cloud: only rasters can be tiled"}

    @pytest.mark.parametrize(
        ("self_link", "href", "expected"),
        [
            ("https://h.example/c/items/a", "./data/x.tif", "https://h.example/c/items/data/x.tif"),
            ("s3://bucket/c/a.json", "../x.tif", "s3://bucket/x.tif"),
            ("/data/c/a.json", "x.tif", "/data/c/x.tif"),
            ("https://h.example/c/a", "s3://bucket/x.tif", "s3://bucket/x.tif"),
            (None, "x.tif", "x.tif"),
        ],
    )
    async def test_relative_hrefs_are_relative_to_the_item(
        self, catalog: SourceCatalog, self_link: str | None, href: str, expected: str
    ) -> None:
        item = strips(1)[0]
        item["links"] = [] if self_link is None else [{"rel": "self", "href": self_link}]
        item["assets"]["dtm"]["href"] = href
        (found,) = await self.harvest(catalog, [item])
        assert isinstance(found, Harvest)
        assert found.granule.hrefs == {"dtm": expected}

    async def test_unusable_geometry_is_refused_and_what_was_mended_is_told(self, catalog: SourceCatalog) -> None:
        items = strips(3)
        items[0]["geometry"] = None
        items[1]["geometry"]["coordinates"][0] = [[x + 360, y] for x, y in items[1]["geometry"]["coordinates"][0]]
        found = await self.harvest(catalog, items)
        assert ids(found) == [items[1]["id"], items[2]["id"]]
        assert refusals(found)[items[0]["id"]].startswith("geometry")
        assert [each.normalised for each in found if isinstance(each, Harvest)] == [("0..360",), ()]

    async def test_one_of_several_targets_is_enough(self, catalog: SourceCatalog) -> None:
        items = strips(1)
        items[0]["properties"]["ssys:targets"] = ["PHOBOS", "MARS"]
        assert len(ids(await self.harvest(catalog, items))) == 1

    async def test_things_that_are_no_items_are_refused_by_place(self, catalog: SourceCatalog) -> None:
        items: list[Any] = [*strips(1), None, "x", {"assets": {}}]
        found = await self.harvest(catalog, items)
        assert set(refusals(found)) == {"features[1]", "features[2]", "features[3]"}

    @pytest.mark.parametrize(
        ("properties", "body"),
        [
            ({"ssys:targets": ["mars"]}, "Mars"),
            ({"ssys:targets": ["Nowhere"]}, "Nowhere"),
            ({"proj:wkt2": strips(1)[0]["properties"]["proj:wkt2"]}, "Mars"),
            (
                {
                    "proj:wkt2": '"GEOGCS[\\"Moon 2000\\",DATUM[\\"D_Moon\\",SPHEROID[\\"Moon\\",1737400,0]],'
                    'PRIMEM[\\"Greenwich\\",0],UNIT[\\"Degree\\",0.0174532925199433]]"'
                },
                "Moon",
            ),
            ({"proj:code": "IAU_2015:49910"}, "Mars"),
            ({"proj:epsg": 32633}, "Earth"),
            ({"proj:epsg": None, "proj:wkt2": "nonsense"}, None),
            ({}, None),
        ],
    )
    def test_an_items_body_is_its_target_else_that_of_its_crs(self, properties: Any, body: str | None) -> None:
        assert body_of_item({"properties": properties}) == body


class TestFeatures:
    async def harvest(self, catalog: SourceCatalog, features: list[Any]) -> list[Harvest | Refusal]:
        source = FeaturesSource(features=item_collection(features), property="file")
        return await collect(catalog.harvest(source, assets=(), body=None))

    def feature(self, href: object, **properties: Any) -> dict[str, Any]:
        geometry = strips(1)[0]["geometry"]
        return {"type": "Feature", "geometry": geometry, "properties": {"file": href, **properties}}

    async def test_files_without_ids_are_named_after_themselves(self, catalog: SourceCatalog) -> None:
        hrefs = ["s3://b/S1/dtm.tif", "s3://b/S2/dtm.tif", "s3://b/other.tif"]
        found = await self.harvest(catalog, [self.feature(href, year=2020) for href in hrefs])
        assert ids(found) == ["S1-dtm", "S2-dtm", "other"]
        assert isinstance(found[0], Harvest)
        assert found[0].granule.hrefs == {"data": "s3://b/S1/dtm.tif"}
        assert found[0].granule.properties == {"year": 2020}

    async def test_a_feature_without_the_property_is_refused(self, catalog: SourceCatalog) -> None:
        found = await self.harvest(catalog, [self.feature(None), self.feature(3), self.feature("a.laz")])
        assert refusals(found) == {
            "features[0]": "has no property 'file' that names its file",
            "features[1]": "has no property 'file' that names its file",
            "a": "is a point cloud: only rasters can be tiled",
        }

    async def test_numeric_ids_are_ids(self, catalog: SourceCatalog) -> None:
        assert ids(await self.harvest(catalog, [{**self.feature("a.tif"), "id": 7}])) == ["7"]

    async def test_one_file_cannot_be_several_assets(self, catalog: SourceCatalog) -> None:
        source = FeaturesSource(features=item_collection([self.feature("a.tif")]), property="file")
        with pytest.raises(Invalid) as raised:
            await collect(catalog.harvest(source, assets=["a", "b"], body=None))
        assert raised.value.field == "assets"


class TestCogs:
    async def test_headers_come_along(self, catalog: SourceCatalog, tmp_path: Path) -> None:
        href = write_cog(tmp_path / "a.tif", [10, 10, 11, 11])
        (found,) = await collect(catalog.harvest(CogsSource(hrefs=(href,)), assets=(), body=None))
        assert isinstance(found, Harvest)
        assert found.headers["data"].width == 8

    async def test_files_that_cannot_be_read_are_refused_in_their_place(
        self, catalog: SourceCatalog, tmp_path: Path
    ) -> None:
        good = write_cog(tmp_path / "good.tif", [10, 10, 11, 11])
        nowhere = write_cog(tmp_path / "nowhere.tif", [10, 10, 11, 11], crs=None)
        hrefs = (str(tmp_path / "absent.tif"), good, nowhere)
        found = await collect(catalog.harvest(CogsSource(hrefs=hrefs), assets=(), body="Mars"))
        assert refusals(found) == {"absent": "is no raster", "nowhere": "has no coordinate system"}
        assert isinstance(found[1], Harvest)

    async def test_a_raster_stored_0_to_360_lies_west(self, catalog: SourceCatalog, tmp_path: Path) -> None:
        href = write_cog(tmp_path / "west.tif", [350, 10, 352, 11])
        (found,) = await collect(catalog.harvest(CogsSource(hrefs=(href,)), assets=(), body="Mars"))
        assert isinstance(found, Harvest)
        assert found.granule.footprint.bounds == pytest.approx((-10, 10, -8, 11))

    async def test_reads_are_bounded_ordered_and_stopped(self) -> None:
        running, most, started = 0, 0, 0

        async def slow(href: str) -> Header:
            nonlocal running, most, started
            running, started = running + 1, started + 1
            most = max(most, running)
            try:
                await asyncio.sleep(0.001 * (int(href) % 3))
                if href == "7":
                    raise Unavailable("is out of reach")
                transform = (0.1, 0.0, 10.0, 0.0, -0.1, 10.0)
                return Header(width=8, height=8, dtype="uint8", count=1, nodata=None, crs=MARS, transform=transform)
            finally:
                running -= 1

        source = CogsSource(hrefs=tuple(str(number) for number in range(100)))
        catalog = SourceCatalog(scan=slow)
        found = await collect(catalog.harvest(source, assets=(), body=None))
        assert most == 16
        assert ids(found) == [str(number) for number in range(100) if number != 7]
        started = 0
        stream = catalog.harvest(source, assets=(), body=None)
        await anext(stream)
        await stream.aclose()
        assert running == 0
        assert started <= 17


class TestStacApi:
    async def harvest(
        self, catalog: SourceCatalog, href: str, search: Any = None, **limits: int
    ) -> list[Harvest | Refusal]:
        source = StacSource(href=href, search=search or {"limit": 3}, max_items=limits.get("max_items"))
        return await collect(catalog.harvest(source, assets=["dtm"], body="Mars"))

    @pytest.mark.parametrize("paging", ["token", "merge"])
    async def test_pages_by_post_body(self, catalog: SourceCatalog, paging: str) -> None:
        items = strips()
        script = Script(items=items, paging=paging)
        search = {"limit": 3, "ids": [item["id"] for item in items[1:]]}
        with serving(script) as href:
            found = await self.harvest(catalog, href, search)
        assert ids(found) == [item["id"] for item in items[1:]]
        assert [method for method, _ in script.asked] == ["POST"] * 3

    async def test_pages_by_relative_get_address(self, catalog: SourceCatalog) -> None:
        items = strips()
        script = Script(items=items, paging="get")
        with serving(script) as href:
            found = await self.harvest(catalog, href)
        assert ids(found) == [item["id"] for item in items]
        assert [method for method, _ in script.asked] == ["POST", "GET", "GET", "GET"]

    async def test_asks_for_no_more_than_max_items(self, catalog: SourceCatalog) -> None:
        script = Script(items=strips())
        with serving(script) as href:
            found = await self.harvest(catalog, href, max_items=5)
        assert len(found) == 5
        assert len(script.asked) == 2

    async def test_sends_the_search_as_it_was_given(self, catalog: SourceCatalog) -> None:
        script = Script(items=strips(1))
        search = {
            "collections": ["ctx_dtms"],
            "bbox": [76.58, 17.38, 78.58, 19.38],
            "datetime": "2023",
            "query": {"gsd": {"lt": 30}},
            "filter": {"op": "=", "args": [{"property": "gsd"}, 20]},
            "sortby": "-datetime,id",
            "limit": 10,
        }
        with serving(script) as href:
            await self.harvest(catalog, href, search)
        ((method, asked),) = script.asked
        assert method == "POST"
        assert asked == search | {
            "datetime": "2023-01-01T00:00:00Z/2023-12-31T23:59:59Z",
            "filter-lang": "cql2-json",
            "sortby": [{"field": "datetime", "direction": "desc"}, {"field": "id", "direction": "asc"}],
        }

    async def test_a_filter_in_text_goes_by_get(self, catalog: SourceCatalog) -> None:
        script = Script(items=strips(1))
        with serving(script) as href:
            await self.harvest(catalog, href, {"filter": "gsd < 30", "collections": ["a", "b"]})
        assert script.asked == [
            ("GET", {"limit": "200", "collections": "a,b", "filter": "gsd < 30", "filter-lang": "cql2-text"})
        ]

    async def test_falls_back_to_get_where_post_is_not_allowed(self, catalog: SourceCatalog) -> None:
        script = Script(items=strips(2), allows_post=False, paging="get")
        with serving(script) as href:
            found = await self.harvest(catalog, href)
        assert len(ids(found)) == 2

    async def test_the_address_of_the_search_itself_will_do(self, catalog: SourceCatalog) -> None:
        with serving(Script(items=strips(2), has_search=False)) as href:
            assert len(ids(await self.harvest(catalog, f"{href}/search"))) == 2

    async def test_passing_failures_are_tried_again(self, catalog: SourceCatalog) -> None:
        script = Script(items=strips(2), failures=[503, 429])
        with serving(script) as href:
            assert len(ids(await self.harvest(catalog, href))) == 2
        assert len(script.asked) == 3

    @pytest.mark.parametrize(
        ("status", "error", "field"),
        [
            (400, Invalid, "source.search"),
            (422, Invalid, "source.search"),
            (403, Invalid, "source.href"),
            (404, Invalid, "source.href"),
            (500, Unavailable, None),
            (503, Unavailable, None),
        ],
    )
    async def test_refusals_become_errors_without_the_apis_prose(
        self, catalog: SourceCatalog, status: int, error: type[QuadmosaicError], field: str | None
    ) -> None:
        with serving(Script(items=strips(2), failures=[status] * 9)) as href, pytest.raises(error) as raised:
            await self.harvest(catalog, href)
        assert getattr(raised.value, "field", None) == field
        assert str(status) in str(raised.value)
        assert "secret prose" not in str(raised.value)

    async def test_an_api_that_is_not_there_is_unavailable(self, catalog: SourceCatalog) -> None:
        with serving(Script(items=[])) as href:
            pass
        with pytest.raises(Unavailable, match="cannot be reached"):
            await self.harvest(catalog, href)

    @pytest.mark.parametrize("garbage", [b"<html>", b'{"features": 3}', b"[]", b"\xff"])
    async def test_answers_that_are_no_stac_are_unavailable(self, catalog: SourceCatalog, garbage: bytes) -> None:
        with serving(Script(items=[], garbage=garbage)) as href, pytest.raises(Unavailable):
            await self.harvest(catalog, href)

    async def test_pages_that_go_round_in_a_circle_end(self, catalog: SourceCatalog) -> None:
        with serving(Script(items=strips(), paging="circle")) as href, pytest.raises(Unavailable, match="circle"):
            await self.harvest(catalog, href)

    async def test_an_address_without_a_search_is_refused(self, catalog: SourceCatalog) -> None:
        with serving(Script(items=[], has_search=False)) as href, pytest.raises(Invalid) as raised:
            await self.harvest(catalog, href)
        assert raised.value.field == "source.href"

    async def test_a_search_without_a_match_is_empty(self, catalog: SourceCatalog) -> None:
        with serving(Script(items=[])) as href:
            assert await self.harvest(catalog, href) == []

    async def test_no_address_is_fetched_that_is_not_permitted_not_even_after_a_redirect(self) -> None:
        def permit(href: str) -> None:
            if "/elsewhere" in href:
                raise Invalid("is not an allowed host", field="source.href")

        catalog = SourceCatalog(scan=scan, http=StacHttp(permit=permit))
        with (
            serving(Script(items=strips(1), redirect="/elsewhere")) as href,
            pytest.raises(Invalid, match="not an allowed host"),
        ):
            await self.harvest(catalog, href)


async def test_a_mosaicjson_source_is_not_harvested(catalog: SourceCatalog) -> None:
    with pytest.raises(Invalid) as raised:
        await collect(catalog.harvest(MosaicJsonSource(href="m.json"), assets=(), body=None))
    assert raised.value.field == "source.type"


@pytest.mark.data
async def test_real_items_are_harvested_by_every_page(catalog: SourceCatalog, shared_data: Path) -> None:
    collection = json.loads((shared_data / "stac" / "jezero_items.json").read_text())
    items = collection["features"]
    with serving(Script(items=items)) as href:
        source = StacSource(href=href, search={"limit": 4})
        found = await collect(catalog.harvest(source, assets=["dtm", "image", "orthoimage"], body=None))
    assert ids(found) == [item["id"] for item in items]
    assert all(shapely.is_valid(each.granule.footprint) for each in found if isinstance(each, Harvest))
    assert {body_of_item(item) for item in items} == {"Mars"}
