"""The `quadmosaic` command."""

import sys

import typer

from quadmosaic.cli import cost, create, demo, registry, serve, stores
from quadmosaic.domain.errors import Invalid, QuadmosaicError

app = typer.Typer(
    name="quadmosaic",
    help="Mosaics of planetary imagery: build them from COGs, store them as versions, serve them as maps.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
)
for commands in (demo, serve, create, stores, registry, cost):
    commands.register(app)

WRONG_INPUT, FAILED = 2, 1


def main() -> None:
    """Run a command; what is wrong is said in one line, exit code 2 for wrong input and 1 for anything else."""
    try:
        app()
    except QuadmosaicError as error:
        print(f"quadmosaic: {error}", file=sys.stderr)
        sys.exit(WRONG_INPUT if isinstance(error, Invalid) else FAILED)
    except OSError as error:
        print(f"quadmosaic: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        sys.exit(FAILED)
