"""Which files of a STAC item are rasters a mosaic can be made of, and where they are."""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from urllib.parse import urljoin, urlsplit

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Json, JsonObject

_RASTER_TYPES = ("image/tiff", "image/x.geotiff", "image/vnd.stac.geotiff", "image/jp2", "application/x-geotiff")
_RASTER_SUFFIXES = frozenset([".tif", ".tiff", ".jp2", ".vrt", ".cub", ".img"])
_POINT_CLOUD_TYPES = ("application/vnd.laszip", "application/vnd.las", "application/vnd.copc")
_POINT_CLOUD_SUFFIXES = frozenset([".las", ".laz", ".e57", ".ply"])
_OTHER_TYPES = ("text/", "audio/", "video/", "image/jpeg", "image/png", "image/gif", "image/webp", "image/svg")
_OTHER_APPLICATIONS = ("json", "geo+json", "xml", "pdf", "zip", "gzip", "x-tar", "vnd.apache.parquet", "geopackage")


type Allowed = Callable[[str], bool]


def hrefs(item: JsonObject, keys: Sequence[str], *, allowed: Allowed | None = None) -> dict[str, str] | str:
    """Absolute hrefs by asset key, or why the item cannot give one.

    Of an asset's alternate hrefs the first that is `allowed` counts, where its own is not.
    """
    found: dict[str, str] = {}
    for key in keys:
        asset = _assets(item).get(key)
        if asset is None:
            return f"has no asset {key!r}; it has {_listed(_assets(item))}"
        try:
            choice = [_absolute(href, item) for href in _alternatives(asset)]
        except ValueError:
            return f"asset {key!r} has an href that is no address"
        if not choice:
            return f"asset {key!r} has no href"
        reason = not_raster(asset)
        if reason is not None:
            return f"asset {key!r} is {reason}"
        found[key] = next((href for href in choice if allowed is None or allowed(href)), choice[0])
    return found


def _alternatives(asset: JsonObject) -> list[str]:
    """The asset's own href, then those of the Alternate Assets extension."""
    alternate = asset.get("alternate")
    others = list(alternate.values()) if isinstance(alternate, dict) else []
    told = [each.get("href") for each in (asset, *others) if isinstance(each, dict)]
    return [href.strip() for href in told if isinstance(href, str) and href.strip()]


def only_raster(item: JsonObject) -> tuple[str, ...]:
    """The key of the one raster of an item, empty where it has none. Raises Invalid (field "assets") for several."""
    keys = tuple(key for key, asset in _assets(item).items() if _is_raster(asset))
    if len(keys) > 1:
        raise Invalid(f"name one: the items have {_listed(keys)}", field="assets")
    return keys


def why_no_raster(item: JsonObject) -> str:
    """The reason to refuse an item without any raster."""
    assets = _assets(item)
    if any(_is_point_cloud(asset) for asset in assets.values()):
        return "is a point cloud: only rasters can be tiled"
    return f"has no raster asset; it has {_listed(assets)}"


def _assets(item: JsonObject) -> dict[str, JsonObject]:
    assets = item.get("assets")
    return {k: v for k, v in assets.items() if isinstance(v, dict)} if isinstance(assets, dict) else {}


def _listed(keys: Sequence[str] | dict[str, JsonObject]) -> str:
    return ", ".join(repr(key) for key in keys) or "none"


def not_raster(asset: JsonObject) -> str | None:
    """What an asset is, where that surely is no georeferenced raster."""
    media_type = _media_type(asset)
    if _is_point_cloud(asset):
        return "a point cloud: only rasters can be tiled"
    family, _, name = media_type.partition("/")
    if media_type.startswith(_OTHER_TYPES) or (family == "application" and name in _OTHER_APPLICATIONS):
        return f"of type {media_type}: only georeferenced rasters can be tiled"
    return None


def _is_raster(asset: JsonObject) -> bool:
    if _is_point_cloud(asset):
        return False
    return _media_type(asset).startswith(_RASTER_TYPES) or (
        _media_type(asset) in ("", "application/octet-stream") and _suffix(asset) in _RASTER_SUFFIXES
    )


def _is_point_cloud(asset: JsonObject) -> bool:
    return _media_type(asset).startswith(_POINT_CLOUD_TYPES) or _suffix(asset) in _POINT_CLOUD_SUFFIXES


def _media_type(asset: JsonObject) -> str:
    value = asset.get("type")
    return value.partition(";")[0].strip().lower() if isinstance(value, str) else ""


def _suffix(asset: JsonObject) -> str:
    href = asset.get("href")
    return PurePosixPath(re.split("[?#]", href, maxsplit=1)[0]).suffix.lower() if isinstance(href, str) else ""


def _absolute(href: str, item: JsonObject) -> str:
    """Relative hrefs are relative to the item's own address, where it says one."""
    base = _self_link(item.get("links"))
    if base is None or urlsplit(href).scheme:
        return href
    # urljoin joins only schemes it knows, and s3 is none of them.
    scheme, colon, rest = base.partition(":")
    if colon and rest.startswith("//") and scheme not in ("http", "https", "file"):
        return scheme + urljoin(f"http:{rest}", href).removeprefix("http")
    return urljoin(base, href)


def _self_link(links: Json) -> str | None:
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "self" and isinstance(link.get("href"), str):
            return str(link["href"])
    return None
