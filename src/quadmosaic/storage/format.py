"""The store's format number: written with the first write, and a newer one refused."""

import msgspec

from quadmosaic.domain.errors import Broken
from quadmosaic.storage import locations
from quadmosaic.storage.bucket import Bucket
from quadmosaic.storage.records import FormatRecord

FORMAT = 1


class FormatMark:
    """Which layout the store has; a store without the mark is empty."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.seen = False

    async def readable(self) -> bool:
        """Is there anything to read? Raises Broken for a format newer than this code."""
        if not self.seen:
            body = await self._bucket.get(locations.FORMAT)
            if body is None:
                return False
            _check(body)
            self.seen = True
        return True

    async def ensure(self) -> None:
        """Mark the store as ours, unless it is marked already."""
        if not await self.readable():
            await self._bucket.create(locations.FORMAT, msgspec.json.encode(FormatRecord(FORMAT)))
            await self.readable()


def _check(body: bytes) -> None:
    try:
        found = msgspec.json.decode(body, type=FormatRecord).format
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"{locations.FORMAT} in the store is damaged") from error
    if found > FORMAT:
        raise Broken(
            f"the store has format {found}, and this quadmosaic reads up to {FORMAT}: upgrade quadmosaic to use it"
        )
