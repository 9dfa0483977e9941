"""STAC in the wild: every crawl ends in the right items or in a clear error."""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely.geometry

from hostile_stac import PAGINGS, Hostility, hostile
from listening import listening
from quadmosaic.catalog.documents import Files
from quadmosaic.catalog.sources import SourceCatalog
from quadmosaic.catalog.stac import StacHttp
from quadmosaic.domain.access import AccessMode, BucketAccess
from quadmosaic.domain.errors import Invalid, QuadmosaicError, TooLarge, Unavailable
from quadmosaic.domain.granules import Harvest, Header, JsonObject, Refusal
from quadmosaic.domain.sources import StacSource
from quadmosaic.ports import HarvestPage
from range_server import RangeServer
from stac_items import Item, item_collection, strips

ITEMS = strips(10)
EXPECTED = [item["id"] for item in ITEMS]


async def unreadable(href: str) -> Header:  # noqa: ARG001
    raise Invalid("is not read here", field="href")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def catalog(waits: list[float]) -> SourceCatalog:
    http = StacHttp(timeout_s=0.5, backoff_s=0.001, max_bytes=2_000_000, longest_wait_s=7.0, sleep=waits.append)
    return SourceCatalog(scan=unreadable, http=http)


async def pages(
    catalog: SourceCatalog, href: str, *, after: JsonObject | None = None, **source: Any
) -> list[HarvestPage]:
    search = source.pop("search", {"limit": 4})
    asked = StacSource(href=href, search=search, **source)
    return [page async for page in catalog.pages(asked, assets=["dtm"], body="Mars", after=after)]


def ids(found: list[HarvestPage]) -> list[str]:
    return [answer.granule.id for page in found for answer in page.answers if isinstance(answer, Harvest)]


@pytest.mark.parametrize("context", [None, "context", "numberMatched"])
@pytest.mark.parametrize("paging", PAGINGS)
async def test_every_style_of_paging(catalog: SourceCatalog, paging: str, context: str | None) -> None:
    with hostile(Hostility(items=ITEMS, paging=paging, context=context)) as href:
        assert ids(await pages(catalog, href)) == EXPECTED


@pytest.mark.parametrize("paging", PAGINGS)
async def test_the_search_holds_on_every_page(catalog: SourceCatalog, paging: str) -> None:
    with hostile(Hostility(items=ITEMS, paging=paging)) as href:
        found = await pages(catalog, href, search={"limit": 2, "ids": EXPECTED[1:6]})
    if paging.startswith("post"):
        assert ids(found) == EXPECTED[1:6]


@pytest.mark.parametrize("paging", PAGINGS)
async def test_a_crawl_goes_on_in_another_process_where_it_stopped(catalog: SourceCatalog, paging: str) -> None:
    with hostile(Hostility(items=ITEMS, paging=paging)) as href:
        first = await anext(
            aiter(catalog.pages(StacSource(href=href, search={"limit": 4}), assets=["dtm"], body="Mars"))
        )
        after = json.loads(json.dumps(first.next))
        assert ids([first]) + ids(await pages(catalog, href, after=after)) == EXPECTED


@pytest.mark.parametrize("slash", [True, False, None])
@pytest.mark.parametrize("end", ["", "/"])
async def test_an_address_with_and_without_a_slash(catalog: SourceCatalog, slash: bool | None, end: str) -> None:
    with hostile(Hostility(items=ITEMS, slash=slash)) as href:
        assert ids(await pages(catalog, href + end)) == EXPECTED


async def test_a_server_that_knows_get_only(catalog: SourceCatalog) -> None:
    with hostile(Hostility(items=ITEMS, only_get=True, paging="get-token")) as href:
        assert ids(await pages(catalog, href)) == EXPECTED


@pytest.mark.parametrize(
    "fault", ["429", "500", "502", "503", "504", "503 after 1", "truncated", "timeout", "hang-up", "cut"]
)
async def test_what_passes_is_tried_again(catalog: SourceCatalog, fault: str) -> None:
    script = Hostility(items=ITEMS, faults=[fault, fault])
    with hostile(script) as href:
        assert ids(await pages(catalog, href)) == EXPECTED
    assert len(script.asked) == 5


@pytest.mark.parametrize(("told", "waited"), [("3", 3.0), ("86400", 7.0), ("soon", 0.001), ("-1", 0.001)])
async def test_retry_after_is_respected_within_bounds(
    catalog: SourceCatalog, waits: list[float], told: str, waited: float
) -> None:
    with hostile(Hostility(items=ITEMS, faults=[f"429 after {told}"])) as href:
        assert ids(await pages(catalog, href)) == EXPECTED
    assert waits == [waited]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("503", Unavailable),
        ("truncated", Unavailable),
        ("html", Unavailable),
        ("array", Unavailable),
        ("timeout", Unavailable),
        ("hang-up", Unavailable),
        ("huge", TooLarge),
        ("401", Invalid),
        ("410", Invalid),
    ],
)
async def test_what_does_not_pass_is_a_clear_error(
    catalog: SourceCatalog, fault: str, error: type[QuadmosaicError]
) -> None:
    with hostile(Hostility(items=ITEMS, faults=[fault] * 9)) as href, pytest.raises(error) as raised:
        await pages(catalog, href)
    assert "secret prose" not in str(raised.value)


async def test_a_host_that_is_not_there_is_named_without_the_query(
    catalog: SourceCatalog, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"), pytest.raises(Unavailable, match=r"127\.0\.0\.1:1") as fault:
        await pages(catalog, "http://127.0.0.1:1/api?token=topsecret&X-Amz-Signature=topsecret")
    assert "topsecret" not in caplog.text + fault.value.message
    assert "127.0.0.1:1" in caplog.text


async def test_an_error_without_end_is_not_read_to_its_end(catalog: SourceCatalog) -> None:
    script = Hostility(items=ITEMS, faults=["flood"])
    with hostile(script) as href:
        async with asyncio.timeout(5):
            with pytest.raises(Invalid, match="status 400"):
                await pages(catalog, href)
    assert script.flooded < 50_000_000


async def test_a_fault_in_the_middle_of_a_crawl(catalog: SourceCatalog) -> None:
    script = Hostility(items=ITEMS)
    with hostile(script) as href:
        stream = catalog.pages(StacSource(href=href, search={"limit": 4}), assets=["dtm"], body="Mars")
        found = [await anext(stream)]
        script.faults += ["500", "truncated", "timeout"]
        found += [page async for page in stream]
    assert ids(found) == EXPECTED


@pytest.mark.parametrize("endless", ["same", "empty"])
async def test_an_endless_next_link_ends_in_an_error(catalog: SourceCatalog, endless: str) -> None:
    with (
        hostile(Hostility(items=ITEMS, endless=endless)) as href,
        pytest.raises(Unavailable, match="without a new item"),
    ):
        await pages(catalog, href)


async def test_an_endless_list_of_new_items_ends_where_it_was_told_to(catalog: SourceCatalog) -> None:
    with hostile(Hostility(items=ITEMS, endless="new")) as href:
        assert len(ids(await pages(catalog, href, max_items=50))) == 50


async def test_an_empty_last_page_is_the_end(catalog: SourceCatalog) -> None:
    with hostile(Hostility(items=ITEMS[:8], trailing_empty=True)) as href:
        assert ids(await pages(catalog, href)) == EXPECTED[:8]


async def test_a_full_last_page_of_a_server_that_says_there_is_more(catalog: SourceCatalog) -> None:
    with hostile(Hostility(items=ITEMS[:4], context="lies")) as href, pytest.raises(Unavailable, match="40 items"):
        await pages(catalog, href)


async def test_duplicates_and_items_without_the_asset_are_refused_once(catalog: SourceCatalog) -> None:
    without = ITEMS[3] | {"assets": {"other": ITEMS[3]["assets"]["dtm"]}}
    with hostile(Hostility(items=[*ITEMS[:3], without, *ITEMS[4:], ITEMS[0], ITEMS[1]])) as href:
        found = await pages(catalog, href)
    assert ids(found) == [*EXPECTED[:3], *EXPECTED[4:]]
    refused = {a.granule_id: a.reason for page in found for a in page.answers if isinstance(a, Refusal)}
    assert set(refused) == {EXPECTED[0], EXPECTED[1], EXPECTED[3]}


async def test_the_alternate_href_that_is_allowed_counts() -> None:
    item = json.loads(json.dumps(ITEMS[0]))
    item["assets"]["dtm"]["alternate"] = {"s3": {"href": "s3://bucket/a.tif"}, "ftp": {"href": "ftp://h/a.tif"}}
    catalog = SourceCatalog(scan=unreadable, allowed=lambda href: href.startswith("s3://"))
    with hostile(Hostility(items=[item])) as href:
        (page,) = await pages(catalog, href)
    (answer,) = page.answers
    assert isinstance(answer, Harvest)
    assert answer.granule.hrefs == {"dtm": "s3://bucket/a.tif"}


async def test_closing_a_crawl_stops_it(catalog: SourceCatalog) -> None:
    script = Hostility(items=ITEMS)
    with hostile(script) as href:
        stream = catalog.pages(StacSource(href=href, search={"limit": 4}), assets=["dtm"], body="Mars")
        await anext(stream)
        await stream.aclose()
        await asyncio.sleep(0.05)
    assert len(script.asked) <= 2


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    with listening(partial(Quiet, directory=str(tmp_path))) as address:
        yield tmp_path, f"http://{address}"


def write_static(folder: Path, items: list[Item]) -> None:
    """A catalog with two collections; hrefs of links and assets are relative."""
    halves = {"west": items[: len(items) // 2], "east": items[len(items) // 2 :]}
    write = partial(_write, folder)
    write("catalog.json", {"type": "Catalog", "links": [_link("child", f"./{name}/c.json") for name in halves]})
    for name, members in halves.items():
        links = [_link("item", f"{item['id']}.json") for item in members] + [_link("root", "../catalog.json")]
        write(f"{name}/c.json", {"type": "Collection", "id": name, "links": links})
        for item in members:
            assets = {"dtm": {"href": "./dtm.tif", "type": "image/tiff"}}
            write(f"{name}/{item['id']}.json", item | {"links": [], "assets": assets, "collection": name})


def _link(rel: str, href: str) -> dict[str, str]:
    return {"rel": rel, "href": href}


def _write(folder: Path, name: str, document: dict[str, Any]) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(document))


class TestStaticCatalogs:
    async def test_are_walked_link_by_link(self, catalog: SourceCatalog, folder: tuple[Path, str]) -> None:
        write_static(folder[0], ITEMS)
        found = await pages(catalog, f"{folder[1]}/catalog.json", search={})
        assert ids(found) == EXPECTED
        first = next(a for page in found for a in page.answers if isinstance(a, Harvest))
        assert first.granule.hrefs == {"dtm": f"{folder[1]}/west/dtm.tif"}

    async def test_go_on_where_they_stopped(self, catalog: SourceCatalog, folder: tuple[Path, str]) -> None:
        write_static(folder[0], ITEMS)
        source = StacSource(href=f"{folder[1]}/catalog.json")
        first = await anext(aiter(catalog.pages(source, assets=["dtm"], body="Mars")))
        assert ids([first]) + ids(await pages(catalog, source.href, search={}, after=first.next)) == EXPECTED

    @pytest.mark.parametrize(
        ("search", "expected"),
        [
            ({"collections": ["east"]}, EXPECTED[5:]),
            ({"ids": EXPECTED[2:4]}, EXPECTED[2:4]),
            ({"bbox": [76.0, 17.0, 76.5, 19.0]}, EXPECTED[:3]),
            ({"datetime": "2023"}, EXPECTED),
            ({"datetime": "2024-01-01T00:00:00Z/.."}, []),
        ],
    )
    async def test_are_searched_here(
        self, catalog: SourceCatalog, folder: tuple[Path, str], search: JsonObject, expected: list[str]
    ) -> None:
        write_static(folder[0], ITEMS)
        assert ids(await pages(catalog, f"{folder[1]}/catalog.json", search=search)) == expected

    async def test_cannot_be_filtered(self, catalog: SourceCatalog, folder: tuple[Path, str]) -> None:
        write_static(folder[0], ITEMS)
        with pytest.raises(Invalid) as raised:
            await pages(catalog, f"{folder[1]}/catalog.json", search={"filter": {"op": "=", "args": []}})
        assert raised.value.field == "source.search.filter"

    async def test_that_go_round_in_a_circle_end(self, catalog: SourceCatalog, folder: tuple[Path, str]) -> None:
        _write(folder[0], "a.json", {"type": "Catalog", "links": [_link("child", "b.json")]})
        _write(folder[0], "b.json", {"type": "Catalog", "links": [_link("child", "a.json")]})
        with pytest.raises(Unavailable, match="circle"):
            await pages(catalog, f"{folder[1]}/a.json", search={})

    async def test_a_file_of_items_will_do(self, catalog: SourceCatalog, folder: tuple[Path, str]) -> None:
        _write(folder[0], "items.json", item_collection(ITEMS))
        assert ids(await pages(catalog, f"{folder[1]}/items.json", search={})) == EXPECTED


def fetched(server: RangeServer) -> int:
    """Bytes of ranges since the last time."""
    return sum(each.span[1] - each.span[0] for each in server.take() if each.span is not None)


def write_parquet(path: Path, items: list[Item], *, group: int = 3) -> None:
    rows = [
        {
            **{key: value for key, value in item["properties"].items() if not isinstance(value, dict)},
            "id": item["id"],
            "collection": item["collection"],
            "geometry": shapely.geometry.shape(item["geometry"]).wkb,
            "assets": {"dtm": {"href": item["assets"]["dtm"]["href"], "type": "image/tiff"}},
            "links": [],
        }
        for item in items
    ]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group, compression="none", use_dictionary=False)


class TestGeoParquet:
    @pytest.mark.parametrize("kind", ["folder", "host"])
    async def test_is_a_source(self, catalog: SourceCatalog, folder: tuple[Path, str], kind: str) -> None:
        write_parquet(folder[0] / "items.parquet", ITEMS)
        root = folder[1] if kind == "host" else folder[0].as_uri()
        found = await pages(catalog, f"{root}/items.parquet", search={"ids": EXPECTED[1:]})
        assert ids(found) == EXPECTED[1:]
        first = next(a for page in found for a in page.answers if isinstance(a, Harvest))
        assert first.granule.properties["gsd"] == ITEMS[1]["properties"]["gsd"]

    @pytest.mark.parametrize("fault", [{"geometry": b"no WKB"}, {"assets": "text"}])
    async def test_a_row_that_is_no_item_is_refused(
        self, catalog: SourceCatalog, folder: tuple[Path, str], fault: dict[str, Any]
    ) -> None:
        write_parquet(folder[0] / "items.parquet", ITEMS[:1])
        (row,) = pq.read_table(folder[0] / "items.parquet").to_pylist()
        pq.write_table(pa.Table.from_pylist([{**row, **fault}]), folder[0] / "odd.parquet")
        (page,) = await pages(catalog, f"{folder[1]}/odd.parquet", search={})
        (answer,) = page.answers
        assert isinstance(answer, Refusal)
        assert answer.granule_id == EXPECTED[0]

    @pytest.mark.parametrize("kind", ["folder", "host"])
    async def test_it_goes_on_at_a_row(self, catalog: SourceCatalog, folder: tuple[Path, str], kind: str) -> None:
        write_parquet(folder[0] / "items.parquet", ITEMS)
        root = folder[1] if kind == "host" else folder[0].as_uri()
        for row in range(12):
            found = await pages(catalog, f"{root}/items.parquet", search={}, after={"kind": "parquet", "row": row})
            assert ids(found) == EXPECTED[row:]

    async def test_of_a_bucket_only_what_is_left_is_read(self, tmp_path: Path) -> None:
        many = [{**item, "id": f"{number:05d}"} for number, item in enumerate(ITEMS * 300)]
        (tmp_path / "bucket").mkdir()
        path = tmp_path / "bucket" / "mars.parquet"
        write_parquet(path, many, group=500)
        with RangeServer(tmp_path) as server:
            access = BucketAccess(region="us-west-2", mode=AccessMode.ANONYMOUS, endpoint=server.url)
            files = Files(http=StacHttp(), buckets={"bucket": access})
            catalog = SourceCatalog(scan=unreadable, files=files)
            assert ids(await pages(catalog, "s3://bucket/mars.parquet", search={})) == [item["id"] for item in many]
            everything = fetched(server)
            after = {"kind": "parquet", "row": 2600}
            left = await pages(catalog, "s3://bucket/mars.parquet", search={}, after=after)
            assert ids(left) == [item["id"] for item in many[2600:]]
            assert fetched(server) < everything / 2
            with pytest.raises(Invalid, match="does not exist"):
                await pages(catalog, "s3://bucket/moon.parquet", search={})
            with pytest.raises(Invalid, match="BUCKETS"):
                await pages(catalog, "s3://other/mars.parquet", search={})

    async def test_what_is_none_is_said_to_be_none(self, catalog: SourceCatalog, folder: tuple[Path, str]) -> None:
        (folder[0] / "a.parquet").write_bytes(b"PAR1 but no table")
        pq.write_table(pa.table({"x": [1]}), folder[0] / "b.parquet")
        with pytest.raises(Unavailable, match="Parquet"):
            await pages(catalog, f"{folder[1]}/a.parquet", search={})
        with pytest.raises(Invalid, match="column"):
            await pages(catalog, f"{folder[1]}/b.parquet", search={})
