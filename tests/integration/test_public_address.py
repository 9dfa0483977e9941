"""A service behind a CDN or a proxy speaks of its public address, whichever way a request comes."""

from pathlib import Path

import pytest

from quadmosaic import bootstrap
from quadmosaic.api.public_address import PublicAddress, parse_public_address
from quadmosaic.domain.errors import Invalid
from registries import Place, registration
from toys import TMS


@pytest.mark.parametrize(
    ("public", "base"),
    [
        ("https://maps.example.com", "https://maps.example.com"),
        ("https://example.com/maps/", "https://example.com/maps"),
    ],
)
def test_every_link_is_below_the_public_address(tmp_path: Path, public: str, base: str) -> None:
    place = Place(folder=tmp_path, options={"public_url": public})
    with place.served() as client:
        reply = client.post("/mosaics", json=registration("m", place.item("a"), place.item("b", seed=2)))
        assert reply.headers["location"].startswith(f"{base}/mosaics/m")
        (template,) = client.get(f"/mosaics/m/{TMS}/tilejson.json").json()["tiles"]
        assert template.startswith(f"{base}/mosaics/m@1/tiles/")
        (link,) = client.get("/mosaics/m/granules?limit=1").json()["links"]
        assert link["href"].startswith(f"{base}/mosaics/m/granules?")
        assert f"{base}/mosaics/m/" in client.get("/mosaics/m/WMTSCapabilities.xml").text
        assert str(client.base_url.netloc.decode()) not in client.get("/").text


def test_a_path_that_the_proxy_left_in_place_is_understood(tmp_path: Path) -> None:
    place = Place(folder=tmp_path, options={"public_url": "https://example.com/maps"})
    with place.served() as client:
        assert client.get("/maps/healthz").json() == client.get("/healthz").json()


def test_behind_a_public_address_nobody_writes_without_a_token(tmp_path: Path) -> None:
    place = Place(folder=tmp_path, options={"public_url": "http://localhost:8000", "tokens": None})
    with place.served(open_writes=True) as client:
        assert client.post("/mosaics", json=registration("m", place.item("a"))).status_code == 403


@pytest.mark.parametrize("url", ["maps.example.com", "ftp://a.example", "https://a.example?x=1", "https://u@a.example"])
def test_what_is_no_address_is_refused(tmp_path: Path, url: str) -> None:
    settings = Place(folder=tmp_path, options={"public_url": url}).settings
    with pytest.raises(Invalid) as caught:
        bootstrap.http_app(settings, metrics=False)
    assert caught.value.field == "PUBLIC_URL"


def test_an_address_is_scheme_host_and_path() -> None:
    found = parse_public_address("https://example.com:8443/a/b/")
    assert found == PublicAddress(scheme="https", host="example.com:8443", root="/a/b")
