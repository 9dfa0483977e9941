"""Absolute URLs of the service, as the client reached it."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlencode

from fastapi import Request

CONTROL_PARAMETERS = frozenset({"service", "tile_format", "tile_scale", "tms", "asset", "f"})
"""Parameters of a document's own URL that are none of the image's."""

UNCHANGED: Mapping[str, str] = MappingProxyType({})


def absolute(request: Request, path: str) -> str:
    """`/mosaics/x` under the address that the client used."""
    return f"{str(request.base_url).rstrip('/')}{path}"


def tiles_url(
    request: Request,
    mosaic: str,
    tms: str,
    *,
    suffix: str = "",
    matrix: str = "{z}",
    column: str = "{x}",
    row: str = "{y}",
    changed: Mapping[str, str] = UNCHANGED,
) -> str:
    """A tile template for `mosaic` (name or name@number) with the request's own image parameters, some `changed`."""
    query = image_query(request, changed=changed)
    path = f"/mosaics/{mosaic}/tiles/{tms}/{matrix}/{column}/{row}{suffix}"
    return absolute(request, path) + (f"?{query}" if query else "")


def image_query(request: Request, *, changed: Mapping[str, str] = UNCHANGED) -> str:
    """The image parameters of the request, to be passed on to its tiles; `changed` ones replace all of their name."""
    own = request.query_params.multi_items()
    kept = [(name, value) for name, value in own if name not in CONTROL_PARAMETERS and name not in changed]
    return urlencode([*kept, *changed.items()])


def crs_uri(crs_id: str | None) -> str | None:
    """`IAU_2015:49910` -> `http://www.opengis.net/def/crs/IAU/2015/49910`."""
    if crs_id is None:
        return None
    authority, code = crs_id.split(":")
    if authority == "OGC":
        return f"http://www.opengis.net/def/crs/OGC/1.3/{code}"
    name, _, version = authority.partition("_")
    return f"http://www.opengis.net/def/crs/{name}/{version or 0}/{code}"
