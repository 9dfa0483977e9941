"""The command that serves a store over HTTP."""

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
    app = bootstrap.http_app(settings, metrics=True)
    uvicorn.run(app, host=host, port=port, log_level=settings.log_level.lower(), access_log=False, proxy_headers=True)
