"""Sources of a registration: read from JSON with every fault named, and written back."""

from typing import Any

import pytest

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granule_ids import granule_ids
from quadmosaic.domain.sources import (
    CogsSource,
    FeaturesSource,
    MosaicJsonSource,
    Source,
    StacSource,
    parse_source,
    source_document,
)

COLLECTION: dict[str, Any] = {"type": "FeatureCollection", "features": []}
SEARCH = {
    "collections": ["mro_ctx_controlled_usgs_dtms"],
    "bbox": [76.58, 17.38, 78.58, 19.38],
    "datetime": "2020-01-01T00:00:00Z/..",
    "filter": "gsd < 30",
    "sortby": [{"field": "datetime", "direction": "desc"}],
    "limit": 100,
}


@pytest.mark.parametrize(
    ("document", "source"),
    [
        (
            {"type": "stac", "href": "s3://astrogeo-ard/collectionindices/mro_ctx.parquet"},
            StacSource(href="s3://astrogeo-ard/collectionindices/mro_ctx.parquet"),
        ),
        (
            {"type": "stac", "href": "https://stac.example.com/api", "search": SEARCH, "max_items": 10},
            StacSource(href="https://stac.example.com/api", search=SEARCH, max_items=10),
        ),
        ({"type": "stac", "href": "https://stac.example.com"}, StacSource(href="https://stac.example.com")),
        (
            {"type": "features", "features": COLLECTION, "property": "path"},
            FeaturesSource(features=COLLECTION, property="path"),
        ),
        ({"type": "features", "features": COLLECTION}, FeaturesSource(features=COLLECTION)),
        ({"type": "cogs", "hrefs": ["a.tif", "b.tif"]}, CogsSource(hrefs=("a.tif", "b.tif"))),
        ({"type": "mosaicjson", "href": "s3://b/m.json"}, MosaicJsonSource(href="s3://b/m.json")),
        ({"type": "mosaicjson", "document": {"tiles": {}}}, MosaicJsonSource(document={"tiles": {}})),
    ],
)
def test_every_source_is_read_and_written_back(document: Any, source: Source) -> None:
    assert parse_source(document) == source
    assert source_document(source) == document


def test_null_is_absent() -> None:
    read = parse_source({"type": "stac", "href": "https://s.example", "search": None, "max_items": None})
    assert read == StacSource(href="https://s.example")


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ("s3://b/m.json", "source"),
        ({}, "source.type"),
        ({"type": "stacks"}, "source.type"),
        ({"type": ["stac"]}, "source.type"),
        ({"type": "stac"}, "source.href"),
        ({"type": "stac", "href": "ftp://x"}, "source.href"),
        ({"type": "stac", "href": "https://x", "search": []}, "source.search"),
        ({"type": "stac", "href": "https://x", "max_items": 0}, "source.max_items"),
        ({"type": "stac", "href": "s3://bucket/catalog.json"}, "source.href"),
        ({"type": "stac", "href": "file:///data/items.parquet"}, "source.href"),
        ({"type": "stac", "href": "https://x", "max_items": True}, "source.max_items"),
        ({"type": "stac", "href": "https://x", "maxitems": 3}, "source.maxitems"),
        ({"type": "features"}, "source.features"),
        ({"type": "features", "features": {"type": "Feature"}}, "source.features.type"),
        ({"type": "features", "features": {"type": "FeatureCollection"}}, "source.features.features"),
        ({"type": "features", "features": COLLECTION, "property": ""}, "source.property"),
        ({"type": "cogs"}, "source.hrefs"),
        ({"type": "cogs", "hrefs": []}, "source.hrefs"),
        ({"type": "cogs", "hrefs": "a.tif"}, "source.hrefs"),
        ({"type": "cogs", "hrefs": ["a.tif", ""]}, "source.hrefs[1]"),
        ({"type": "mosaicjson"}, "source.document"),
        ({"type": "mosaicjson", "href": "a.json", "document": {}}, "source.href"),
        ({"type": "mosaicjson", "document": "a.json"}, "source.document"),
    ],
)
def test_a_faulty_source_is_refused_by_field(document: Any, field: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_source(document)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("search", "key"),
    [
        ({"collection": ["a"]}, "collection"),
        ({"fields": {"include": ["id"]}}, "fields"),
        ({"collections": "a"}, "collections"),
        ({"ids": [1]}, "ids"),
        ({"bbox": [1, 2, 3]}, "bbox"),
        ({"bbox": [1, "2", 3, 4]}, "bbox"),
        ({"bbox": [1, 9, 3, 4]}, "bbox"),
        ({"bbox": [1, 2, 3, 4], "intersects": {"type": "Point", "coordinates": [1, 2]}}, "intersects"),
        ({"intersects": {"type": "FeatureCollection"}}, "intersects"),
        ({"intersects": {"type": "Polygon", "coordinates": "x"}}, "intersects"),
        ({"intersects": {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[0, 0]]]}}}, "intersects"),
        ({"datetime": "2020-02-31"}, "datetime"),
        ({"datetime": "2020-13/.."}, "datetime"),
        ({"datetime": "2020-01-01T25:00:00Z"}, "datetime"),
        ({"datetime": "yesterday"}, "datetime"),
        ({"datetime": "../.."}, "datetime"),
        ({"datetime": "2020/2021/2022"}, "datetime"),
        ({"query": "gsd < 3"}, "query"),
        ({"filter": ""}, "filter"),
        ({"filter-lang": "sql"}, "filter-lang"),
        ({"sortby": [{"field": "id"}]}, "sortby"),
        ({"limit": 0}, "limit"),
    ],
)
def test_a_faulty_search_is_refused_by_key(search: Any, key: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_source({"type": "stac", "href": "https://x", "search": search})
    assert raised.value.field == f"source.search.{key}"


@pytest.mark.parametrize(
    "search",
    [
        {"bbox": [170, -10, -170, 10]},
        {"bbox": [1, 2, 0, 3, 4, 100]},
        {"datetime": "2020"},
        {"datetime": "../2020-02-01T00:00:00.5+01:00"},
        {"intersects": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}},
        {"filter": {"op": "=", "args": []}, "filter-lang": "cql2-json"},
        {"sortby": "-datetime,id"},
        {"sortby": ["+id"]},
        {"ids": None},
    ],
)
def test_all_forms_of_a_search_are_read(search: Any) -> None:
    assert parse_source({"type": "stac", "href": "https://x", "search": search}) == StacSource(
        href="https://x", search=search
    )


class TestGranuleIds:
    def test_are_the_names_of_the_files(self) -> None:
        assert granule_ids(["https://h/a/P18_dtm.tif?sig=1", "s3://b/P19%20x.tiff", "/data/c.tif", "scene-1"]) == {
            "https://h/a/P18_dtm.tif?sig=1": "P18_dtm",
            "s3://b/P19%20x.tiff": "P19 x",
            "/data/c.tif": "c",
            "scene-1": "scene-1",
        }

    def test_borrow_the_names_of_folders_where_files_are_named_alike(self) -> None:
        hrefs = ["s3://b/2020/S1/dtm.tif", "s3://b/2021/S1/dtm.tif", "s3://b/2021/S2/dtm.tif", "s3://b/x.tif"]
        assert list(granule_ids(hrefs).values()) == ["2020-S1-dtm", "2021-S1-dtm", "S2-dtm", "x"]

    def test_take_a_digest_where_nothing_else_tells_files_apart(self) -> None:
        hrefs = ["https://h/a.tif?v=1", "https://h/a.tif?v=2", "https://g/a.tif", "https://h/"]
        ids = granule_ids(hrefs)
        assert len(set(ids.values())) == 4
        assert all(ids.values())

    def test_do_not_depend_on_order(self) -> None:
        hrefs = ["s3://b/1/d.tif", "s3://b/2/d.tif", "s3://b/d.tif", "s3://c/d.tif"]
        assert granule_ids(hrefs) == granule_ids(hrefs[::-1])
        assert len(set(granule_ids(hrefs).values())) == 4
