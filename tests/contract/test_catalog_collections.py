"""A STAC collection as a source: by the search of its API where there is one, else item by item."""

from collections.abc import Iterator
from contextlib import aclosing

import pytest

from quadmosaic.catalog.sources import SourceCatalog
from quadmosaic.catalog.stac import StacHttp
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Harvest, Header, JsonObject
from quadmosaic.domain.sources import StacSource
from stac_api import Script, serving
from stac_items import COLLECTION, strips

COUNT = 13
PLACES = ("", "/items")
BOX = [76.2, 18.0, 77.0, 19.0]


async def unscanned(href: str) -> Header:
    raise AssertionError(f"{href} has a footprint and need not be read")


def catalog_of(**options: object) -> SourceCatalog:
    return SourceCatalog(scan=unscanned, http=StacHttp(timeout_s=5, backoff_s=0.001, **options))  # type: ignore[arg-type]


@pytest.fixture
def api() -> Iterator[tuple[Script, str]]:
    script = Script(items=strips(COUNT))
    with serving(script) as address:
        yield script, f"{address}/collections/{COLLECTION}"


async def ids(
    source: StacSource, *, catalog: SourceCatalog | None = None, after: JsonObject | None = None
) -> list[str]:
    found: list[str] = []
    chosen = catalog or catalog_of()
    async with aclosing(chosen.pages(source, assets=["dtm"], body=None, after=after)) as pages:
        async for page in pages:
            found += [answer.granule.id for answer in page.answers if isinstance(answer, Harvest)]
    return found


@pytest.mark.parametrize("place", PLACES)
async def test_it_is_searched_through_its_api(api: tuple[Script, str], place: str) -> None:
    script, address = api
    found = await ids(StacSource(href=address + place, search={"bbox": BOX, "limit": 5}))
    assert found == [item["id"] for item in script.items]
    searches = [asked for method, asked in script.asked if method == "POST"]
    assert len(searches) == 3
    assert all((asked["collections"], asked["bbox"]) == ([COLLECTION], BOX) for asked in searches)


@pytest.mark.parametrize("place", PLACES)
async def test_a_search_of_other_collections_contradicts_its_address(api: tuple[Script, str], place: str) -> None:
    _, address = api
    assert len(await ids(StacSource(href=address + place, search={"collections": [COLLECTION, "more"]}))) == COUNT
    with pytest.raises(Invalid) as refused:
        await ids(StacSource(href=address + place, search={"collections": ["more"]}))
    assert refused.value.field == "source.search.collections"


@pytest.mark.parametrize("place", PLACES)
async def test_without_a_search_all_pages_of_its_items_are_read(api: tuple[Script, str], place: str) -> None:
    script, address = api
    script.has_search = False
    assert await ids(StacSource(href=address + place)) == [item["id"] for item in script.items]
    inside = await ids(StacSource(href=address + place, search={"bbox": BOX}))
    assert inside == [item["id"] for item in script.items if item["bbox"][0] <= BOX[2]]
    assert 0 < len(inside) < COUNT
    assert {method for method, _ in script.asked} == {"ITEMS"}


@pytest.mark.parametrize("place", PLACES)
async def test_what_is_asked_for_may_be_on_the_last_of_many_pages(api: tuple[Script, str], place: str) -> None:
    script, address = api
    script.has_search = False
    script.items[:] = strips(95)
    last = script.items[-1]
    assert await ids(StacSource(href=address + place, search={"ids": [last["id"]]})) == [last["id"]]


async def test_a_catalog_without_a_search_has_the_items_of_its_collections(api: tuple[Script, str]) -> None:
    script, address = api
    script.has_search, script.has_children = False, True
    root = address.partition("/collections/")[0]
    assert await ids(StacSource(href=root)) == [item["id"] for item in script.items]
    assert len(await ids(StacSource(href=root, max_items=11))) == 11


async def test_items_are_gone_on_with_where_an_earlier_process_stopped(api: tuple[Script, str]) -> None:
    script, address = api
    script.has_search = False
    source = StacSource(href=address)
    async with aclosing(catalog_of().pages(source, assets=["dtm"], body=None)) as pages:
        first = await anext(pages)
    assert len(first.answers) == 10
    assert await ids(source, after=first.next) == [item["id"] for item in script.items[10:]]


@pytest.mark.parametrize("place", PLACES)
async def test_an_api_that_must_not_be_asked_is_done_without(api: tuple[Script, str], place: str) -> None:
    script, address = api
    script.root = "http://inside.example.com/api"

    def permit(href: str) -> None:
        if "inside" in href:
            raise Invalid("is not allowed", field="source.href")

    found = await ids(StacSource(href=address + place), catalog=catalog_of(permit=permit))
    assert found == [item["id"] for item in script.items]
