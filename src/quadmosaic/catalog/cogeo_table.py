"""Mosaics of cogeo-mosaic's DynamoDB backend: one item per quadkey, read into the document that they came from."""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from quadmosaic.domain.errors import Invalid, NotFound, TooLarge, Unavailable

_URL = re.compile(r"dynamodb://([a-z]{2}(?:-[a-z]+)+-[0-9])?/([a-zA-Z0-9_.-]+):([a-zA-Z0-9_.-]+)")
_METADATA = "-1"
_KEYS = ("mosaicId", "quadkey")
_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S, _ATTEMPTS = 3, 20, 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CogeoTable:
    """Where such a mosaic lies; without a region the environment's own is meant."""

    region: str | None
    table: str
    mosaic: str


def parse_url(href: str) -> CogeoTable:
    """`dynamodb://region/table:mosaic`. Raises Invalid (field "source.href")."""
    found = _URL.fullmatch(href)
    if found is None:
        raise Invalid(f"{href!r} is no mosaic of a table: write dynamodb://region/table:mosaic", field="source.href")
    return CogeoTable(*found.groups())


def read_table(place: CogeoTable, *, max_bytes: int) -> bytes:
    """The mosaic as a MosaicJSON document; blocks. Raises NotFound, TooLarge, Unavailable."""
    document: dict[str, Any] = {}
    tiles: dict[str, list[str]] = {}
    size = 0
    for item in _items(place):
        if item["quadkey"] == _METADATA:
            document |= {key: value for key, value in item.items() if key not in _KEYS and value is not None}
            continue
        assets = [str(asset) for asset in item.get("assets", [])]
        size += sum(len(asset) + 4 for asset in assets) + len(item["quadkey"]) + 8
        if size > max_bytes:
            raise TooLarge(f"mosaic {place.mosaic!r} in table {place.table!r} is larger than {max_bytes} bytes")
        tiles[str(item["quadkey"])] = assets
    if not document:
        raise NotFound(f"there is no mosaic {place.mosaic!r} in table {place.table!r}")
    return json.dumps({**document, "tiles": tiles}, default=_number).encode()


def _items(place: CogeoTable) -> Iterator[dict[str, Any]]:
    """Every item of the mosaic, page by page."""
    import boto3  # type: ignore[import-untyped]
    from boto3.dynamodb.conditions import Key  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    )
    try:
        table = boto3.resource("dynamodb", region_name=place.region, config=config).Table(place.table)
        start: dict[str, Any] = {}
        while True:
            page = table.query(KeyConditionExpression=Key("mosaicId").eq(place.mosaic), **start)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
            raise NotFound(f"there is no table {place.table!r}") from error
        _log.warning("dynamodb: %s", error)
        raise Unavailable(f"table {place.table!r} cannot be read; try again") from error
    except BotoCoreError as error:
        _log.warning("dynamodb: %s", error)
        raise Unavailable(f"table {place.table!r} is out of reach; try again") from error


def _number(value: object) -> int | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON")
