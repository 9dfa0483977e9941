"""The command that serves a store over HTTP."""

import ipaddress
import sys
from typing import Annotated

import typer
import uvicorn

from quadmosaic import bootstrap
from quadmosaic.cli import options
from quadmosaic.cli.stores import settings_for
from quadmosaic.config import Settings
from quadmosaic.observability import configure_logging

Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", help="Port to listen on.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(store: options.Store = None, host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Serve the mosaics of a store: maps, tiles, OGC services.

    Example: `quadmosaic serve --store ./quadmosaic-data --port 8000`
    """
    settings = settings_for(store)
    print(f"quadmosaic serves {settings.store} at http://{host}:{port}/", file=sys.stderr)
    run(settings, host=host, port=port)


def run(settings: Settings, *, host: str, port: int) -> None:
    """Listen until interrupted."""
    configure_logging(settings.log_level)
    is_open = settings.tokens is None and is_loopback(host)
    print(_who_may_write(settings, host, is_open=is_open), file=sys.stderr)
    app = bootstrap.http_app(settings, metrics=True, open_writes=is_open)
    uvicorn.run(app, host=host, port=port, log_level=settings.log_level.lower(), access_log=False, proxy_headers=True)


def is_loopback(host: str) -> bool:
    """Does only this machine reach it?"""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _who_may_write(settings: Settings, host: str, *, is_open: bool) -> str:
    if settings.tokens is not None:
        return "mosaics are registered with a token (QUADMOSAIC_TOKENS)"
    if is_open:
        return "no tokens are configured: anyone on this machine may register and delete mosaics"
    return f"no tokens are configured (QUADMOSAIC_TOKENS) and {host} is not a loopback address: nothing can be written"
