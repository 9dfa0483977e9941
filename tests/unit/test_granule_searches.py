"""Searches of granules: which areas and times are meant, and that pages of any kind give each granule once."""

import asyncio
from typing import Any

import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quadmosaic import bootstrap
from quadmosaic.config import Settings
from quadmosaic.domain import covering, grids
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granule_searches import GranuleSearch, parse_bbox, parse_period
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.mosaic import AssetProfile, Index, Manifest, MosaicRef, Version
from quadmosaic.ports import MosaicStore
from quadmosaic.services import granule_lists
from quadmosaic.services.granule_lists import searched

YEAR_2020 = {"start_datetime": "2020-01-01T00:00:00Z", "end_datetime": "2021-01-01T00:00:00Z"}
LON, LAT = st.integers(-360, 360), st.integers(-90, 90)


@given(west=LON, east=LON, lats=st.tuples(LAT, LAT), lon=st.floats(-179.9, 179.9), lat=st.floats(-90, 90))
@example(west=170, east=-170, lats=(-5, 5), lon=-175.0, lat=0.0)
@example(west=0, east=360, lats=(-5, 5), lon=-90.0, lat=0.0)
@example(west=190, east=200, lats=(-5, 5), lon=-165.0, lat=0.0)
def test_a_bbox_holds_what_lies_east_of_its_west(
    west: int, east: int, lats: tuple[int, int], lon: float, lat: float
) -> None:
    south, north = sorted(lats)
    area = parse_bbox(f"{west},{south},{east},{north}")
    width = 360 if east - west >= 360 else (east - west) % 360
    is_inside = (lon - west) % 360 <= width and south <= lat <= north
    is_near_an_edge = min((lon - west) % 360, (lon - east) % 360, (west - lon) % 360, (east - lon) % 360) < 1e-6
    assert is_near_an_edge or shapely.intersects_xy(area, lon, lat) == is_inside


@pytest.mark.parametrize("text", ["1,2,3,4", "1,2,-50,3,4,50", "1,2,1,2", " 1, 2, 3, 4 "])
def test_a_bbox_has_four_or_six_numbers(text: str) -> None:
    west, south, _, _ = parse_bbox(text).bounds
    assert (west, south) == (1, 2)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "nan,0,1,1", "0,5,1,4", "0,-91,1,0", "0,0,361,1"]
)
def test_what_is_no_bbox_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_bbox(text)
    assert raised.value.field == "bbox"


@pytest.mark.parametrize(
    ("asked", "properties", "chosen"),
    [
        ("2020-01-01T00:00:00Z", {"datetime": "2020-01-01T00:00:00Z"}, True),
        ("2020-01-01T01:00:00+01:00", {"datetime": "2020-01-01T00:00:00.000Z"}, True),
        ("2020-01-01t00:00:00z", {"datetime": "2020-01-01T00:00:01Z"}, False),
        ("2020-01-01T00:00:00Z/..", {"datetime": "2021-01-01"}, True),
        ("2020-01-01T00:00:00Z/", {"datetime": "2019-12-31T23:59:59Z"}, False),
        ("../2020-01-01T00:00:00Z", {"datetime": "2019-01-01T00:00:00Z"}, True),
        ("2020-01-01T00:00:00Z/2020-12-31T00:00:00Z", {"datetime": "2020-06-01T00:00:00"}, True),
        ("2020-06-01T00:00:00Z", YEAR_2020, True),
        ("2022-06-01T00:00:00Z", YEAR_2020, False),
        ("2020-06-01T00:00:00Z/..", {"datetime": None}, False),
        ("2020-06-01T00:00:00Z/..", {"datetime": "last summer"}, False),
        ("2020-06-01T00:00:00Z/..", {"datetime": 2021}, False),
        ("2020-06-01T00:00:00Z/..", {}, False),
    ],
)  # fmt: skip
def test_a_time_is_met(asked: str, properties: dict[str, Any], chosen: bool) -> None:
    assert parse_period(asked).meets(properties) is chosen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "../..",
        "/",
        "2020",
        "2020-01-01",
        "2020-01-01T00:00:00",
        "2020-13-01T00:00:00Z",
        "2020-13-01T00:00:00Z/2021-01-01T00:00:00Z",
        "2021-01-01T00:00:00Z/2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00Z/2020-01-02T00:00:00Z/..",
        "٢٠٢٠-01-01T00:00:00Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_period(text)
    assert raised.value.field == "datetime"


class TestPages:
    """Granules of a tenth of a degree to forty on Mars, some beyond the grid of the index; edges on whole degrees."""

    @pytest.fixture(scope="class")
    @staticmethod
    def mosaic() -> tuple[MosaicStore, Version, tuple[Granule, ...]]:
        boxes = [
            shapely.box(west, south, min(180, west + size), min(90, south + size))
            for west in range(-180, 180, 15)
            for south, size in ((-80, 3), (-20, 40), (0, 5), (5, 0.1), (70, 20), (86, 4))
        ]
        members = tuple(
            Granule(id=f"g{number:03d}", hrefs={"dtm": f"{number}.tif"}, footprint=box, properties={"number": number})
            for number, box in enumerate(boxes)
        )
        grid = grids.load("MarsMercatorSphere")
        index = Index(grid_id=grid.id, zoom=5, granules=members, cells=covering.cover(boxes, grid, 5))
        manifest = Manifest(
            body="Mars",
            grid_id=grid.id,
            quadkey_zoom=5,
            minzoom=2,
            maxzoom=8,
            bounds=(-180, -90, 180, 90),
            center=(0, 0, 2),
            assets=(AssetProfile(key="dtm"),),
        )
        store = bootstrap.adapters(Settings(store="memory://")).store

        async def write() -> Version:
            version = await store.write("m", manifest, index)
            await store.publish(MosaicRef("m", version.number), expected=None)
            return await store.version(MosaicRef("m"))

        return store, asyncio.run(write()), members

    @staticmethod
    def listed(store: MosaicStore, version: Version, search: GranuleSearch, *, limit: int) -> list[str]:
        async def every_page() -> list[str]:
            found: list[str] = []
            after: str | None = None
            for _ in range(400):
                page = await searched(
                    store, version, search, lambda g: g.properties["number"] != 7, after=after, limit=limit
                )
                assert len(page.items) <= limit
                found += [granule.id for granule in page.items]
                after = page.next
                if after is None:
                    return found
            raise AssertionError("the pages have no end")

        return asyncio.run(every_page())

    @settings(max_examples=60, deadline=None)
    @given(west=LON, size=st.integers(0, 60), lats=st.tuples(LAT, LAT), limit=st.sampled_from([1, 7, 1000]))
    @example(west=15, size=3, lats=(0, 3), limit=1)
    @example(west=170, size=20, lats=(-3, 3), limit=7)
    @example(west=15, size=0, lats=(5, 5), limit=7)
    @example(west=0, size=3, lats=(85, 88), limit=7)
    @example(west=0, size=0, lats=(0, 0), limit=7)
    @example(west=-180, size=60, lats=(-90, 90), limit=1000)
    def test_every_granule_of_an_area_comes_once(
        self,
        mosaic: tuple[MosaicStore, Version, tuple[Granule, ...]],
        west: int,
        size: int,
        lats: tuple[int, int],
        limit: int,
    ) -> None:
        store, version, members = mosaic
        south, north = sorted(lats)
        search = GranuleSearch(area=parse_bbox(f"{west},{south},{min(west + size, 360)},{north}"))
        expected = {each.id for each in members if search.wants(each) and each.properties["number"] != 7}
        found = self.listed(store, version, search, limit=limit)
        assert len(found) == len(set(found))
        assert set(found) == expected

    def test_a_page_looks_at_no_more_than_so_many(
        self, mosaic: tuple[MosaicStore, Version, tuple[Granule, ...]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, version, _ = mosaic
        monkeypatch.setattr(granule_lists, "_AT_ONCE", 10)
        monkeypatch.setattr(granule_lists, "LOOKED_AT", 20)
        looked_at = []

        def wanted(granule: Granule) -> bool:
            looked_at.append(granule.id)
            return False

        page = asyncio.run(searched(store, version, GranuleSearch(), wanted, after=None, limit=5))
        assert (page.items, len(looked_at)) == ((), 20)
        assert page.next == looked_at[-1]
        assert sorted(self.listed(store, version, GranuleSearch(), limit=3)) == [
            f"g{number:03d}" for number in range(144) if number != 7
        ]
