"""Safety of the registry: who may write, and what a registration must not make the service fetch."""

import asyncio
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest

from fixtures_server import serving
from listening import listening
from quadmosaic import bootstrap
from quadmosaic.domain.allowlist import parse_allow_list
from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.mosaic import MosaicRef
from quadmosaic.domain.tokens import mint
from quadmosaic.services.access import Access
from range_server import RangeServer
from registries import AUTH, SECRET, TOKEN, Place, registration, tokens_setting
from stac_api import Script
from stac_api import serving as serving_stac
from toys import item

METADATA = "http://169.254.169.254/latest/meta-data/"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path)


@pytest.fixture
def client(place: Place) -> Generator[httpx.Client]:
    with place.served() as client:
        yield client


WRITES: Sequence[tuple[str, str, dict[str, Any] | None]] = (
    ("POST", "/mosaics", {"name": "m", "source": {"type": "cogs", "hrefs": ["s3://astrogeo-ard/a.tif"]}}),
    ("PUT", "/mosaics/m", {"source": {"type": "cogs", "hrefs": ["s3://astrogeo-ard/a.tif"]}}),
    ("PATCH", "/mosaics/m", {"title": "x"}),
    ("DELETE", "/mosaics/m", None),
    ("POST", "/mosaics/m/builds", None),
    ("POST", "/mosaics/m/builds/b/confirm", None),
    ("POST", "/mosaics/m/versions/1/publish", None),
    ("POST", "/mosaics/m/granules", {"hrefs": ["s3://astrogeo-ard/a.tif"]}),
    ("DELETE", "/mosaics/m/granules/a", None),
)


class TestTokens:
    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_a_write_needs_a_token(self, client: httpx.Client, method: str, path: str, body: Any) -> None:
        for authorization in ("", "Bearer", "Bearer wrong", f"Basic {SECRET}", SECRET):
            reply = client.request(method, path, json=body, headers={"Authorization": authorization})
            assert reply.status_code == 401, authorization
            assert reply.headers["www-authenticate"].startswith("Bearer")
            assert reply.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_without_tokens_nothing_can_be_written(self, place: Place, method: str, path: str, body: Any) -> None:
        shut = Place(folder=place.folder, options={"tokens": None})
        with shut.served() as client:
            assert client.request(method, path, json=body).status_code == 403

    def test_a_token_is_held_to_its_names_and_verbs(self, place: Place) -> None:
        secret, token = mint("ci", b"1" * 32, names=["jezero-*"], verbs=["build"])
        scoped = Place(folder=place.folder, options={"tokens": tokens_setting(TOKEN, token)})
        mine = {"Authorization": f"Bearer {secret}"}
        with scoped.served() as client:
            for name in ("jezero-a", "moon"):
                assert client.post("/mosaics", json=registration(name, place.item("a"))).status_code == 201
            assert client.post("/mosaics/jezero-a/builds", headers=mine).status_code == 201
            assert client.post("/mosaics/moon/builds", headers=mine).status_code == 403
            assert client.delete("/mosaics/jezero-a", headers=mine).status_code == 403
            other = client.post("/mosaics", json=registration("jezero-b", place.item("a")), headers=mine)
            assert (other.status_code, "ci" in other.json()["detail"]) == (403, True)

    def test_a_pattern_of_names_never_meets_the_number_of_a_version(self, place: Place) -> None:
        secret, token = mint("ci", b"1" * 32, names=["*1"], verbs=["build"])
        scoped = Place(folder=place.folder, options={"tokens": tokens_setting(TOKEN, token)})
        with scoped.served() as client:
            client.post("/mosaics", json=registration("secret", place.item("a")))
            mine = {"Authorization": f"Bearer {secret}"}
            replies = [
                client.post(f"/mosaics/secret@1/{path}", headers=mine) for path in ("builds", "builds/b/confirm")
            ]
            assert [(reply.status_code, reply.json()["field"]) for reply in replies] == [(400, "name")] * 2

    def test_on_loopback_without_tokens_only_this_machine_writes(self, place: Place) -> None:
        body = registration("m", place.item("a"))
        local = Place(folder=place.folder, options={"tokens": None})
        with local.served(open_writes=True) as client:
            for header in (
                {"Origin": "https://evil.example.com"},
                {"Host": "evil.example.com"},
                {"Sec-Fetch-Site": "cross-site"},
                {"Origin": "null"},
            ):
                assert client.post("/mosaics", json=body, headers=header).status_code == 403, header
            assert client.post("/mosaics", json=body, headers={"Origin": str(client.base_url)}).status_code == 201

    def test_reading_needs_no_token(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        for path in ("/mosaics", "/mosaics/m", "/mosaics/m/builds", "/mosaics/m/granules"):
            assert client.get(path, headers={"Authorization": ""}).status_code == 200

    def test_a_page_from_elsewhere_may_ask_how_to_write(self, client: httpx.Client) -> None:
        asking = {"Origin": "https://maps.example.com", "Access-Control-Request-Method": "PATCH"}
        reply = client.options("/mosaics/m", headers={**asking, "Access-Control-Request-Headers": "authorization"})
        assert reply.status_code == 200
        assert "PATCH" in reply.headers["access-control-allow-methods"]


class TestLimits:
    def test_a_body_that_is_too_large_is_refused_however_it_is_sent(self, place: Place) -> None:
        small = Place(folder=place.folder, options={"max_body_mb": 1})
        body = json.dumps({"name": "m", "source": {"type": "cogs", "hrefs": ["s3://astrogeo-ard/" + "x" * (1 << 20)]}})

        def chunks() -> Iterator[bytes]:
            for start in range(0, len(body), 4096):
                yield body[start : start + 4096].encode()

        with small.served() as client:
            headers = {"Content-Type": "application/json"}
            for content in (body, chunks()):
                reply = client.post("/mosaics", content=content, headers=headers)
                assert reply.status_code == 413
                assert reply.headers["content-type"] == "application/problem+json"

    def test_long_names_and_deep_documents_are_refused(self, client: httpx.Client) -> None:
        hrefs = {"type": "cogs", "hrefs": ["s3://astrogeo-ard/a.tif"]}
        assert client.post("/mosaics", json={"name": "x" * 65, "source": hrefs}).json()["field"] == "name"
        deep = '{"name": "m", "source": ' + '{"a":' * 20_000 + "1" + "}" * 20_001
        reply = client.post("/mosaics", content=deep, headers={"Content-Type": "application/json"})
        assert reply.status_code == 400

    def test_items_and_cells_are_limited_for_every_mosaic(self, place: Place) -> None:
        for option, value in (("max_items", 1), ("max_cells", 1)):
            tight = Place(folder=place.folder / option, options={option: value})
            tight.folder.mkdir()
            items = [tight.item("a"), tight.item("b")]
            with tight.served() as client:
                reply = client.post("/mosaics", json=registration("m", *items, quadkey_zoom=9))
                assert reply.status_code == 413, option


ODD_HREFS = (
    "http://[::1/a.tif",
    "http://127.0.0.1:99999999/a.tif",
    "file:///data/\0.tif",
    "file:///data/%00.tif",
    "file:///data/\ud800.tif",
    "s3://",
    "s3://astrogeo-ard/../a.tif",
)
ODD_TO_READ = ("//a//b.tif", "/a/%2e%2e/b.tif", "/a/../b.tif", "/a%00.tif", "/a b.tif", "/%zz.tif", "/\u00e9.tif")


class TestOddInput:
    @pytest.mark.parametrize("href", ODD_HREFS)
    @pytest.mark.parametrize("kind", ["cogs", "features", "mosaicjson document"])
    def test_an_href_that_is_no_address_is_said(self, client: httpx.Client, kind: str, href: str) -> None:
        document = {
            "mosaicjson": "0.0.3",
            "bounds": [0, 0, 1, 1],
            "minzoom": 7,
            "maxzoom": 7,
            "tiles": {"0" * 7: [href]},
        }
        source = {"type": "mosaicjson", "document": document} if " " in kind else SOURCES[kind](href)
        for path in ("/mosaics", "/mosaics?dry_run=true"):
            body = json.dumps({"name": "m", "source": source, "assets": ["dtm"]})
            reply = client.post(path, content=body, headers={"Content-Type": "application/json"})
            assert reply.status_code == 400, reply.text
            assert reply.json()["field"].startswith(("source", "tiles")), reply.text

    @pytest.mark.parametrize("target", ODD_TO_READ)
    @pytest.mark.parametrize("scan", [True, False])
    def test_an_odd_address_is_asked_for_as_it_is(self, place: Place, target: str, *, scan: bool) -> None:
        with listening(_Nothing) as host:
            options = {"allowed_hosts": (host, f"file://{place.folder / 'files'}"), "allow_private": True}
            with Place(folder=place.folder, options=options).served() as client:
                items = place.item("good"), item("odd", {"dtm": f"http://{host}{target}"})
                body = registration("m", *items, assets=["dtm"], tms="MarsMercatorSphere", scan=scan)
                reply = client.post("/mosaics", json=body)
                if " " in target:
                    assert reply.status_code == 400
                    return
                assert reply.status_code == 201, reply.text
                skipped = [each["granule"] for each in reply.json()["last_build"]["report"]["skipped"]]
                picture = client.get("/mosaics/m/preview.png?pixel_selection=mean")
                assert (picture.status_code, picture.headers["x-assets"]) == (200, "good")
                assert "odd" in (skipped if scan else picture.headers["x-assets-skipped"])

    def test_of_a_document_the_files_that_are_no_rasters_are_left_out(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a"), place.item("b", seed=2), assets=["dtm"]))
        document = client.get("/mosaics/m/mosaic.json").json()
        (place.folder / "files" / "b_dtm.tif").write_bytes(b"no raster")
        reply = client.post("/mosaics?name=some", json=document)
        assert (reply.status_code, reply.json()["granules"]) == (201, 1), reply.text
        (skipped,) = reply.json()["last_build"]["report"]["skipped"]
        assert "not a raster" in skipped["reason"]
        (place.folder / "files" / "a_dtm.tif").write_bytes(b"no raster")
        reply = client.post("/mosaics?name=none", json=document)
        assert (reply.status_code, reply.json()["field"]) == (400, "tiles"), reply.text
        assert client.get("/mosaics/none").status_code == 404

    @pytest.mark.parametrize("value", ["1e999", str(10**30), '"\\ud800"', '["\\udc00"]'])
    def test_what_no_reply_can_hold_is_refused(self, place: Place, client: httpx.Client, value: str) -> None:
        client.post("/mosaics", json=registration("m", place.item("a"), assets=["dtm"]))
        added = json.dumps(place.item("b")).replace('"Mars"', value)
        whole = json.dumps({**registration("odd", place.item("a")), "title": 0}).replace(
            '"title": 0', f'"title": {value}'
        )
        item_of = json.dumps(registration("odd", place.item("a"))).replace('"Mars"', value)
        for method, path, body, field in (
            ("POST", "/mosaics", item_of, "source"),
            ("POST", "/mosaics?dry_run=true", item_of, "source"),
            ("POST", "/mosaics", whole, "title"),
            ("PATCH", "/mosaics/m", f'{{"title": {value}}}', "title"),
            ("POST", "/mosaics/m/granules", added, "features"),
        ):
            reply = client.request(method, path, content=body, headers={"Content-Type": "application/json"})
            assert reply.status_code == 400, (path, reply.text)
            assert reply.json()["field"].startswith(field), (path, reply.text)
        assert client.get("/mosaics/odd").status_code == 404

    def test_odd_items_of_an_api_are_refused_or_read_without_what_is_odd(self, place: Place) -> None:
        infinite, half = place.item("infinite"), place.item("half")
        infinite["properties"]["odd"] = float("inf")
        infinite["properties"] |= {
            "large": 10**30,
            "small": -(10**30),
            "list": [1, 10**30],
            "proj:epsg": 10**30,
            "kept": 7,
        }
        half["properties"]["odd"] = "\ud800"
        address = item("address", {"dtm": "http://[::1/a.tif"})
        relative = {**item("relative", {"dtm": "a.tif"}), "links": [{"rel": "self", "href": "http://[bad/x"}]}
        outline = {
            **place.item("outline"),
            "geometry": {"type": "Polygon", "coordinates": [[[10**400, 0], [1, 0], [1, 1]]]},
        }
        items = [infinite, half, address, relative, outline]
        with serving_stac(Script(items=items)) as href:
            options = {"allowed_hosts": (href.split("/")[2], f"file://{place.folder / 'files'}"), "allow_private": True}
            with Place(folder=place.folder, options=options).served() as client:
                body = {"name": "m", "source": {"type": "stac", "href": href}, "assets": ["dtm"]}
                reply = client.post("/mosaics", json=body)
                assert reply.status_code == 201, reply.text
                skipped = {each["granule"] for each in reply.json()["last_build"]["report"]["skipped"]}
                assert skipped == {"address", "relative", "outline"}
                listed = client.get("/mosaics/m/granules").json()["features"]
        assert {each["id"]: each["properties"].get("odd") for each in listed} == {"infinite": None, "half": "?"}
        properties = next(each["properties"] for each in listed if each["id"] == "infinite")
        assert properties["kept"] == 7
        assert not {"large", "small", "list", "proj:epsg"} & properties.keys()


SOURCES: dict[str, Callable[[str], dict[str, Any]]] = {
    "cogs": lambda href: {"type": "cogs", "hrefs": [href]},
    "stac": lambda href: {"type": "stac", "href": href},
    "mosaicjson": lambda href: {"type": "mosaicjson", "href": href},
    "features": lambda href: {
        "type": "features",
        "features": {"type": "FeatureCollection", "features": [item("a", {"dtm": href})]},
    },
}
NOT_ALLOWED = (
    "file:///etc/passwd",
    "/etc/passwd",
    "http://127.0.0.1:80/a.tif",
    "http://localhost/a.tif",
    "http://[::1]/a.tif",
    "http://2130706433/a.tif",
    "http://0x7f000001/a.tif",
    METADATA,
    "http://[fd00:ec2::254]/latest/meta-data/",
    "https://evil.example.com/a.tif",
    "https://stac.astrogeology.usgs.gov@evil.example.com/a.tif",
    "https://stac.astrogeology.usgs.gov.evil.example.com/a.tif",
    "s3://private-bucket/a.tif",
    "https://private-bucket.s3.us-west-2.amazonaws.com/a.tif",
    "/vsicurl/http://169.254.169.254/a.tif",
    "ftp://stac.astrogeology.usgs.gov/a.tif",
    "dynamodb://us-west-2/table:mosaic",
)


class TestWhereSourcesMayLive:
    @pytest.mark.parametrize("href", NOT_ALLOWED)
    @pytest.mark.parametrize("kind", SOURCES)
    def test_an_address_that_is_not_on_the_list_is_refused(self, client: httpx.Client, kind: str, href: str) -> None:
        body = {"name": "m", "source": SOURCES[kind](href), "assets": ["dtm"]}
        for path in ("/mosaics", "/mosaics?dry_run=true"):
            reply = client.post(path, json=body)
            assert reply.status_code == 400, reply.text
            assert reply.json()["field"].startswith("source."), reply.text
        assert client.get("/mosaics/m").status_code == 404

    @pytest.mark.parametrize("href", NOT_ALLOWED)
    def test_nor_may_a_granule_be_added_from_there(self, place: Place, client: httpx.Client, href: str) -> None:
        client.post("/mosaics", json=registration("m", place.item("a"), assets=["dtm"]))
        assert client.post("/mosaics/m/granules", json={"hrefs": [href]}).status_code == 400

    def test_a_symbolic_link_leads_out_of_no_folder(self, place: Place, client: httpx.Client) -> None:
        place.file("a")
        outside = place.folder / "secret.tif"
        outside.write_bytes((place.folder / "files" / "a.tif").read_bytes())
        (place.folder / "files" / "link.tif").symlink_to(outside)
        href = (place.folder / "files" / "link.tif").as_uri()
        reply = client.post("/mosaics", json={"name": "m", "source": {"type": "cogs", "hrefs": [href]}})
        assert reply.status_code == 400

    def test_a_document_is_read_before_it_is_believed(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a"), assets=["dtm"]))
        document = client.get("/mosaics/m/mosaic.json").json()
        document["tiles"] = {key: [METADATA] for key in document["tiles"]}
        reply = client.post("/mosaics?name=evil", json=document)
        assert (reply.status_code, reply.json()["field"]) == (400, "tiles")

    def test_items_of_an_allowed_api_whose_files_lie_elsewhere_are_skipped(self, place: Place) -> None:
        good, evil = place.item("good"), item("evil", {"dtm": METADATA})
        with serving_stac(Script(items=[good, evil])) as href:
            host = href.split("/")[2]
            options = {"allowed_hosts": (host, f"file://{place.folder / 'files'}"), "allow_private": True}
            with Place(folder=place.folder, options=options).served() as client:
                body = {"name": "m", "source": {"type": "stac", "href": href}, "assets": ["dtm"]}
                reply = client.post("/mosaics", json=body)
                assert reply.status_code == 201, reply.text
                (skipped,) = reply.json()["last_build"]["report"]["skipped"]
                assert skipped["granule"] == "evil"
                assert "not among the allowed hosts" in skipped["reason"]


class _Elsewhere(BaseHTTPRequestHandler):
    """Redirects everything to where `target` says."""

    target = METADATA

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


class _Nothing(BaseHTTPRequestHandler):
    """Answers with documents and rasters that are none."""

    def do_GET(self) -> None:
        link = {"rel": "child", "href": self.path}
        known = {"circle": json.dumps({"type": "Catalog", "id": "c", "links": [link]}), "list": "[]"}
        content = known.get(self.path.strip("/").partition("?")[0], "no raster").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@contextmanager
def redirecting(target: str) -> Generator[str]:
    handler = type("Handler", (_Elsewhere,), {"target": target})
    with listening(handler) as address:
        yield address


class TestRedirects:
    @pytest.mark.parametrize("target", [METADATA, "file:///etc/passwd", "http://127.0.0.1:1/a.tif"])
    @pytest.mark.parametrize("kind", SOURCES)
    def test_a_redirect_leads_nowhere_that_is_not_allowed(self, place: Place, kind: str, target: str) -> None:
        with redirecting(target) as host:
            options = {"allowed_hosts": (host,), "allow_private": True}
            with Place(folder=place.folder, options=options).served() as client:
                body = {"name": "m", "source": SOURCES[kind](f"http://{host}/a.tif"), "assets": ["dtm"]}
                reply = client.post("/mosaics", json=body)
                assert reply.status_code == 400, reply.text
                assert client.get("/mosaics/m").status_code == 404

    def test_a_granule_whose_file_redirects_is_refused_and_never_read(self, place: Place) -> None:
        with RangeServer(place.folder / "files") as secret, redirecting(f"{secret.url}/good.tif") as host:
            options = {"allowed_hosts": (host, f"file://{place.folder / 'files'}"), "allow_private": True}
            moved = {"dtm": f"http://{host}/a.tif?v=1"}
            with Place(folder=place.folder, options=options).served() as client:
                items = (place.item("good"), item("moved", moved))
                reply = client.post("/mosaics", json=registration("m", *items, assets=["dtm"]))
                assert reply.status_code == 201, reply.text
                report = reply.json()["last_build"]["report"]
                (skipped,) = report["skipped"]
                assert (skipped["granule"], report["unread"]) == ("moved", 0)
                assert "redirects" in skipped["reason"]
                unscanned = {"assets": ["dtm"], "scan": False, "tms": "MarsMercatorSphere"}
                body = registration("unscanned", item("moved", moved), **unscanned)
                assert client.post("/mosaics", json=body).status_code == 201
                picture = client.get("/mosaics/unscanned/preview.png")
                assert picture.headers["x-assets-skipped"] == "moved"
                assert not picture.headers["x-assets"]
            assert secret.asked == []


def access(addresses: dict[str, list[str]], *, allow_private: bool = False) -> Access:
    def resolve(host: str) -> list[str]:
        if host not in addresses:
            raise OSError("no such name")
        return addresses[host]

    allow = parse_allow_list(["stac.example.com", "127.0.0.1:*", "s3://bucket"])
    return Access(allow=allow, allow_private=allow_private, resolve=resolve, real_path=str)


class TestNames:
    """What a host's name resolves to, without a real resolver."""

    @pytest.mark.parametrize(
        "addresses", [["127.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"], []]
    )
    async def test_a_name_of_a_private_address_is_refused(self, addresses: list[str]) -> None:
        gate = access({"stac.example.com": addresses})
        with pytest.raises(Invalid, match="ALLOW_PRIVATE"):
            await gate.check("https://stac.example.com/api", field="source.href")

    async def test_a_public_name_is_allowed_and_remembered_for_a_minute(self) -> None:
        asked: list[str] = []
        now = [0.0]

        def resolve(host: str) -> list[str]:
            asked.append(host)
            return ["8.8.8.8"]

        allow = parse_allow_list(["stac.example.com"])
        gate = Access(allow=allow, allow_private=False, resolve=resolve, real_path=str, clock=lambda: now[0])
        for _ in range(3):
            await gate.check("https://stac.example.com/api", field="source.href")
        now[0] = 61.0
        await gate.check("https://stac.example.com/api", field="source.href")
        assert len(asked) == 2

    async def test_a_name_that_does_not_resolve_is_out_of_reach(self) -> None:
        with pytest.raises(Unavailable):
            await access({}).check("https://stac.example.com/api", field="source.href")

    async def test_private_addresses_may_be_allowed(self) -> None:
        await access({}, allow_private=True).check("http://127.0.0.1:8080/api", field="source.href")
        with pytest.raises(Invalid):
            await access({"127.0.0.1": ["127.0.0.1"]}).check("http://127.0.0.1:8080/api", field="source.href")

    async def test_the_connection_itself_is_looked_at_too(self) -> None:
        """A name may resolve to another address a moment later."""
        from quadmosaic.catalog.stac_http import Session, StacHttp

        with serving_stac(Script(items=[])) as href:
            gate = access({})
            http = StacHttp(permits_address=gate.permits_address, retries=0)
            with pytest.raises(Invalid, match="private address"):
                await asyncio.to_thread(Session(http=http).json, "GET", href)


class TestSecrets:
    def test_signatures_are_in_no_reply(self, place: Place, client: httpx.Client) -> None:
        signed = place.item("a")
        signed["assets"]["dtm"]["href"] += "?X-Amz-Signature=topsecret&x-api-key=topsecret&v=2"
        signed["properties"]["thumbnail"] = "https://somebody:topsecret@example.com/a.png?sig=topsecret"
        body = registration("m", signed, assets=["dtm"], scan=False)
        replies = [client.post("/mosaics", json=body)]
        assert replies[0].status_code == 201, replies[0].text
        paths = ("/mosaics/m", "/mosaics/m/granules", "/mosaics/m/builds", "/mosaics/m/info", "/mosaics/m/mosaic.json")
        replies += [client.get(path) for path in paths]
        assert all(reply.status_code == 200 for reply in replies[1:])
        assert not [reply.url for reply in replies if "topsecret" in reply.text]
        (listed,) = {href for hrefs in client.get("/mosaics/m/mosaic.json").json()["tiles"].values() for href in hrefs}
        assert listed.endswith(".tif")

    def test_what_is_read_keeps_its_signature(self, place: Place, client: httpx.Client) -> None:
        signed = place.item("a")
        signed["assets"]["dtm"]["href"] += "?X-Amz-Signature=topsecret"
        client.post("/mosaics", json=registration("m", signed, assets=["dtm"], scan=False))
        store = bootstrap.adapters(place.settings).store
        version = asyncio.run(store.version(MosaicRef("m")))
        (granule,) = asyncio.run(store.granules(version)).items
        assert granule.hrefs["dtm"].endswith("?X-Amz-Signature=topsecret")

    def test_a_query_that_fails_is_in_no_reply_and_no_log(self, place: Place, caplog: pytest.LogCaptureFixture) -> None:
        with listening(_Nothing) as host, caplog.at_level("INFO"):
            options = {"allowed_hosts": (host,), "allow_private": True}
            query = "?token=topsecret&X-Amz-Signature=topsecret"
            with Place(folder=place.folder, options=options).served() as client:
                replies = []
                for number, address in enumerate((f"{host}/list", f"{host}/circle", f"{host}/broken")):
                    source = {"type": "stac", "href": f"http://{address}{query}"}
                    replies.append(client.post("/mosaics", json={"name": f"m{number}", "source": source}))
                moved = {"dtm": f"http://{host}/broken{query}"}
                scan = {"assets": ["dtm"], "tms": "MarsMercatorSphere", "scan": False}
                replies.append(client.post("/mosaics", json=registration("m", item("a", moved), **scan)))
                replies += [client.get(f"/mosaics/m{path}") for path in ("", "/preview.png?strict=true", "/granules")]
        assert not [reply.url for reply in replies if "topsecret" in reply.text]
        assert "topsecret" not in caplog.text

    def test_tokens_are_in_no_reply_and_no_log(
        self, place: Place, client: httpx.Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("DEBUG"):
            client.post("/mosaics", json=registration("m", place.item("a")))
            reply = client.delete("/mosaics/m", headers={"Authorization": f"Bearer {SECRET}x"})
        assert SECRET not in reply.text + caplog.text
        assert SECRET not in repr(place.settings)
        assert TOKEN.digest not in repr(place.settings)


def test_a_service_without_a_ledger_is_read_only(place: Place) -> None:
    outside = bootstrap.adapters(place.settings)
    shut = bootstrap.Adapters(store=outside.store, reader=outside.reader)
    app = bootstrap.http_app(place.settings, metrics=False, outside=shut)
    with serving(app) as base, httpx.Client(base_url=base, headers=AUTH) as client:
        assert client.post("/mosaics", json=registration("m", place.item("a"))).status_code == 403
        assert client.get("/mosaics").status_code == 200
