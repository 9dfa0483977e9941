"""The outside world, as settings describe it: a store, its ledger, a reader."""

import os
import secrets
import socket
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from quadmosaic.config import Settings
from quadmosaic.domain.access import AccessMode, BucketAccess
from quadmosaic.domain.allowlist import AllowList, parse_allow_list
from quadmosaic.ports import GranuleReader, Ledger, MosaicStore
from quadmosaic.services.access import Access
from quadmosaic.storage.ledger import TOKEN_BYTES, open_ledger
from quadmosaic.storage.objects import open_store

MEGABYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """Without a ledger nothing can be registered."""

    store: MosaicStore
    reader: GranuleReader
    ledger: Ledger | None = None


def adapters(settings: Settings, *, any_source: bool = True) -> Adapters:
    """A store, its ledger and a reader, which reads `any_source` or only what a service may."""
    return Adapters(ledger=ledger(settings), store=store(settings), reader=reader(settings, any_source=any_source))


def store(settings: Settings) -> MosaicStore:
    """The store of mosaics. Raises Invalid for field "store"."""
    return open_store(settings.store, head_ttl_s=settings.head_ttl_s, cache_bytes=settings.cache_mb * MEGABYTE)


def ledger(settings: Settings) -> Ledger:
    """The ledger beside the store. Raises Invalid for field "store"."""
    return open_ledger(settings.store, token=lambda: secrets.token_bytes(TOKEN_BYTES))


def reader(settings: Settings, *, any_source: bool) -> GranuleReader:
    """The reader of granules; GDAL and the codecs are imported only here."""
    from quadmosaic.reading.fast_reader import FastReader
    from quadmosaic.reading.rasterio_reader import RasterioReader

    buckets = bucket_access(settings)
    permits = None if any_source else access(settings).permits_address
    return FastReader(
        RasterioReader(
            buckets=buckets, max_reads=settings.max_reads, host_requests=settings.max_requests, permits=permits
        ),
        buckets=buckets,
        block_cache_bytes=settings.block_cache_mb * MEGABYTE,
        workers=workers(),
        host_requests=settings.max_requests,
        permits=permits,
    )


@cache
def workers() -> Executor:
    """The threads of this process that decode, draw, merge and encode: as many as there are processors."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="pixels")


def bucket_access(settings: Settings) -> dict[str, BucketAccess]:
    """How to reach each source bucket."""
    return {
        name: BucketAccess(region=bucket.region, mode=AccessMode(bucket.mode), endpoint=bucket.endpoint)
        for name, bucket in settings.buckets.items()
    }


def access(settings: Settings, *, any_source: bool = False) -> Access:
    """The gate of hrefs; `any_source` opens it to wherever the user of a command may read."""
    allow = AllowList(is_open=True) if any_source else parse_allow_list(settings.allowed_hosts)
    return Access(allow=allow, allow_private=settings.allow_private, resolve=_addresses, real_path=os.path.realpath)


def _addresses(host: str) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
