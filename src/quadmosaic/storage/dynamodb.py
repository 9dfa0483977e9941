"""A bucket on a DynamoDB table: an object is an item, and one too large for an item lies in the documents bucket."""

import re
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from itertools import batched
from typing import Any

from quadmosaic.storage.bucket import Bucket, Entry
from quadmosaic.storage.codec import digest
from quadmosaic.storage.dynamodb_client import PARTITION, SORT, ConditionFailed, Item, Table
from quadmosaic.storage.dynamodb_keys import Key, Range, key_of, path_of, ranges_of
from quadmosaic.storage.waves import in_waves

BODY, DOCUMENT, MODIFIED = "body", "document", "modified"

ITEM_BYTES = 350_000
"""Larger objects go to the documents: an item may have 400 KB, its key and attributes included."""
_WRITES = 25
_WIDTH = 4
_BEHIND_DIGITS = ":"
_DIGEST = re.compile(r"[0-9a-f]{32}")
_PART = re.compile(r"[^.]+\.[^.]*\.[0-9a-f]{32}")
_ABSENT = "attribute_not_exists(#pk)"


class TableBucket:
    """Implements `bucket.Bucket`."""

    per_call = 100

    def __init__(self, table: Table, *, documents: Bucket, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._documents = documents
        self._clock = clock

    async def get(self, path: str) -> bytes | None:
        answer = await self._table.call("get_item", {"Key": _plain(key_of(path)), "ConsistentRead": True})
        return await self._body(answer.get("Item"), path)

    async def get_many(self, paths: Sequence[str]) -> list[bytes | None]:
        """Half the price where an older copy will do: an object that is there never changes."""
        found = await self._read(paths, consistent=False)
        missing = [path for path in paths if path not in found]
        if missing:
            found |= await self._read(missing, consistent=True)
        return [found.get(path) for path in paths]

    async def create(self, path: str, body: bytes) -> bool:
        item = await self._item(path, body)
        condition = {"ConditionExpression": _ABSENT, "ExpressionAttributeNames": {"#pk": PARTITION}}
        try:
            await self._table.call("put_item", {"Item": item, **condition})
        except ConditionFailed:
            return False
        return True

    async def put_all(self, bodies: Mapping[str, bytes]) -> None:
        items = await in_waves(lambda object_: self._item(*object_), bodies.items(), width=_WIDTH)
        await self._write([{"PutRequest": {"Item": item}} for item in items])

    async def missing(self, paths: Collection[str]) -> set[str]:
        keys = [_plain(key_of(path)) for path in dict.fromkeys(paths)]
        found = await in_waves(self._keys, batched(keys, self.per_call), width=_WIDTH)
        return set(paths) - {path for some in found for path in some}

    async def entries(self, folder: str, *, after: str | None = None) -> AsyncIterator[Entry]:
        for range_ in ranges_of(folder):
            async for item in self._query(range_, after=after):
                key = Key(item[PARTITION]["S"], item[SORT]["S"])
                yield Entry(path_of(key), float(item[MODIFIED]["N"]))

    async def last(self, folder: str, *, after: str | None = None) -> tuple[str, bytes] | None:
        low = "0" if after is None else key_of(after).sort
        values = {":pk": {"S": folder}, ":low": {"S": low}, ":high": {"S": _BEHIND_DIGITS}}
        query = {
            "KeyConditionExpression": "#pk = :pk AND #sk BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#pk": PARTITION, "#sk": SORT},
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
            "ScanIndexForward": False,
            "Limit": 1,
        }
        for item in (await self._table.call("query", query))["Items"]:
            path = path_of(Key(item[PARTITION]["S"], item[SORT]["S"]))
            body = await self._body(item, path)
            return None if body is None or path == after else (path, body)
        return None

    async def remove(self, paths: Sequence[str]) -> None:
        """Documents first: what is left of a removal that was killed is an item, which the next one finds."""
        keys = [_plain(key_of(path)) for path in dict.fromkeys(paths)]
        named = await in_waves(self._documents_of, batched(keys, self.per_call), width=_WIDTH)
        await self._documents.remove([document for some in named for document in some])
        await self._write([{"DeleteRequest": {"Key": key}} for key in keys])

    async def tidy(self, before: float) -> int:
        """Documents whose writer was killed before it wrote the item that names them."""
        old = [each.path async for each in self._documents.entries("") if each.modified < before]
        named = await in_waves(self._is_named, old, width=_WIDTH)
        orphans = [path for path, is_named in zip(old, named, strict=True) if not is_named]
        await self._documents.remove(orphans)
        return len(orphans) + await self._documents.tidy(before)

    async def _documents_of(self, keys: Sequence[Item]) -> list[str]:
        items = await self._table.read_batch(keys, consistent=True, only=(PARTITION, SORT, DOCUMENT))
        return [_document(path_of(Key(i[PARTITION]["S"], i[SORT]["S"])), i) for i in items if DOCUMENT in i]

    async def _is_named(self, document: str) -> bool:
        path = _path_of_document(document)
        key = {"Key": _plain(key_of(path)), "ConsistentRead": True, "ProjectionExpression": DOCUMENT}
        item = (await self._table.call("get_item", key)).get("Item") or {}
        return DOCUMENT in item and _document(path, item) == document

    def connect(self) -> None:
        self._table.connect()
        self._documents.connect()

    def disconnect(self) -> None:
        self._table.disconnect()
        self._documents.disconnect()

    async def _keys(self, keys: Sequence[Item]) -> list[str]:
        items = await self._table.read_batch(keys, consistent=True, only=(PARTITION, SORT))
        return [path_of(Key(item[PARTITION]["S"], item[SORT]["S"])) for item in items]

    async def _read(self, paths: Sequence[str], *, consistent: bool) -> dict[str, bytes]:
        items = await self._table.read_batch(
            [_plain(key_of(path)) for path in dict.fromkeys(paths)], consistent=consistent
        )
        by_path = {path_of(Key(item[PARTITION]["S"], item[SORT]["S"])): item for item in items}
        bodies = await in_waves(lambda found: self._body(found[1], found[0]), by_path.items(), width=_WIDTH)
        return {path: body for path, body in zip(by_path, bodies, strict=True) if body is not None}

    async def _body(self, item: Item | None, path: str) -> bytes | None:
        if item is None:
            return None
        return await self._documents.get(_document(path, item)) if DOCUMENT in item else bytes(item[BODY]["B"])

    async def _item(self, path: str, body: bytes) -> Item:
        """The item of an object; a large one is in the documents already, under a name of its own content.

        So whoever is killed before the item is written leaves nothing that another writer of the path could meet.
        """
        item: Item = _plain(key_of(path)) | {MODIFIED: {"N": str(int(self._clock() * 1000) / 1000)}}
        if len(body) <= ITEM_BYTES:
            return item | {BODY: {"B": body}}
        item |= {DOCUMENT: {"S": digest(body).hex()}}
        await self._documents.create(_document(path, item), body)
        return item

    async def _query(self, range_: Range, *, after: str | None) -> AsyncIterator[Item]:
        query: dict[str, Any] = _condition(range_, after=after) | {"ConsistentRead": True}
        query["ExpressionAttributeNames"] |= {"#sk": SORT, "#modified": MODIFIED}
        query["ProjectionExpression"] = "#pk, #sk, #modified"
        while True:
            answer = await self._table.call("query", query)
            for item in answer["Items"]:
                yield item
            if not answer.get("LastEvaluatedKey"):
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _write(self, requests: Sequence[Item]) -> None:
        await in_waves(self._table.write_batch, batched(requests, _WRITES), width=_WIDTH)


def _condition(range_: Range, *, after: str | None) -> dict[str, Any]:
    values: Item = {":pk": {"S": range_.partition}}
    names = {"#pk": PARTITION, "#sk": SORT}
    condition = "#pk = :pk"
    if after is not None:
        condition += " AND #sk > :sk"
        values[":sk"] = {"S": key_of(after).sort}
    elif range_.prefix:
        condition += " AND begins_with(#sk, :sk)"
        values[":sk"] = {"S": range_.prefix}
    else:
        del names["#sk"]
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ExpressionAttributeNames": names,
    }


def _document(path: str, item: Item) -> str:
    """Where the content lies; the first versions of this store wrote its size and called it as the item."""
    named = item[DOCUMENT].get("S")
    return path if named is None else f"{path}.{named}"


def _path_of_document(document: str) -> str:
    path, _, name = document.rpartition(".")
    # A part's own name ends with a digest too: "cells.{prefix}.{digest}", and its document has another one behind.
    return path if _DIGEST.fullmatch(name) and not _is_part(document) else document


def _is_part(path: str) -> bool:
    return _PART.fullmatch(path.rpartition("/")[2]) is not None


def _plain(key: Key) -> Item:
    return {PARTITION: {"S": key.partition}, SORT: {"S": key.sort}}
