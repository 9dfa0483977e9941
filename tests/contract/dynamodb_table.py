"""Making the table of a store on local engines; on AWS the stack makes it."""

import asyncio

from quadmosaic.domain.errors import Unavailable
from quadmosaic.storage.dynamodb_client import EXPIRES, PARTITION, SORT, Table

_POLLS, _POLL_S = 240, 0.25


async def create_table(table: Table, *, ttl: bool = True) -> None:
    """A table paid per request, with `expires` as its time to live; some local engines have none."""
    keys = ((PARTITION, "HASH"), (SORT, "RANGE"))
    definition = {
        "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        "BillingMode": "PAY_PER_REQUEST",
    }
    await table.call("create_table", definition)
    await _until_active(table)
    if ttl:
        specification = {"Enabled": True, "AttributeName": EXPIRES}
        await table.call("update_time_to_live", {"TimeToLiveSpecification": specification})


async def _until_active(table: Table) -> None:
    for _ in range(_POLLS):
        answer = await table.call("describe_table", {})
        if answer["Table"]["TableStatus"] == "ACTIVE":
            return
        await asyncio.sleep(_POLL_S)
    raise Unavailable(f"table {table.name!r} does not become active")
