"""Coming from cogeo-mosaic: documents in files, buckets and on the web, and tables of its DynamoDB backend."""

import gzip
import json
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import boto3
import pytest
from aws import BUCKET, REGION, AwsServers
from cogeo_mosaic.backends.dynamodb import DynamoDBBackend
from cogeo_mosaic.mosaic import MosaicJSON
from typer.testing import CliRunner

from listening import listening
from quadmosaic.catalog.documents import Files
from quadmosaic.catalog.mosaic_documents import read_mosaic_document
from quadmosaic.catalog.stac_http import StacHttp
from quadmosaic.cli import app
from quadmosaic.domain.errors import Invalid, NotFound, QuadmosaicError, TooLarge, Unavailable
from quadmosaic.domain.mosaicjson import parse

TILES = {
    f"0{n:04d}".translate(str.maketrans("456789", "012301")): [f"s3://b/{n}.tif", "s3://b/all.tif"] for n in range(900)
}
DOCUMENT = {
    "mosaicjson": "0.0.3",
    "name": "jezero",
    "version": "1.0.0",
    "minzoom": 5,
    "maxzoom": 12,
    "quadkey_zoom": 5,
    "bounds": [-180.0, -70.5, 180.0, 70.5],
    "center": [0.25, 0.0, 5],
    "tiles": TILES,
}
RAW = json.dumps(DOCUMENT).encode()


def unhurried(_: float) -> None:
    """Nobody waits in a test."""


async def read(href: str, *, max_bytes: int = 10_000_000, permit: Callable[[str], None] | None = None) -> bytes:
    files = Files(http=StacHttp(permit=permit, sleep=unhurried), buckets={}, any_bucket=True)
    return await read_mosaic_document(href, max_bytes=max_bytes, files=files)


@pytest.fixture
def moto(aws_servers: AwsServers, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_servers.environment("dynamodb").items():
        monkeypatch.setenv(name, value)


class Web(BaseHTTPRequestHandler):
    """Serves the document, plain and gzipped, and what goes wrong on the web."""

    failures = 0

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/mosaic.json":
                self.answer(200, RAW)
            case "/mosaic.json.gz":
                self.answer(200, gzip.compress(RAW))
            case "/moved":
                self.answer(302, b"", location="/mosaic.json")
            case "/circle":
                self.answer(302, b"", location="/circle")
            case "/to-a-file":
                self.answer(302, b"", location="file:///etc/passwd")
            case "/flaky" if type(self).failures < 2:
                type(self).failures += 1
                self.answer(503, b"")
            case "/flaky":
                self.answer(200, RAW)
            case "/down":
                self.answer(503, b"")
            case "/forbidden":
                self.answer(403, b"")
            case _:
                self.answer(404, b"")

    def answer(self, status: int, body: bytes, *, location: str | None = None) -> None:
        self.send_response(status)
        if location is not None:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nobody listens."""


@pytest.fixture(scope="module")
def web() -> Generator[str]:
    with listening(Web) as address:
        yield f"http://{address}"


def same(raw: bytes) -> bool:
    return dict(parse(raw).tiles) == {key: tuple(assets) for key, assets in TILES.items()}


async def test_a_file_is_read_by_path_and_by_url(tmp_path: Path) -> None:
    (tmp_path / "a b.json.gz").write_bytes(gzip.compress(RAW))
    for href in (str(tmp_path / "a b.json.gz"), (tmp_path / "a b.json.gz").as_uri()):
        assert same(await read(href))
    with pytest.raises(Invalid, match="absent"):
        await read(str(tmp_path / "absent.json"))


@pytest.mark.usefixtures("moto")
async def test_an_object_of_a_bucket_is_read() -> None:
    client = boto3.client("s3", region_name=REGION)
    client.put_object(Bucket=BUCKET, Key="some where/mosaic.json.gz", Body=gzip.compress(RAW))
    assert same(await read(f"s3://{BUCKET}/some where/mosaic.json.gz"))
    for href in (f"s3://{BUCKET}/absent.json", "s3://no-such-bucket/mosaic.json"):
        with pytest.raises(Invalid, match="does not exist"):
            await read(href)
    with pytest.raises(Invalid):
        await read("s3://bucket-only")


@pytest.mark.parametrize(
    "path", ["/mosaic.json", "/mosaic.json?X-Amz-Signature=1", "/mosaic.json.gz", "/moved", "/flaky"]
)
async def test_a_document_on_the_web_is_read(web: str, path: str) -> None:
    assert same(await read(web + path))


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/x", Invalid),
        ("/forbidden", Invalid),
        ("/circle", Unavailable),
        ("/to-a-file", Invalid),
        ("/down", Unavailable),
    ],
)
async def test_what_goes_wrong_on_the_web_is_said(web: str, path: str, error: type[QuadmosaicError]) -> None:
    with pytest.raises(error):
        await read(web + path)


async def test_an_address_that_must_not_be_fetched_is_asked_about_after_each_redirect(web: str) -> None:
    def permit(href: str) -> None:
        if not href.endswith("/moved"):
            raise Invalid("must not be fetched", field="source.href")

    with pytest.raises(Invalid, match="must not"):
        await read(f"{web}/moved", permit=permit)


async def test_a_document_has_a_limit(web: str, tmp_path: Path) -> None:
    (tmp_path / "mosaic.json").write_bytes(RAW)
    for href in (f"{web}/mosaic.json", str(tmp_path / "mosaic.json")):
        with pytest.raises(TooLarge):
            await read(href, max_bytes=1000)


@pytest.mark.usefixtures("moto")
async def test_a_mosaic_of_cogeo_mosaics_table_is_read_whole() -> None:
    url = f"dynamodb://{REGION}/cogeo:jezero"
    DynamoDBBackend(url, mosaic_def=MosaicJSON(**DOCUMENT)).write(overwrite=True)
    raw = await read(url)
    document = json.loads(raw)
    assert same(raw)
    assert {key: document[key] for key in DOCUMENT if key != "tiles"} == {
        key: value for key, value in DOCUMENT.items() if key != "tiles"
    }
    with pytest.raises(TooLarge):
        await read(url, max_bytes=1000)
    for absent in (f"dynamodb://{REGION}/cogeo:other", f"dynamodb://{REGION}/no-such-table:jezero"):
        with pytest.raises(NotFound):
            await read(absent)


@pytest.mark.usefixtures("moto")
def test_a_mosaic_of_cogeo_mosaics_table_is_registered(tmp_path: Path) -> None:
    url = f"dynamodb://{REGION}/cogeo:registered"
    DynamoDBBackend(url, mosaic_def=MosaicJSON(**DOCUMENT)).write(overwrite=True)
    store = ["--store", str(tmp_path / "store")]
    ended = CliRunner().invoke(app, ["register", url, "--name", "jezero", "--no-scan", "-q", *store])
    assert ended.stdout == "jezero@1\n"
    exported = CliRunner().invoke(app, ["export", "jezero", *store])
    assert same(exported.stdout_bytes)


@pytest.mark.parametrize("href", ["dynamodb://us-west-2/table", "dynamodb://x/t:m", "ftp://host/x", "dynamodb://"])
async def test_what_is_no_place_of_a_document_is_refused(href: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await read(href)
    assert refusal.value.field == "source.href"
