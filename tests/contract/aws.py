"""Stand-ins for AWS: moto's server for S3 and DynamoDB, and npm's dynalite for DynamoDB's limits."""

import json
import logging
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import boto3
import pytest
from dynamodb_table import create_table
from engines import Engine, TableEngine, UrlEngine
from moto.server import ThreadedMotoServer

from quadmosaic.storage.dynamodb_client import Table

REGION = "us-west-2"
BUCKET = "mosaics"
DYNALITE = Path(__file__).parents[2] / "node_modules" / "dynalite" / "cli.js"
_SURVIVING = """
process.on("uncaughtException", fault => {{ if (fault.code !== "ECONNRESET") throw fault }})
require({})
"""
"""dynalite ends itself when a client is killed in the middle of a request."""
_START_S = 20.0


class AtomicMoto(ThreadedMotoServer):
    """moto that answers one request after the other: its own threads race between a condition and the write."""

    def start(self) -> None:
        super().start()
        assert self._server is not None
        application, turn = self._server.app, Lock()

        def one_at_a_time(environ: Any, start_response: Any) -> Iterable[bytes]:
            with turn:
                return application(environ, start_response)

        self._server.app = one_at_a_time


class AwsServers:
    """Servers that are started when they are needed first."""

    def __init__(self) -> None:
        self._moto: AtomicMoto | None = None
        self._moto_url = ""
        self._dynalite: subprocess.Popen[bytes] | None = None
        self._dynalite_url = ""

    def environment(self, kind: str) -> Mapping[str, str]:
        """What leads the AWS clients to an engine's servers: "s3", "dynamodb" (both on moto) or "dynalite"."""
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.moto(),
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynalite() if kind == "dynalite" else self.moto(),
        }

    def moto(self) -> str:
        """The address of moto, with an empty bucket."""
        if self._moto is None:
            logging.getLogger("werkzeug").setLevel(logging.WARNING)
            self._moto = AtomicMoto(ip_address="127.0.0.1", port=0, verbose=False)
            self._moto.start()
            host, port = self._moto.get_host_and_port()
            self._moto_url = f"http://{host}:{port}"
            keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
            client = boto3.client("s3", region_name=REGION, endpoint_url=self._moto_url, **keys)
            client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        return self._moto_url

    def dynalite(self) -> str:
        """The address of dynalite; skips the test where node or dynalite is not installed."""
        if self._dynalite is None:
            node = shutil.which("node")
            if node is None or not DYNALITE.exists():
                pytest.skip("dynalite is not installed: run npm ci")
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            address = ["--host", "127.0.0.1", "--port", str(port), "--createTableMs", "0"]
            command = [node, "-e", _SURVIVING.format(json.dumps(str(DYNALITE))), "dynalite", *address]
            self._dynalite = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            self._dynalite_url = f"http://127.0.0.1:{port}"
            _wait_for(port)
        return self._dynalite_url

    def stop(self) -> None:
        if self._moto is not None:
            self._moto.stop()
        if self._dynalite is not None:
            self._dynalite.terminate()
            self._dynalite.wait(timeout=_START_S)


async def new_engine(kind: str) -> Engine:
    """An engine with nothing in it, once the environment leads to its servers."""
    documents = f"s3://{BUCKET}/{uuid4().hex}/a%20prefix"
    if kind == "s3":
        return UrlEngine(documents)
    table = Table(region=REGION, name=f"mosaics-{uuid4().hex}")
    await create_table(table, ttl=kind != "dynalite")
    return TableEngine(table, documents)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("dynalite does not answer")
