"""Clients of AWS's services: made late, since boto3 takes a third of a second to import, and patient for seconds."""

from threading import Lock
from typing import Any

CONNECT_TIMEOUT_S, READ_TIMEOUT_S, ATTEMPTS = 3, 10, 3
"""boto3's own would wait for a minute, twice as long as a function that answers requests may run."""
_making = Lock()
"""boto3's one session, which spares the second client the parsing of a service's model, is not safe for threads."""


def aws_client(
    service: str, *, region: str | None = None, endpoint: str | None = None, connections: int | None = None
) -> Any:
    """What is not said here is said by the AWS SDKs' own environment variables and files, which boto3 reads."""
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        tcp_keepalive=True,
        **({} if connections is None else {"max_pool_connections": connections}),
    )
    with _making:
        return boto3.client(service, region_name=region, endpoint_url=endpoint, config=config)
