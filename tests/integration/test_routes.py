"""Every GET route of the service answers for a mosaic of each body, without any parameter that is not in its path."""

import re

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from quadmosaic.domain import grids
from small_mosaics import SmallMosaic

BODIES = ("Mars", "Moon", "Europa")
OTHER_BODY = {"Mars": "MoonGeographicSphere", "Moon": "MarsGeographicSphere", "Europa": "MarsMercatorSphere"}


def values_of(mosaic: SmallMosaic) -> dict[str, object]:
    """What each name in a route's path stands for: the middle of the mosaic on the body's default grid."""
    manifest = mosaic.version.manifest
    grid = grids.load(grids.default_map_grid(manifest.body))
    lon, lat, _ = manifest.center
    if manifest.bounds[2] - manifest.bounds[0] > 180:
        lon = 179.0
    x, y = grid.project(np.array([lon]), np.array([lat]))
    zoom = 6
    side = grid.cell_size(zoom)
    west, south, east, north = lon - 0.5, lat - 0.5, lon + 0.5, lat + 0.5
    return {
        "mosaic": mosaic.name,
        "tms": grid.id,
        "z": zoom,
        "x": int((x[0] - grid.origin[0]) // side),
        "y": int((grid.origin[1] - y[0]) // side),
        "lon": lon,
        "lat": lat,
        "minx": west,
        "miny": south,
        "maxx": east,
        "maxy": north,
        "width": 40,
        "height": 30,
        "image_format": "png",
    }


def get_routes(app: FastAPI) -> list[str]:
    """All but those of single builds, which these mosaics do not have."""
    paths = app.openapi()["paths"].items()
    return sorted(path for path, operations in paths if "get" in operations and "{build}" not in path)


def filled(path: str, values: dict[str, object]) -> str:
    """Raises KeyError for a route with a name that `values` has no sample for: add one."""
    named = values | ({"name": "viridis"} if path.startswith("/colorMaps") else {})
    return re.sub(r"{(\w+)}", lambda match: str(named[match[1]]), path)


@pytest.mark.parametrize("body", BODIES)
def test_every_get_route_answers(
    app: FastAPI, http: httpx.Client, small_mosaics: dict[str, SmallMosaic], body: str
) -> None:
    values = values_of(small_mosaics[body])
    urls = [filled(path, values) for path in get_routes(app)]
    answers = {url: http.get(url, follow_redirects=True) for url in urls}
    faults = {url: (answer.status_code, answer.text[:300]) for url, answer in answers.items() if answer.is_error}
    assert not faults
    assert all(answer.content for url, answer in answers.items()), [u for u, a in answers.items() if not a.content]


@pytest.mark.parametrize("body", BODIES)
def test_every_route_with_a_mosaic_takes_a_version(
    app: FastAPI, http: httpx.Client, small_mosaics: dict[str, SmallMosaic], body: str
) -> None:
    pinned = values_of(small_mosaics[body]) | {"mosaic": small_mosaics[body].version.label}
    urls = [filled(path, pinned) for path in get_routes(app) if "{mosaic}" in path]
    codes = {url: http.get(url, follow_redirects=True).status_code for url in urls}
    assert set(codes.values()) == {200}, codes


@pytest.mark.parametrize("body", BODIES)
def test_a_grid_of_another_body_is_refused_by_name(
    app: FastAPI, http: httpx.Client, small_mosaics: dict[str, SmallMosaic], body: str
) -> None:
    values = values_of(small_mosaics[body]) | {"tms": OTHER_BODY[body], "z": 0, "x": 0, "y": 0}
    paths = [path for path in get_routes(app) if "{mosaic}" in path and "{tms}" in path]
    assert paths
    for path in paths:
        answer = http.get(filled(path, values))
        assert answer.status_code == 400, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["field"] == "tms", path


def test_a_raster_that_runs_to_360_degrees_is_found_in_the_west(
    http: httpx.Client, small_mosaics: dict[str, SmallMosaic]
) -> None:
    answer = http.get("/mosaics/moon-degrees/point/-55,5").json()
    assert [value["values"] for value in answer["values"]] == [[100 + 100 + 2 * 100]]
    assert small_mosaics["Moon"].version.manifest.bounds == pytest.approx((-60, 0, -50, 10))


def test_a_mosaic_across_the_antimeridian_is_drawn_on_both_sides(http: httpx.Client) -> None:
    for lon in (178, -178):
        answer = http.get(f"/mosaics/europa-180/point/{lon},0").json()
        assert answer["values"][0]["values"][0] is not None, lon
