"""MosaicJSON documents by href: whole files, and the tables of cogeo-mosaic's DynamoDB backend."""

import asyncio
from urllib.parse import urlsplit

from quadmosaic.catalog.cogeo_table import parse_url, read_table
from quadmosaic.catalog.documents import Files


async def read_mosaic_document(href: str, *, max_bytes: int, files: Files) -> bytes:
    """The document's bytes, gzipped or not, or those of a document made from a table's items.

    `href` is a path, file:///path, s3://bucket/key, http(s)://host/path or dynamodb://region/table:mosaic. Raises
    Invalid (field "source.href"), NotFound for a mosaic that no table has, TooLarge, Unavailable.
    """
    if urlsplit(href).scheme == "dynamodb":
        return await asyncio.to_thread(read_table, parse_url(href), max_bytes=max_bytes)
    return await files.read(href, max_bytes=max_bytes)
