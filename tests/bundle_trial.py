"""A trial of the bundles: the three functions as processes of their own, on an account in this process."""

import json
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import lambda_events as events
from lambda_runtime import Answer, Function, runtime_client
from listening import listening
from moto_cloud import SCENES, Cloud
from registries import AUTH
from toys import TMS, X, Y, Z, heights, item, write_tile

TILE = f"tiles/{TMS}/{Z}/{X}/{Y}"
BUILD_S = 900.0
LATE_S = 120.03
"""A builder that has so much left goes on to its next checkpoint, and no further."""
WRITER = {name.lower(): value for name, value in AUTH.items()}
_ROUNDS = 300


@dataclass(kw_only=True)
class Trial:
    """`bundles` has an unpacked zip for each function."""

    cloud: Cloud
    bundles: Path
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = runtime_client(self.folder / "client")

    def start(self, name: str, *, snapstart: bool = False, **environment: str) -> Function:
        """A function's process; a variable of the account is replaced by one given here, and left out when empty."""
        told = {**self.cloud.environment, **self.environment, **environment}
        return Function(
            f"lambda_handler.{name}.handler",
            self.bundles / name,
            client=self.client,
            environment={key: value for key, value in told.items() if value},
            log=self.folder / f"{name}-{len(list(self.folder.glob('*.log')))}.log",
            snapstart=snapstart,
        )

    def scenes(self, count: int, *, bucket: str = SCENES) -> list[str]:
        """Rasters over the tile, uploaded for everyone to read."""
        public = {"ACL": "public-read"}
        for number in range(count):
            path = write_tile(self.folder / f"g{number}.tif", heights(seed=number))
            self.cloud.client("s3").upload_file(str(path), bucket, path.name, ExtraArgs=public)
        return [f"s3://{bucket}/g{number}.tif" for number in range(count)]

    def deliver(self, builder: Function, *, within_s: float = BUILD_S) -> int:
        """Hand the queue's messages to the builder until there are none; how many it took.

        What it leaves for later, having too little time to begin, comes again.
        """
        taken = 0
        for _ in range(_ROUNDS):
            bodies = self.cloud.messages()
            if not bodies:
                return taken
            answer = builder.call(events.sqs(*bodies), within_s=within_s)
            assert not answer.failed, answer
            left = {each["itemIdentifier"] for each in answer.value["batchItemFailures"]}
            assert not left or within_s == LATE_S, answer
            for number, body in enumerate(bodies):
                if f"m{number}" in left:
                    self.cloud.client("sqs").send_message(QueueUrl=self.cloud.queue_url, MessageBody=body)
            taken += len(bodies) - len(left)
        raise AssertionError(f"there are still messages after {_ROUNDS} rounds")


def recipe(name: str, hrefs: list[str], **more: Any) -> dict[str, Any]:
    """A registration of files."""
    return {"name": name, "source": {"type": "cogs", "hrefs": hrefs}, "quadkey_zoom": 7, **more}


def many_items(name: str, count: int) -> dict[str, Any]:
    """A registration of so many items, whose files are not opened."""
    items = [item(f"i{number}", {"dtm": f"s3://{SCENES}/i{number}.tif"}) for number in range(count)]
    source = {"type": "features", "features": {"type": "FeatureCollection", "features": items}}
    return {"name": name, "source": source, "assets": ["dtm"], "quadkey_zoom": 7, "scan": False}


def post(registry: Function, body: dict[str, Any], path: str = "/mosaics", query: str = "") -> Answer:
    """A write with the token that may."""
    return registry.call(events.http("POST", path, query, body=body, headers=WRITER))


def get(function: Function, path: str, query: str = "", *, within_s: float = 29.0, **headers: str) -> Answer:
    """A read; underscores in names of headers stand for hyphens."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return function.call(events.http("GET", path, query, headers=sent), within_s=within_s)


def document(answer: Answer) -> Any:
    """The JSON of a reply."""
    return json.loads(events.content(answer.value))


@contextmanager
def deaf_server() -> Generator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def credentials_server(token: str) -> Generator[tuple[str, list[str]]]:
    """An address that has credentials for who shows the token, and who they were so far."""
    asked: list[str] = []
    credentials = {
        "AccessKeyId": "test",
        "SecretAccessKey": "test",
        "Token": "test",
        "Expiration": "2126-01-01T00:00:00Z",
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.headers.get("Authorization") == token
            asked.append(self.headers.get("User-Agent", ""))
            self.send_response(200 if is_known else 401)
            self.end_headers()
            self.wfile.write(json.dumps(credentials if is_known else {}).encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with listening(Handler) as address:
        yield f"http://{address}/credentials", asked
