"""The environment of functions: the service's own settings, with the names that the stack gave."""

import json
from dataclasses import asdict

from aws_cdk import Stack

from infrastructure.options import Options
from infrastructure.storage import DOCUMENTS, Storage


def store_settings(stack: Stack, storage: Storage, options: Options) -> dict[str, str]:
    """What every function is told."""
    table, bucket = storage.table.table_name, storage.bucket.bucket_name
    return {
        "QUADMOSAIC_STORE": f"dynamodb://{stack.region}/{table}?documents=s3://{bucket}/{DOCUMENTS}",
        "QUADMOSAIC_LOG_LEVEL": options.log_level,
    }


def source_settings(options: Options) -> dict[str, str]:
    """Where granules lie, and how they are reached."""
    buckets = {name: asdict(bucket) for name, bucket in sorted(options.buckets.items())}
    return {
        "QUADMOSAIC_BUCKETS": json.dumps(buckets, separators=(",", ":")),
        "QUADMOSAIC_ALLOWED_HOSTS": ",".join(options.allowed_hosts),
    }


def http_settings(options: Options, public_url: str | None) -> dict[str, str]:
    """What functions behind the HTTP API are told: who may use them, and the address that they give out."""
    settings = {"QUADMOSAIC_CORS_ORIGINS": ",".join(options.cors_origins)}
    return settings | ({"QUADMOSAIC_PUBLIC_URL": public_url} if public_url else {})
