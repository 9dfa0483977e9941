"""Logging: one line per event on standard error."""

import logging


def configure_logging(level: str) -> None:
    """Log at `level` and above; libraries that chatter only warn."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("rasterio", "httpx", "httpcore", "botocore", "urllib3"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
