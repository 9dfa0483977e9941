"""The known grids: planetcantile's and morecantile's sets by id, loaded on demand, and sets given as documents."""

import json
import re
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import morecantile
import numpy as np
import pyproj
from pydantic import ValidationError
from pyproj.exceptions import CRSError

from quadmosaic.domain import bodies
from quadmosaic.domain.errors import Invalid, NotFound
from quadmosaic.domain.granules import Bounds, JsonObject
from quadmosaic.domain.grid import Grid, Tile

__all__ = ["Grid", "Tile", "default_index_grid", "default_map_grid", "ids", "load", "mercator_grid", "parse"]

MERCATOR_LIMIT = 85.0
"""Degrees of latitude beyond which the Mercator sets have no tiles."""

_PLANETARY_ID = re.compile(
    r"(?P<body>.+?)(?P<projection>Geographic|WebMercator|Mercator|EquidistantCylindrical|NorthPolar|SouthPolar)"
    r"(?P<latitude>Sphere|Ographic|Ocentric)(?P<coalesced>Coalesced)?"
)
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_IAU_OFFSETS = (("Pseudo Mercator", 90), ("Mercator", 90), ("Equidistant Cylindrical", 10))
"""Projections, by method name, for which IAU_2015 may have a code that gives the same coordinates."""
_LATITUDES = (0, 1, 2)
"""IAU_2015's codes of one projection: on the sphere, ographic and ocentric on the ellipsoid."""


def ids(body: str) -> tuple[str, ...]:
    """Ids of the sound sets of a body, by name alone."""
    planetary = {name for name in _planetary_files() if _is_sound(name) and _split(name)["body"] == body}
    return tuple(sorted(planetary | (set(_terrestrial_files()) if body == bodies.EARTH else set())))


@cache
def load(grid_id: str) -> Grid:
    """The one instance of a known grid. Raises NotFound, with the reason where the set exists but is unsound."""
    if not _FILE_NAME.fullmatch(grid_id):
        raise NotFound(f"there is no tile matrix set {grid_id!r}")
    terrestrial, planetary = (folder() / f"{grid_id}.json" for folder in (_terrestrial_folder, _planetary_folder))
    if terrestrial.exists() and _doubles_throughout(terrestrial):
        return parse(json.loads(terrestrial.read_text()))
    if not planetary.exists():
        raise NotFound(f"there is no tile matrix set {grid_id!r}")
    if not _is_sound(grid_id):
        raise NotFound(f"tile matrix set {grid_id!r} does not cover its body; use the body's *Sphere sets")
    return parse(json.loads(planetary.read_text()))


def parse(document: JsonObject) -> Grid:
    """A grid from an OGC TileMatrixSet 2.0 document. Raises Invalid (field "tilematrixset")."""
    try:
        tms = morecantile.TileMatrixSet.model_validate(document)
        crs = pyproj.CRS(tms.crs.to_wkt())
    except (ValidationError, CRSError, ValueError, TypeError) as error:
        raise _refused(f"not a TileMatrixSet: {str(error).splitlines()[0]}") from error
    _require_doubling(tms)
    body = bodies.body_of(crs)
    if body is None:
        raise _refused("its CRS names no known body")
    root = tms.tileMatrices[0]
    grid_id = tms.id or tms.title or "custom"
    return Grid(
        id=grid_id,
        title=tms.title or grid_id,
        body=body,
        crs=crs,
        crs_id=_crs_id(crs, body),
        document=document,
        root_width=root.matrixWidth,
        root_height=root.matrixHeight,
        origin=_left_top(tms, root, crs),
        root_size=root.cellSize * root.tileWidth,
        maxzoom=len(tms.tileMatrices) - 1,
        tile_size=root.tileWidth,
        coalescing=_coalescing(tms),
    )


def named(tms: str | JsonObject) -> Grid:
    """The grid of an id or a document. Raises Invalid (field "tms")."""
    try:
        return load(tms) if isinstance(tms, str) else parse(tms)
    except (NotFound, Invalid) as error:
        raise Invalid(error.message, field="tms") from error


def default_map_grid(body: str) -> str:
    """The grid that maps are drawn on when nobody says."""
    return "WebMercatorQuad" if body == bodies.EARTH else f"{body}EquidistantCylindricalSphere"


def default_index_grid(body: str, bounds: Bounds) -> str:
    """The grid an index is built on when nobody says; `bounds` are lon/lat degrees of all granules."""
    if max(-bounds[1], bounds[3]) > MERCATOR_LIMIT:
        return f"{body}EquidistantCylindricalSphere" if body != bodies.EARTH else "WGS1984Quad"
    return mercator_grid(body)


def mercator_grid(body: str) -> str:
    """The body's Mercator set: one root, so that MosaicJSON can hold it."""
    return "WebMercatorQuad" if body == bodies.EARTH else f"{body}MercatorSphere"


@cache
def _planetary_files() -> dict[str, Path]:
    return {path.stem: path for path in _planetary_folder().glob("*.json")}


@cache
def _terrestrial_files() -> dict[str, Path]:
    """The sets of morecantile, all of Earth, that double."""
    return {path.stem: path for path in _terrestrial_folder().glob("*.json") if _doubles_throughout(path)}


def _doubles_throughout(path: Path) -> bool:
    matrices = json.loads(path.read_text())["tileMatrices"]
    return _doubles([(m["matrixWidth"], m["matrixHeight"], m["cellSize"], m["tileWidth"]) for m in matrices])


@cache
def _planetary_folder() -> Path:
    return _package_folder("planetcantile") / "data" / "v4"


@cache
def _terrestrial_folder() -> Path:
    return _package_folder("morecantile") / "data"


def _package_folder(package: str) -> Path:
    """Where a package keeps its files, without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise NotFound(f"the package {package} is not installed")
    return Path(spec.submodule_search_locations[0])


def _split(grid_id: str) -> dict[str, str | None]:
    match = _PLANETARY_ID.fullmatch(grid_id)
    return match.groupdict() if match else {"body": None, "projection": None, "latitude": None, "coalesced": None}


def _is_sound(grid_id: str) -> bool:
    """Ocentric projected sets and ographic equidistant ones reach over only a part of their body."""
    parts = _split(grid_id)
    if parts["latitude"] == "Ocentric":
        return parts["projection"] == "Geographic"
    return not (parts["latitude"] == "Ographic" and parts["projection"] == "EquidistantCylindrical")


def _crs_id(crs: pyproj.CRS, body: str) -> str | None:
    """An authority code that gives the same coordinates, verified by projecting: sets carry none, or a wrong one."""
    if body == bodies.EARTH:
        authority = crs.to_authority(min_confidence=100)
        return None if authority is None else ":".join(authority)
    method = crs.coordinate_operation.method_name if crs.coordinate_operation else ""
    offset = next((code for name, code in _IAU_OFFSETS if name in method), None) if crs.is_projected else 0
    if offset is None:
        return None
    codes = (bodies.iau_code(body, offset + latitude) for latitude in _LATITUDES)
    return next((code for code in codes if code is not None and _same_coordinates(crs, pyproj.CRS(code), body)), None)


def _same_coordinates(first: pyproj.CRS, second: pyproj.CRS, body: str) -> bool:
    """Whether both give the same numbers for the same places, on the same ellipsoid."""
    if bodies.ellipsoid_axes(first) != bodies.ellipsoid_axes(second):
        return False
    lon, lat = np.array([-120.0, 10.0, 77.0]), np.array([-60.0, 45.0, 18.0])
    one, other = (np.array(bodies.from_degrees(body, crs).transform(lon, lat)) for crs in (first, second))
    return bool(np.allclose(one, other, rtol=1e-9))


def _require_doubling(tms: morecantile.TileMatrixSet) -> None:
    shapes = [(m.matrixWidth, m.matrixHeight, m.cellSize, m.tileWidth) for m in tms.tileMatrices]
    square = all(m.tileWidth == m.tileHeight for m in tms.tileMatrices)
    origins = {(tuple(m.pointOfOrigin), m.cornerOfOrigin) for m in tms.tileMatrices}
    if not _doubles(shapes) or not square or len(origins) != 1 or next(iter(origins))[1] != "topLeft":
        raise _refused("its matrices do not double exactly from zoom to zoom out of one top left corner")


def _doubles(shapes: list[tuple[int, int, float, int]]) -> bool:
    """Whether each (columns, rows, cell size, tile width) is the double of the one before."""
    return all(
        (w1, h1, t1) == (2 * w0, 2 * h0, t0) and abs(2 * c1 / c0 - 1) < 1e-9
        for (w0, h0, c0, t0), (w1, h1, c1, t1) in pairwise(shapes)
    )


def _left_top(
    tms: morecantile.TileMatrixSet, root: morecantile.models.TileMatrix, crs: pyproj.CRS
) -> tuple[float, float]:
    """The origin as x, y, whatever the order of the set's axes."""
    first, second = root.pointOfOrigin
    axes = [axis.lower() for axis in tms.orderedAxes or [axis.abbrev for axis in crs.axis_info]]
    return (second, first) if axes[0] in ("lat", "y", "n", "northing") else (first, second)


def _coalescing(tms: morecantile.TileMatrixSet) -> tuple[tuple[tuple[int, int, int], ...], ...]:
    rows = tuple(
        tuple((vmw.minTileRow, vmw.maxTileRow, vmw.coalesce) for vmw in matrix.variableMatrixWidths or ())
        for matrix in tms.tileMatrices
    )
    return rows if any(rows) else ()


def _refused(reason: str) -> Invalid:
    return Invalid(reason, field="tilematrixset")
