"""Real STAC API servers on this machine, in environments of their own: stac-fastapi-pgstac on PostGIS, and rustac."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PGSTAC, STAC_FASTAPI, UVICORN = "pypgstac[psycopg]==0.10.0", "stac-fastapi-pgstac==7.2.0", "uvicorn==0.54.0"
RUSTAC = "rustac==0.9.18"
POSTGRES = Path("/usr/lib/postgresql")
OWNER = "postgres"
START_S = 120.0
_LOAD = """
import sys
from pypgstac.pypgstac import PgstacCLI
dsn, collection, items = sys.argv[1:]
pgstac = PgstacCLI(dsn=dsn)
pgstac.migrate()
pgstac.load("collections", file=collection, method="insert")
pgstac.load("items", file=items, method="insert")
"""
"""What `pypgstac migrate` and `pypgstac load` do, in one process."""


class Missing(Exception):
    """A program that the system lacks."""


@contextmanager
def pgstac(collection: Path, items: Path) -> Iterator[str]:
    """The address of a stac-fastapi-pgstac that holds the items, on a PostgreSQL of its own. Raises Missing."""
    with _postgres() as port:
        dsn = f"postgresql://{OWNER}@127.0.0.1:{port}/{OWNER}"
        with tempfile.TemporaryDirectory() as folder:
            lines = Path(folder, "items.ndjson")
            lines.write_text("\n".join(json.dumps(item) for item in json.loads(items.read_text())["features"]))
            _run([*_uv(PGSTAC), "python", "-c", _LOAD, dsn, str(collection), str(lines)])
        web = free_port()
        environment = {
            "PGUSER": OWNER, "PGPASSWORD": "none", "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGDATABASE": OWNER,
        }  # fmt: skip
        command = ["uvicorn", "stac_fastapi.pgstac.app:create_app", "--factory", "--port", str(web)]
        with _running([*_uv(STAC_FASTAPI, UVICORN), *command], f"http://127.0.0.1:{web}/", environment) as href:
            yield href


@contextmanager
def rustac(collection: Path, items: Path) -> Iterator[str]:
    """The address of a `rustac serve` that holds the items in memory. Raises Missing."""
    port = free_port()
    command = ["rustac", "serve", str(collection), str(items), "--addr", f"127.0.0.1:{port}"]
    with _running([*_uv(RUSTAC), *command], f"http://127.0.0.1:{port}/", {}) as href:
        yield href


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(href: str, process: subprocess.Popen[bytes]) -> None:
    """Return once the address answers. Raises RuntimeError where the process ends, or never does."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(href, timeout=5):
                return
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.05)
    raise RuntimeError(f"nothing answers at {href}")


def _uv(*requirements: str) -> list[str]:
    """What runs a command with these packages and none of ours."""
    if shutil.which("uv") is None:
        raise Missing("uv is not installed")
    told = [part for requirement in requirements for part in ("--with", requirement)]
    return ["uv", "run", "--quiet", "--isolated", "--no-project", *told, "--"]


@contextmanager
def _postgres() -> Iterator[int]:
    """The port of a PostgreSQL with PostGIS, whose data are gone afterwards. It refuses to run as root."""
    programs = next(
        (path / "bin" for path in sorted(POSTGRES.glob("*"), reverse=True) if (path / "bin").is_dir()), None
    )
    if programs is None or not list(Path("/usr/share/postgresql").glob("*/extension/postgis.control")):
        raise Missing("PostgreSQL with PostGIS is not installed: postgresql-15 postgresql-15-postgis-3")
    folder = Path(tempfile.mkdtemp(prefix="pgstac-"))
    data, port = folder / "data", free_port()
    as_owner: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER)
        as_owner = ["runuser", "-u", OWNER, "--"]
    control = [*as_owner, str(programs / "pg_ctl"), "--pgdata", str(data), "--wait", "--silent"]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    try:
        _run(
            [*as_owner, str(programs / "initdb"), "--pgdata", str(data), "--auth", "trust", "--username", OWNER,
             "--encoding", "UTF8", "--no-sync"]
        )  # fmt: skip
        _run([*control, "--options", options, "--log", str(folder / "log"), "start"])
        try:
            yield port
        finally:
            _run([*control, "--mode", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(command: list[str], href: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The address, once the command answers there; the process is ended afterwards."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log, cwd="/")
        try:
            wait_for(href, process)
            yield href
        finally:
            process.terminate()
            process.wait(30)


def _run(command: list[str]) -> None:
    # pg_ctl's server inherits what it is given, and would keep a pipe open.
    with tempfile.TemporaryFile() as log:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", check=False)
        if ended.returncode:
            log.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {log.read().decode(errors='replace')[-2000:]}")
