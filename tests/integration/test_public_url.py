"""Behind a proxy: every address that the service gives out is one that clients can reach, and leads to pixels."""

import re
from collections.abc import AsyncIterator, Iterator
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import rasterio

from quadmosaic import bootstrap
from quadmosaic.cli.service import service
from quadmosaic.config import Settings
from quadmosaic.domain import grids
from quadmosaic.domain.errors import Invalid, NotFound
from small_mosaics import SmallMosaic

PUBLIC = "https://maps.example.org/mars"
ORIGIN = "https://maps.example.org"
"""As a page's content policy names it."""
TMS = "MarsEquidistantCylindricalSphere"
MOSAIC = "/mosaics/mars-strips"
INSIDE = "http://127.0.0.1:8000"
ADDRESS = re.compile(r"https?://[^\s\"'<>]*|/(?:mars/)?(?:mosaics|static|docs|openapi)[^\s\"'<>]*")
ELSEWHERE = (
    "http://www.opengis.net/",
    "http://schemas.opengis.net/",
    "http://www.w3.org/",
    "https://cdn.",
    "https://github.com",
    "https://fastapi.",
)
DOCUMENTS = (
    "/",
    "/docs",
    "/mosaics?limit=1",
    f"{MOSAIC}/{TMS}/tilejson.json",
    f"{MOSAIC}/{TMS}/tilejson.json?assets=dtm&tile_scale=2",
    f"{MOSAIC}/{TMS}/map.html",
    f"{MOSAIC}/{TMS}/gdal.xml?service=tms&assets=dtm",
    f"{MOSAIC}/{TMS}/gdal.xml?service=wmts&assets=dtm",
    f"{MOSAIC}/WMTSCapabilities.xml?tms={TMS}",
    f"{MOSAIC}/granules?limit=1",
    f"{MOSAIC}/tiles",
    f"{MOSAIC}/tiles/{TMS}",
    "/tileMatrixSets",
)


@pytest.fixture(autouse=True)
def _mosaics(small_mars_mosaic: SmallMosaic) -> None:
    """All tests here use the store of small mosaics."""


class StrippingProxy(httpx.AsyncBaseTransport):
    """What a proxy does that has the service below /mars: it takes the prefix away and calls it by an inner name."""

    def __init__(self, app: Any, *, prefix: str) -> None:
        self.inner = httpx.ASGITransport(app=app)
        self.prefix = prefix

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        if not path.startswith(f"{self.prefix}/"):
            return httpx.Response(404, text=f"the proxy knows no {path}")
        inner = httpx.URL(INSIDE + path.removeprefix(self.prefix))
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
        return await self.inner.handle_async_request(
            httpx.Request(
                request.method, inner, headers=[*headers, (b"Host", b"127.0.0.1:8000")], stream=request.stream
            )
        )


def behind(store: Path, public_url: str) -> httpx.AsyncClient:
    app = bootstrap.http_app(Settings(store=str(store), public_url=public_url), metrics=False)
    proxy = StrippingProxy(app, prefix=urlsplit(public_url).path.rstrip("/"))
    return httpx.AsyncClient(transport=proxy, base_url=public_url)


@pytest.fixture
async def maps(small_store: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with behind(small_store, PUBLIC) as client:
        yield client


def addresses(text: str) -> Iterator[str]:
    """Own addresses in any document: absolute ones, and paths."""
    for found in ADDRESS.findall(unescape(text.replace("\\u0026", "&").replace("\\u002f", "/"))):
        if not found.startswith(ELSEWHERE):
            yield found.rstrip(".,;)\\")


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_every_address_of_a_document_is_the_public_one(maps: httpx.AsyncClient, path: str) -> None:
    answer = await maps.get(f"{PUBLIC}{path}")
    assert answer.status_code == 200, answer.text
    given = list(addresses(answer.text))
    wrong = [
        address
        for address in given
        if not address.startswith((f"{PUBLIC}/", "/mars/")) and address not in (PUBLIC, ORIGIN)
    ]
    assert not wrong
    assert not [address for address in given if "/mars/mars/" in address]
    if path != "/docs":
        assert given or path == "/tileMatrixSets"


async def test_the_tiles_of_tilejson_are_pixels(maps: httpx.AsyncClient) -> None:
    document = (await maps.get(f"{PUBLIC}{MOSAIC}/{TMS}/tilejson.json?tile_format=tif")).json()
    zoom = document["maxzoom"]
    tile = await tile_at(maps, document["tiles"][0], zoom)
    with rasterio.open(BytesIO(tile.content)) as dataset:
        assert dataset.read_masks(1).any()


async def tile_at(maps: httpx.AsyncClient, template: str, zoom: int) -> httpx.Response:
    """The tile of that zoom below the mosaic's centre."""
    grid = grids.load(TMS)
    lon, lat = 77.25, 18.6
    scale = 3396190 * 3.141592653589793 / 180
    side = grid.cell_size(zoom)
    column, row = int((lon * scale - grid.origin[0]) // side), int((grid.origin[1] - lat * scale) // side)
    filled = template.replace("{z}", str(zoom)).replace("{x}", str(column)).replace("{y}", str(row))
    answer = await maps.get(filled)
    assert answer.status_code == 200, (filled, answer.text)
    return answer


async def test_the_wmts_names_itself_and_its_tiles_are_pixels(maps: httpx.AsyncClient) -> None:
    text = unescape((await maps.get(f"{PUBLIC}{MOSAIC}/WMTSCapabilities.xml?tms={TMS}")).text)
    assert f'"{PUBLIC}{MOSAIC}/WMTSCapabilities.xml?tms={TMS}"' in text
    template = next(found for found in re.findall(r'template="([^"]+)"', text) if ".png" in found)
    named = (
        template.replace("{TileMatrixSet}", TMS)
        .replace("{TileMatrix}", "{z}")
        .replace("{TileCol}", "{x}")
        .replace("{TileRow}", "{y}")
    )
    assert (await tile_at(maps, named, 8)).headers["content-type"] == "image/png"


async def test_next_links_lead_on(maps: httpx.AsyncClient) -> None:
    seen, address = [], f"{PUBLIC}{MOSAIC}/granules?limit=1"
    while address:
        page = (await maps.get(address)).json()
        seen += [feature["id"] for feature in page["features"]]
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
        assert len(seen) <= 3
    assert sorted(seen) == ["strip0", "strip1", "strip2"]


async def test_redirects_stay_below_the_prefix(maps: httpx.AsyncClient) -> None:
    for path in (f"{MOSAIC}/map.html", "/mosaics/"):
        answer = await maps.get(f"{PUBLIC}{path}", follow_redirects=True)
        assert answer.status_code == 200
        assert str(answer.url).startswith(f"{PUBLIC}/mosaics")


async def test_the_documentation_finds_its_openapi_and_says_the_address(maps: httpx.AsyncClient) -> None:
    (path,) = re.findall(r"url: '([^']+)'", (await maps.get(f"{PUBLIC}/docs")).text)
    document = (await maps.get(f"https://maps.example.org{path}")).json()
    assert document["servers"] == [{"url": "/mars"}]


async def test_a_public_address_without_a_path_changes_the_host_alone(small_store: Path) -> None:
    async with behind(small_store, "https://d111.cloudfront.net/") as maps:
        document = (await maps.get(f"{MOSAIC}/{TMS}/tilejson.json")).json()
    assert document["tiles"] == [
        f"https://d111.cloudfront.net{MOSAIC}@1/tiles/{TMS}/{{z}}/{{x}}/{{y}}",
    ]


async def test_without_one_a_server_that_knows_its_prefix_says_it_once(small_store: Path) -> None:
    """As uvicorn's --root-path does it, and a stage of API Gateway."""
    app = bootstrap.http_app(Settings(store=str(small_store)), metrics=False)
    inner = httpx.ASGITransport(app=app, root_path="/prod")
    async with httpx.AsyncClient(transport=inner, base_url="https://api.example.org") as client:
        text = (await client.get(f"/prod{MOSAIC}/WMTSCapabilities.xml?tms={TMS}")).text
    given = [address for address in addresses(text) if address.startswith("https://api")]
    assert given
    assert all(address.startswith(f"https://api.example.org/prod{MOSAIC}") for address in given)


@pytest.mark.parametrize(
    "address", ["maps.example.org/mars", "ftp://maps.example.org", "https://", "https://a.example/?b", "https://a b/"]
)
def test_an_address_that_is_none_is_refused_by_the_setting_s_name(small_store: Path, address: str) -> None:
    with pytest.raises(Invalid) as refused:
        bootstrap.http_app(Settings(store=str(small_store), public_url=address), metrics=False)
    assert refused.value.field == "PUBLIC_URL"


def test_a_command_on_the_store_is_not_kept_from_writing_by_it(small_store: Path) -> None:
    call = service(Settings(store=str(small_store), public_url=PUBLIC), endpoint=None, token=None)
    with pytest.raises(NotFound):
        call("DELETE", "/mosaics/not-there", None)


async def test_what_comes_through_a_proxy_is_not_this_machine(small_store: Path) -> None:
    """A proxy that calls the service by its loopback address makes no visitor local."""
    app = bootstrap.http_app(Settings(store=str(small_store)), metrics=False, open_writes=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=INSIDE) as client:
        for header in ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via"):
            refused = await client.delete("/mosaics/not-there", headers={header: "203.0.113.7"})
            assert refused.status_code == 403
        assert (await client.delete("/mosaics/not-there")).status_code == 404
