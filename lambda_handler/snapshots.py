"""SnapStart: what a function does before Lambda takes its snapshot, and after it was restored, perhaps many times.

Elsewhere the hooks are never called.
"""

import gc
import os
import random
import ssl
from pathlib import Path
from tempfile import gettempdir

from quadmosaic.bootstrap import Served

TOKEN, TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
ENTROPY_BYTES = 64


def prepare(served: Served) -> None:
    """Make the clients now, while the function is initialised, and register the hooks."""
    _offer_token_as_file()
    served.connect()
    try:
        from snapshot_restore_py import (  # type: ignore[import-untyped]
            register_after_restore,
            register_before_snapshot,
        )
    except ImportError:
        # Part of Lambda's runtime, so missing wherever else the module is imported.
        return

    @register_before_snapshot  # type: ignore[untyped-decorator]
    def before_snapshot() -> None:
        served.warm()
        served.disconnect()
        gc.collect()
        gc.freeze()

    @register_after_restore  # type: ignore[untyped-decorator]
    def after_restore() -> None:
        """All copies of a snapshot would otherwise draw the same numbers, and use connections that are gone."""
        random.seed()
        ssl.RAND_add(os.urandom(ENTROPY_BYTES), ENTROPY_BYTES)
        served.disconnect()
        served.connect()


def _offer_token_as_file() -> None:
    """With SnapStart a function has its credentials from an address, for which boto3 takes the token from the variable,
    and obstore and GDAL only from a file.
    """
    token = os.environ.get(TOKEN)
    if token is None or TOKEN_FILE in os.environ:
        return
    path = Path(gettempdir()) / "quadmosaic-credentials-token"
    path.touch(mode=0o600)
    path.write_text(token)
    os.environ[TOKEN_FILE] = str(path)
