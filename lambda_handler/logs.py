"""Logs of the functions: structured where Lambda's log format is JSON, each record with the ids of its request.

Lambda's runtime formats the records, and adds what `extra` holds and its own id of the request; what it lacks are the
level and API Gateway's id.
"""

import logging

from lambda_handler.invocations import api_request

CHATTY = ("boto3", "botocore", "mangum", "rasterio", "urllib3")


def configure(level: str) -> None:
    """Log at `level` and above, libraries that chatter from warnings on."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for handler in root.handlers:
        handler.addFilter(_identify)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _identify(record: logging.LogRecord) -> bool:
    known = api_request()
    if known is not None:
        record.apiRequestId = known
    return True
