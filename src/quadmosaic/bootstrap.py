"""The one place where settings choose adapters and everything is put together."""

import os
import secrets
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI

from quadmosaic.api.app import create_app
from quadmosaic.api.services import Services
from quadmosaic.api.viewer_assets import check_vendor
from quadmosaic.api.writes import Writes
from quadmosaic.config import Settings
from quadmosaic.domain.access import AccessMode, BucketAccess
from quadmosaic.domain.allowlist import AllowList, parse_allow_list
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.mosaicjson import MAX_BYTES
from quadmosaic.domain.tokens import Token, parse_tokens
from quadmosaic.ports import Catalog, GranuleReader, Ledger, MosaicStore, Queue, Scheduler
from quadmosaic.reading.fast_reader import FastReader
from quadmosaic.reading.rasterio_reader import RasterioReader
from quadmosaic.services.access import Access, GuardedReader
from quadmosaic.services.builds import Builder
from quadmosaic.services.images import Images
from quadmosaic.services.jobs import Jobs
from quadmosaic.services.mosaics import Mosaics
from quadmosaic.services.points import Points
from quadmosaic.services.publishing import Publishing
from quadmosaic.services.rebuilds import Rebuilds
from quadmosaic.services.registry import Registry
from quadmosaic.services.scheduling import Scheduling
from quadmosaic.services.steps import Steps
from quadmosaic.services.stretch import Stretches
from quadmosaic.services.worker import Outcome, Worker
from quadmosaic.storage.ledger import TOKEN_BYTES, open_ledger
from quadmosaic.storage.objects import open_store
from quadmosaic.triggers.aws import EventBridgeScheduler, SqsQueue, read_secret
from quadmosaic.triggers.local import LocalQueue, LocalScheduler

MEGABYTE = 1 << 20
LEASE_S = 30.0
RETRY_S, TICK_S = 1.0, 10.0


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """The outside world, as settings describe it; without a ledger nothing can be registered."""

    store: MosaicStore
    reader: GranuleReader
    ledger: Ledger | None = None


def adapters(settings: Settings) -> Adapters:
    """A store, its ledger and a reader."""
    buckets = _buckets(settings)
    return Adapters(
        ledger=open_ledger(settings.store, token=lambda: secrets.token_bytes(TOKEN_BYTES)),
        store=open_store(settings.store, head_ttl_s=settings.head_ttl_s, cache_bytes=settings.cache_mb * MEGABYTE),
        reader=FastReader(
            RasterioReader(buckets=buckets, max_reads=settings.max_reads),
            buckets=buckets,
            block_cache_bytes=settings.block_cache_mb * MEGABYTE,
        ),
    )


def builder(reader: GranuleReader) -> Builder:
    """What builds mosaics from sources; the catalog's libraries are imported only here."""
    from quadmosaic.catalog.sources import SourceCatalog

    catalog: Catalog = SourceCatalog(scan=reader.scan)
    return Builder(catalog=catalog, reader=reader)


async def mosaic_document(settings: Settings, href: str) -> bytes:
    """A MosaicJSON document's bytes from wherever the person at the command line says."""
    from quadmosaic.catalog.mosaic_documents import DocumentAccess, read_mosaic_document

    access = DocumentAccess(buckets=_buckets(settings))
    return await read_mosaic_document(href, max_bytes=MAX_BYTES, access=access)


def _buckets(settings: Settings) -> dict[str, BucketAccess]:
    return {
        name: BucketAccess(region=bucket.region, mode=AccessMode(bucket.mode), endpoint=bucket.endpoint)
        for name, bucket in settings.buckets.items()
    }


@dataclass(frozen=True, kw_only=True)
class Building:
    """All that builds: the registry over it, the worker under it, and what starts it."""

    registry: Registry
    rebuilds: Rebuilds
    worker: Worker
    scheduling: Scheduling


def building(
    settings: Settings,
    outside: Adapters,
    *,
    queue: Queue,
    scheduler: Scheduler | None = None,
    any_source: bool = False,
    wait_s: float | None = None,
    lease_s: float = LEASE_S,
) -> Building:
    """`any_source` lets sources be wherever the user of a command may read. Raises Invalid without a ledger."""
    if outside.ledger is None:
        raise Invalid("has no ledger", field="store")
    jobs = Jobs(ledger=outside.ledger)
    access = _access(settings, any_source=any_source)
    publishing = Publishing(jobs=jobs, store=outside.store)
    steps = Steps(
        jobs=jobs,
        builder=_guarded_builder(settings, outside.reader, access),
        access=access,
        store=outside.store,
        most_granules=settings.max_items,
        most_cells=settings.max_cells,
        stale=lambda: outside.reader.replaced if isinstance(outside.reader, FastReader) else (),
    )
    rebuilds = Rebuilds(
        jobs=jobs,
        publishing=publishing,
        queue=queue,
        access=access,
        wait_s=settings.build_wait_s if wait_s is None else wait_s,
    )
    registry = Registry(
        jobs=jobs,
        store=outside.store,
        steps=steps,
        rebuilds=rebuilds,
        scheduler=scheduler or _scheduler(settings),
        access=access,
    )
    worker = Worker(jobs=jobs, steps=steps, publishing=publishing, token=lambda: secrets.token_hex(8), lease_s=lease_s)
    return Building(
        registry=registry, rebuilds=rebuilds, worker=worker, scheduling=Scheduling(jobs=jobs, rebuilds=rebuilds)
    )


def sqs_queue(settings: Settings) -> Queue:
    """The queue of builds on AWS. Raises Invalid (field "QUEUE_URL") where none is named."""
    if settings.queue_url is None:
        raise Invalid("is needed where builds run in a process of their own", field="QUEUE_URL")
    return SqsQueue(url=settings.queue_url)


def write_tokens(settings: Settings) -> tuple[Token, ...]:
    """Those of the settings, or of the secret they name. Raises Invalid (field "TOKENS")."""
    text = "" if settings.tokens is None else settings.tokens.get_secret_value().strip()
    if not text:
        return ()
    return parse_tokens(read_secret(text) if text.startswith("arn:") else text)


def _scheduler(settings: Settings) -> Scheduler:
    if settings.schedules is None:
        return LocalScheduler()
    parts = [part.strip() for part in settings.schedules.split(",")]
    if len(parts) != 3 or not all(parts):
        raise Invalid("must be group,target ARN,role ARN", field="SCHEDULES")
    group, target, role = parts
    return EventBridgeScheduler(group=group, target=target, role=role)


def _access(settings: Settings, *, any_source: bool) -> Access:
    allow = AllowList(is_open=True) if any_source else parse_allow_list(settings.allowed_hosts)
    return Access(allow=allow, allow_private=settings.allow_private, resolve=_addresses, real_path=os.path.realpath)


def _addresses(host: str) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def _guarded_builder(settings: Settings, reader: GranuleReader, access: Access) -> Builder:
    """A builder that fetches nothing which the access does not permit."""
    from quadmosaic.catalog.documents import Files
    from quadmosaic.catalog.sources import SourceCatalog
    from quadmosaic.catalog.stac import StacHttp
    from quadmosaic.catalog.stac_http import Session

    http = StacHttp(permit=partial(access.permit, field="source.href"), permits_address=access.permits_address)
    guarded = GuardedReader(reader=reader, access=access, follow=lambda href: Session(http=http).final_address(href))
    catalog = SourceCatalog(
        scan=guarded.scan,
        http=http,
        allowed=lambda href: access.allow.refusal(href) is None,
        files=Files(http=http, buckets=_buckets(settings)),
    )
    return Builder(catalog=catalog, reader=guarded)


def services(settings: Settings, outside: Adapters, writes: Writes | None = None) -> Services:
    """The use cases of the HTTP service."""
    stretches = Stretches(store=outside.store, reader=outside.reader)
    return Services(
        store=outside.store,
        mosaics=Mosaics(store=outside.store),
        images=Images(
            store=outside.store, reader=outside.reader, stretches=stretches, deadline_s=settings.tile_deadline_s
        ),
        points=Points(
            store=outside.store,
            reader=outside.reader,
            max_granules=settings.max_granules,
            deadline_s=settings.tile_deadline_s,
        ),
        max_granules=settings.max_granules,
        viewer_assets=settings.viewer_assets,
        writes=writes,
    )


def http_app(
    settings: Settings,
    *,
    metrics: bool,
    outside: Adapters | None = None,
    open_writes: bool = False,
    any_source: bool = False,
) -> FastAPI:
    """The HTTP service. Raises Invalid (field "VIEWER_ASSETS") for a folder that lacks the viewer's libraries.

    `open_writes` lets this machine write where no tokens are configured; `any_source` is for commands.
    """
    if settings.viewer_assets is not None:
        check_vendor(Path(settings.viewer_assets))
    outside = outside or adapters(settings)
    writes, lifespan = None, None
    if outside.ledger is not None:
        local = LocalQueue() if settings.queue_url is None else None
        wait_s = 0.0 if local is None else None
        built = building(settings, outside, queue=local or sqs_queue(settings), any_source=any_source, wait_s=wait_s)
        writes = Writes(
            registry=built.registry, rebuilds=built.rebuilds, tokens=write_tokens(settings), is_open=open_writes
        )
        lifespan = None if local is None else partial(_working, local, built)
    return create_app(
        services(settings, outside, writes),
        version=version("quadmosaic"),
        cors_origins=settings.cors_origins,
        metrics=metrics,
        max_body_bytes=settings.max_body_mb * MEGABYTE,
        lifespan=lifespan,
    )


@asynccontextmanager
async def _working(queue: LocalQueue, built: Building, _: FastAPI) -> AsyncGenerator[None]:
    """Builds and schedules beside the service, from what an earlier process left."""

    async def work(mosaic: str, build_id: str) -> float | None:
        outcome = await built.worker.run(mosaic, build_id)
        match outcome:
            case Outcome.DONE:
                return None
            case Outcome.AGAIN:
                return RETRY_S
            case Outcome.BUSY:
                return built.worker.lease_s / 2

    async def tick() -> None:
        await built.scheduling.start_due()
        await built.scheduling.resume()

    queue.start(work, tick=tick, every_s=TICK_S)
    try:
        yield
    finally:
        await queue.stop()
