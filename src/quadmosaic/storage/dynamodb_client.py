"""One DynamoDB table over boto3: a client made once and late, blocking calls in threads, errors translated."""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from quadmosaic.aws import aws_client
from quadmosaic.domain.errors import Unavailable

type Item = dict[str, Any]

PARTITION, SORT = "pk", "sk"
EXPIRES = "expires"
"""Of tables, the attribute that says until when an item is kept; reserved, for no item has one so far."""

_THREADS = 16
_ROUNDS = 6
"""Attempts at what a batch left unprocessed."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
    }
)
_log = logging.getLogger(__name__)


class ConditionFailed(Exception):
    """The condition of a write did not hold."""


class Table:
    """Calls on one table. Raises Unavailable when it cannot be reached, is throttled for long, or does not exist."""

    def __init__(self, *, region: str, name: str) -> None:
        self.region = region
        self.name = name
        self._client: Any = None
        self._threads: ThreadPoolExecutor | None = None
        self._making = Lock()

    async def call(self, operation: str, parameters: Mapping[str, Any]) -> Item:
        """One operation of the client, by its boto3 name. Raises ConditionFailed."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor(), self._call, operation, parameters)

    async def read_batch(self, keys: Sequence[Item], *, consistent: bool, only: Sequence[str] = ()) -> list[Item]:
        """The items that exist among at most 100 keys, in any order; asks again for what was left unprocessed.

        `only` names the attributes that are wanted, if not all are.
        """
        found: list[Item] = []
        projection = {"ProjectionExpression": ", ".join(only)} if only else {}
        asked: Item = {self.name: {"Keys": list(keys), "ConsistentRead": consistent, **projection}}
        for round_ in range(_ROUNDS):
            answer = await self.call("batch_get_item", {"RequestItems": asked})
            items = answer["Responses"].get(self.name, [])
            found += items
            asked = answer.get("UnprocessedKeys") or {}
            if not asked:
                return found
            # A reply stops at 16 MB too, and then there is nothing to wait for.
            await _pause(0 if items else round_)
        raise _overloaded()

    async def write_batch(self, requests: Sequence[Item]) -> None:
        """At most 25 puts and deletions, in any order; asks again for what was left unprocessed."""
        asked: Item = {self.name: list(requests)}
        for round_ in range(_ROUNDS):
            answer = await self.call("batch_write_item", {"RequestItems": asked})
            asked = answer.get("UnprocessedItems") or {}
            if not asked:
                return
            await _pause(round_)
        raise _overloaded()

    def connect(self) -> None:
        """Make the client, which takes boto3 some hundred milliseconds."""
        self._made()

    def disconnect(self) -> None:
        """Close the connections; the client, its next call makes new ones, stays."""
        if self._client is not None:
            self._client.close()

    def _executor(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="dynamodb")
        return self._threads

    def _call(self, operation: str, parameters: Mapping[str, Any]) -> Item:
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        given = parameters if operation.startswith("batch_") else {"TableName": self.name, **parameters}
        try:
            answer: Item = getattr(self._made(), operation)(**given)
        except ClientError as error:
            raise _translated(error.response.get("Error", {}).get("Code", ""), error, self) from error
        except BotoCoreError as error:
            _log.warning("dynamodb %s: %s", operation, error)
            raise Unavailable("the store is out of reach; try again") from error
        return answer

    def _made(self) -> Any:
        with self._making:
            if self._client is None:
                self._client = aws_client("dynamodb", region=self.region, connections=_THREADS)
            return self._client


def _translated(code: str, error: Exception, table: Table) -> Exception:
    if code == "ConditionalCheckFailedException":
        return ConditionFailed()
    _log.warning("dynamodb: %s", error)
    if code in _THROTTLED:
        return _overloaded()
    if code == "ResourceNotFoundException":
        return Unavailable(f"there is no table {table.name!r} in {table.region}; create it first", retry_after=60)
    return Unavailable("the store is out of reach; try again")


def _overloaded() -> Unavailable:
    return Unavailable("the store is throttled; try again", retry_after=10)


async def _pause(round_: int) -> None:
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**round_)
    await asyncio.sleep(random.uniform(0, longest))
