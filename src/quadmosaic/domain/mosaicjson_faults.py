"""What is wrong with a MosaicJSON document: every departure from versions 0.0.1 to 0.0.3, by its JSON path.

Source: https://github.com/developmentseed/mosaicjson-spec. An optional key that is null counts as absent, as
cogeo-mosaic has it. Two limits are this product's: a zoom of 30 is the last, and the index zoom must be one of the
tile matrix set's (a `maxzoom` beyond the set is common and harmless).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from quadmosaic.domain import grids
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Json, JsonObject
from quadmosaic.domain.grids import Grid

VERSIONS = ("0.0.1", "0.0.2", "0.0.3")
DATA_TYPES = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"),
    *("cint16", "cint32", "cfloat32", "cfloat64", "other"),
)
LAST_ZOOM = 30
_TEXTS = ("name", "description", "version", "attribution", "asset_type", "asset_prefix")
_ROUNDING = 1e-6
"""Degrees that bounds may exceed their limits by: they come out of projections."""
_FAR = 1e12


@dataclass(frozen=True, slots=True)
class Fault:
    """`field` is the path of the part at fault, like `tiles.0231[2]`."""

    field: str
    message: str


def faults(document: Json) -> tuple[Fault, ...]:
    """Every fault of a document, in the order of the specification; empty for a sound one."""
    if not isinstance(document, dict):
        return (Fault("document", "must be a JSON object"),)
    grid = _grid(document)
    found_grid = grid if isinstance(grid, Grid) else None
    return tuple(
        chain(
            _version_faults(document),
            _text_faults(document),
            _zoom_faults(document, found_grid),
            _bounds_faults(document),
            _center_faults(document),
            _tiles_faults(document),
            _data_type_faults(document),
            _colormap_faults(document),
            [grid] if isinstance(grid, Fault) else [],
            _layers_faults(document),
        )
    )


def whole(value: Json) -> int | None:
    """The integer that a JSON number is (9 and 9.0 are one), else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if isinstance(value, int) or value.is_integer() else None


def index_zoom(document: JsonObject) -> int | None:
    """`quadkey_zoom`, or `minzoom` where it is absent; None where it is no usable zoom."""
    key = "minzoom" if document.get("quadkey_zoom") is None else "quadkey_zoom"
    zoom = whole(document.get(key))
    return zoom if zoom is not None and 0 <= zoom <= LAST_ZOOM else None


def _grid(document: JsonObject) -> Grid | Fault:
    tms = document.get("tilematrixset")
    if tms is None:
        return grids.load("WebMercatorQuad")
    if not isinstance(tms, dict):
        return Fault("tilematrixset", "must be an OGC TileMatrixSet object")
    try:
        grid = grids.parse(tms)
    except Invalid as error:
        return Fault(error.field, error.message)
    if not grid.single_root:
        shape = f"{grid.root_width} x {grid.root_height}"
        return Fault("tilematrixset", f"must have one matrix cell at its first zoom, {grid.id} has {shape}")
    return grid


def _version_faults(document: JsonObject) -> Iterator[Fault]:
    version = document.get("mosaicjson")
    if version is None:
        yield Fault("mosaicjson", f"is missing: one of {', '.join(VERSIONS)}")
    elif version not in VERSIONS:
        yield Fault("mosaicjson", f"must be one of {', '.join(VERSIONS)}, not {version!r}")


def _text_faults(document: JsonObject) -> Iterator[Fault]:
    for key in _TEXTS:
        if not isinstance(document.get(key), str | None):
            yield Fault(key, "must be a string")


def _zoom_faults(document: JsonObject, grid: Grid | None) -> Iterator[Fault]:
    for key in ("minzoom", "maxzoom", "quadkey_zoom"):
        value = document.get(key)
        zoom = whole(value)
        if value is None:
            if key != "quadkey_zoom":
                yield Fault(key, "is missing")
        elif zoom is None:
            yield Fault(key, f"must be an integer, not {value!r}")
        elif not 0 <= zoom <= LAST_ZOOM:
            yield Fault(key, f"must lie in 0 to {LAST_ZOOM}, not {zoom}")
        elif grid is not None and key != "maxzoom" and zoom > grid.maxzoom:
            yield Fault(key, f"{zoom} is beyond the last zoom of {grid.id}, {grid.maxzoom}")
    minzoom, maxzoom, quadkey_zoom = (whole(document.get(key)) for key in ("minzoom", "maxzoom", "quadkey_zoom"))
    if minzoom is not None and maxzoom is not None and maxzoom < minzoom:
        yield Fault("maxzoom", f"{maxzoom} is less than minzoom, {minzoom}")
    if quadkey_zoom is not None and maxzoom is not None and quadkey_zoom > maxzoom:
        yield Fault("quadkey_zoom", f"{quadkey_zoom} is greater than maxzoom, {maxzoom}")


def _number(value: Json) -> float | None:
    """A finite number a coordinate can be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _FAR else None


def _bounds_faults(document: JsonObject) -> Iterator[Fault]:
    bounds = document.get("bounds")
    if bounds is None:
        return
    if not isinstance(bounds, list) or len(bounds) != 4:
        yield Fault("bounds", "must be [west, south, east, north]")
        return
    numbers = [_number(value) for value in bounds]
    for position, (number, limit) in enumerate(zip(numbers, (180, 90, 180, 90), strict=True)):
        if number is None:
            yield Fault(f"bounds[{position}]", "must be a finite number")
        elif abs(number) > limit + _ROUNDING:
            yield Fault(f"bounds[{position}]", f"{number} is outside -{limit} to {limit} degrees")
    for low, high, names in ((0, 2, "west is not less than east"), (1, 3, "south is not less than north")):
        first, second = numbers[low], numbers[high]
        if first is not None and second is not None and first >= second:
            yield Fault("bounds", names)


def _center_faults(document: JsonObject) -> Iterator[Fault]:
    center = document.get("center")
    if center is None:
        return
    if not isinstance(center, list) or len(center) != 3:
        yield Fault("center", "must be [longitude, latitude, zoom]")
        return
    bounds = document.get("bounds")
    limits: list[Json] = bounds if isinstance(bounds, list) and len(bounds) == 4 else [-180, -90, 180, 90]
    for position in (0, 1):
        value, low, high = _number(center[position]), _number(limits[position]), _number(limits[position + 2])
        if value is None:
            yield Fault(f"center[{position}]", "must be a finite number")
        elif low is not None and high is not None and not low - _ROUNDING <= value <= high + _ROUNDING:
            yield Fault(f"center[{position}]", f"{value} is outside the bounds, {low} to {high}")
    zoom, minzoom, maxzoom = whole(center[2]), whole(document.get("minzoom")), whole(document.get("maxzoom"))
    if zoom is None:
        yield Fault("center[2]", "must be an integer zoom")
    elif minzoom is not None and maxzoom is not None and not minzoom <= zoom <= maxzoom:
        yield Fault("center[2]", f"{zoom} is outside minzoom to maxzoom, {minzoom} to {maxzoom}")


def _tiles_faults(document: JsonObject) -> Iterator[Fault]:
    tiles = document.get("tiles")
    if tiles is None:
        yield Fault("tiles", "is missing")
        return
    if not isinstance(tiles, dict) or not tiles:
        yield Fault("tiles", "must be an object of quadkeys, and not empty")
        return
    zoom = index_zoom(document)
    for quadkey, assets in tiles.items():
        yield from _quadkey_faults(quadkey, zoom)
        yield from _assets_faults(f"tiles.{quadkey}", assets)


_QUADKEY = re.compile("[0-3]*")


def _quadkey_faults(quadkey: str, zoom: int | None) -> Iterator[Fault]:
    if not _QUADKEY.fullmatch(quadkey):
        yield Fault(f"tiles.{quadkey}", "is not a quadkey: digits 0 to 3 only")
    elif zoom is not None and len(quadkey) != zoom:
        yield Fault(f"tiles.{quadkey}", f"must have {zoom} digits, the zoom of the index, not {len(quadkey)}")


def _assets_faults(path: str, assets: Json) -> Iterator[Fault]:
    if not isinstance(assets, list) or not assets:
        yield Fault(path, "must be a list of assets, and not empty")
        return
    for position, asset in enumerate(assets):
        if not isinstance(asset, str) or not asset:
            yield Fault(f"{path}[{position}]", "must be a string, and not empty")


def _data_type_faults(document: JsonObject) -> Iterator[Fault]:
    data_type = document.get("data_type")
    if data_type is not None and data_type not in DATA_TYPES:
        yield Fault("data_type", f"must be one of {', '.join(DATA_TYPES)}, not {data_type!r}")


def _colormap_faults(document: JsonObject) -> Iterator[Fault]:
    colormap = document.get("colormap")
    if colormap is None:
        return
    if not isinstance(colormap, dict):
        yield Fault("colormap", "must be an object of value: [r, g, b, a]; a name belongs in layers.*.colormap_name")
        return
    for value, color in colormap.items():
        if not re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
            yield Fault(f"colormap.{value}", "is not an integer")
        parts = [whole(part) for part in color] if isinstance(color, list) else []
        if len(parts) != 4 or not all(part is not None and 0 <= part <= 255 for part in parts):
            yield Fault(f"colormap.{value}", "must be [r, g, b, a], each 0 to 255")


def _layers_faults(document: JsonObject) -> Iterator[Fault]:
    layers = document.get("layers")
    if layers is None:
        return
    if not isinstance(layers, dict):
        yield Fault("layers", "must be an object of layers by name")
        return
    for name, layer in layers.items():
        if not isinstance(layer, dict):
            yield Fault(f"layers.{name}", "must be an object")
