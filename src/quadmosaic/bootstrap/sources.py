"""What reads sources: builders over catalogs, whose libraries are imported only when one is wanted."""

import time
from collections.abc import Callable
from functools import partial

from quadmosaic.bootstrap.outside import bucket_access
from quadmosaic.config import Settings
from quadmosaic.domain.mosaicjson import MAX_BYTES
from quadmosaic.ports import Catalog, GranuleReader
from quadmosaic.services.access import Access, GuardedReader
from quadmosaic.services.builds import Builder


def builder(reader: GranuleReader, settings: Settings | None = None) -> Builder:
    """What builds mosaics from sources, wherever they are; the settings say how buckets are read."""
    from quadmosaic.catalog.documents import Files
    from quadmosaic.catalog.sources import SourceCatalog
    from quadmosaic.catalog.stac_http import StacHttp

    buckets = {} if settings is None else bucket_access(settings)
    catalog: Catalog = SourceCatalog(scan=reader.scan, files=Files(http=StacHttp(), buckets=buckets, any_bucket=True))
    return Builder(catalog=catalog, reader=reader)


def guarded_builder(
    settings: Settings, reader: GranuleReader, access: Access, *, sleep: Callable[[float], None] = time.sleep
) -> Builder:
    """A builder that fetches nothing which the access does not permit; `sleep` waits between two tries."""
    from quadmosaic.catalog.documents import Files
    from quadmosaic.catalog.sources import SourceCatalog
    from quadmosaic.catalog.stac import StacHttp

    permit = partial(access.permit, field="source.href")
    http = StacHttp(permit=permit, permits_address=access.permits_address, sleep=sleep)
    guarded = GuardedReader(reader=reader, access=access)
    catalog = SourceCatalog(
        scan=guarded.scan,
        http=http,
        allowed=lambda href: access.allow.refusal(href) is None,
        files=Files(http=http, buckets=bucket_access(settings)),
    )
    return Builder(catalog=catalog, reader=guarded)


async def mosaic_document(settings: Settings, href: str) -> bytes:
    """A MosaicJSON document's bytes from wherever the person at the command line says."""
    from quadmosaic.catalog.documents import Files
    from quadmosaic.catalog.mosaic_documents import read_mosaic_document
    from quadmosaic.catalog.stac_http import StacHttp

    files = Files(http=StacHttp(), buckets=bucket_access(settings), any_bucket=True)
    return await read_mosaic_document(href, max_bytes=MAX_BYTES, files=files)
