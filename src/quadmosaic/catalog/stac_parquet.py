"""STAC GeoParquet: items in the rows of a table, read a batch at a time.

pyarrow is large and needed for this alone, so it is imported by the first table and is an extra of the package.
Source: https://github.com/stac-utils/stac-geoparquet/blob/main/spec/stac-geoparquet-spec.md
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate, islice
from typing import IO, Any, cast

import shapely
import shapely.geometry

from quadmosaic.catalog.stac import PAGE_SIZE, ItemPage
from quadmosaic.catalog.stac_static import check_search, matches
from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.granules import JsonObject
from quadmosaic.domain.sources import StacSource

_TOP = ("type", "stac_version", "stac_extensions", "id", "bbox", "links", "collection", "assets", "geometry")


def parquet_pages(source: StacSource, file: IO[bytes], after: JsonObject | None) -> Iterator[ItemPage]:
    """The items of a table, in its order; a cursor counts its rows."""
    check_search(source)
    cursor: JsonObject = {"row": 0, "left": source.max_items} if after is None else after
    start, left = cast("int", cursor["row"]), cast("int | None", cursor.get("left"))
    rows, row = _items(file, start), start
    while batch := list(islice(rows, PAGE_SIZE)):
        row += len(batch)
        found = [item for item in batch if matches(item, source.search)]
        taken = found if left is None else found[:left]
        left = None if left is None else left - len(taken)
        is_over = len(batch) < PAGE_SIZE or left == 0
        yield ItemPage(items=taken, next=None if is_over else {"kind": "parquet", "row": row, "left": left}, number=row)
        if is_over:
            return
    yield ItemPage(items=[], next=None, number=row)


def _items(file: IO[bytes], start: int) -> Iterator[JsonObject]:
    """Those from a row on; of groups of rows that lie before it nothing is read."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise Invalid("STAC GeoParquet needs pyarrow: install quadmosaic[geoparquet]", field="source.href") from error
    try:
        table = pq.ParquetFile(file)
        missing = {"id", "geometry", "assets"} - set(table.schema_arrow.names)
        if missing:
            raise Invalid(f"is no STAC GeoParquet: it has no column {min(missing)}", field="source.href")
        sizes = [table.metadata.row_group(number).num_rows for number in range(table.num_row_groups)]
        ends = list(accumulate(sizes))
        groups = [number for number, end in enumerate(ends) if end > start]
        before = ends[groups[0]] - sizes[groups[0]] if groups else 0
        batches = table.iter_batches(batch_size=PAGE_SIZE, row_groups=groups) if groups else ()
        rows = (row for batch in batches for row in batch.to_pylist())
        for row in islice(rows, start - before, None):
            yield _item(row)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise Unavailable("the table cannot be read: it is damaged, or no Parquet") from error


def _item(row: dict[str, Any]) -> JsonObject:
    """What is no geometry or no table of assets is left for the harvest to refuse."""
    properties = {key: _plain(value) for key, value in row.items() if key not in _TOP and value is not None}
    assets = _plain(row.get("assets"))
    links, geometry = _plain(row.get("links") or []), _shape(row.get("geometry"))
    item = {"type": "Feature", "id": row["id"], "geometry": geometry, "properties": properties, "assets": assets}
    return cast("JsonObject", {**item, "collection": row.get("collection"), "links": links})


def _shape(wkb: Any) -> Any:
    try:
        return None if wkb is None else shapely.geometry.mapping(shapely.from_wkb(wkb))
    except (shapely.errors.ShapelyError, TypeError):
        return "no WKB"


def _plain(value: Any) -> Any:
    """JSON's types; columns that a row does not have are null, and left out."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
