"""OWSLib reads the WMTS of a mosaic, and the tile URLs that it makes answer."""

import httpx
import pytest
from owslib.wmts import WebMapTileService
from rasterio.io import MemoryFile

from small_mosaics import SmallMosaic

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")]

TMS = "MarsEquidistantCylindricalSphere"


@pytest.fixture
def service(live_server: str, small_mars_mosaic: SmallMosaic) -> WebMapTileService:
    return WebMapTileService(f"{live_server}/mosaics/{small_mars_mosaic.name}/WMTSCapabilities.xml")


def test_owslib_lists_layers_grids_and_formats(service: WebMapTileService) -> None:
    assert service.identification.title == "Small mars-strips & co"
    assert list(service.contents) == ["dtm", "ortho"]
    assert TMS in service.tilematrixsets
    assert service.tilematrixsets[TMS].crs == "IAU_2015:49910"
    assert service["dtm"].formats[0] == "image/png"
    assert list(service["dtm"].styles) == ["default"]


def test_owslib_does_not_place_mars_on_earth(service: WebMapTileService) -> None:
    assert not hasattr(service["dtm"], "boundingBoxWGS84")
    assert "IAU_2015:49910" in [box.crs for box in service["dtm"].boundingBox]


@pytest.mark.parametrize("tms", [TMS, "MarsGeographicSphere", "MarsMercatorSphere"])
def test_tiles_within_the_limits_answer_in_every_format(service: WebMapTileService, tms: str) -> None:
    layer = service["ortho"]
    zoom, limit = list(layer.tilematrixsetlinks[tms].tilematrixlimits.items())[-1]
    place = {
        "TileMatrixSet": tms,
        "TileMatrix": zoom,
        "TileRow": (limit.mintilerow + limit.maxtilerow) // 2,
        "TileCol": (limit.mintilecol + limit.maxtilecol) // 2,
    }
    for resource in layer.resourceURLs:
        answer = httpx.get(resource["template"].format(**place))
        assert (answer.status_code, answer.headers["content-type"]) == (200, resource["format"])


def test_gettile_returns_an_image(service: WebMapTileService) -> None:
    """OWSLib takes any one of a layer's formats, whatever it is asked for."""
    limit = service["dtm"].tilematrixsetlinks[TMS].tilematrixlimits["7"]
    tile = service.gettile(
        layer="dtm", tilematrixset=TMS, tilematrix="7", row=limit.mintilerow, column=limit.mintilecol
    )
    with MemoryFile(tile.read()).open() as image:
        assert (image.width, image.height) == (256, 256)
