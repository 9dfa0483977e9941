"""The advisor: a zoom that a person who tried them all would choose."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from quadmosaic.domain import covering, footprints, grids
from quadmosaic.domain.advisor import advise
from quadmosaic.domain.errors import Invalid

MERCATOR = grids.load("MarsMercatorSphere")
CYLINDER = grids.load("MarsEquidistantCylindricalSphere")


def strips(count: int, width: float, height: float) -> list[shapely.Geometry]:
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(-179, 176, count), rng.uniform(-60, 55, count)
    return list(shapely.box(lon, lat, lon + width, lat + height))


@pytest.mark.data
def test_the_tutorials_ten_items_get_the_zoom_it_found_by_trial(shared_data: Path) -> None:
    items = json.loads((shared_data / "stac" / "jezero_items.json").read_text())["features"]
    seed = json.loads((shared_data / "stac" / "seed_mosaic.json").read_text())
    areas = [footprints.normalise(item["geometry"])[0] for item in items]
    hrefs = [item["assets"]["image"]["href"] for item in items]
    advice = advise(areas, MERCATOR, asset_bytes=sum(map(len, hrefs)) // len(hrefs))
    assert advice.zoom == 9
    row = next(row for row in advice.rows if row.zoom == 9)
    assert (row.cells, row.entries, row.maximum) == (20, sum(map(len, seed["tiles"].values())), 9)
    size = len(json.dumps(seed | {"tilematrixset": MERCATOR.document}, separators=(",", ":")))
    assert row.document_bytes == pytest.approx(size, rel=0.1)
    assert "Zoom 9" in advice.reason


def test_one_granule_gets_cells_of_its_own_size() -> None:
    advice = advise([shapely.box(76.2, 15, 76.8, 19)], MERCATOR)
    assert 4 <= advice.zoom <= 7
    assert all(row.maximum == 1 for row in advice.rows)


def test_small_footprints_get_a_higher_zoom_than_large_ones() -> None:
    small = advise(strips(1000, 0.1, 0.3), MERCATOR).zoom
    large = advise(strips(1000, 5.0, 10.0), MERCATOR).zoom
    assert large < small
    assert advise([shapely.box(-180, -90, 180, 90)], CYLINDER).zoom == 0


def test_more_overlap_asks_for_smaller_cells() -> None:
    assert advise(strips(200, 0.5, 2.5), MERCATOR).zoom < advise(strips(60_000, 0.5, 2.5), MERCATOR).zoom


def test_counts_are_those_of_the_covering_and_close_to_them_where_sampled() -> None:
    areas = strips(30_000, 0.5, 2.5)
    for row in advise(areas, MERCATOR, zooms=(6, 9)).rows:
        cells = covering.cover(areas, MERCATOR, row.zoom)
        counts = np.array([len(positions) for positions in cells.values()])
        assert row.sampled == (row.zoom == 9)
        closeness = 0.05 if row.sampled else 1e-9
        assert row.cells == pytest.approx(len(cells), rel=closeness)
        assert row.entries == pytest.approx(counts.sum(), rel=closeness)
        assert row.met == pytest.approx((counts**2).sum() / counts.sum(), rel=closeness)
        assert row.median == np.median(counts)


def test_footprints_that_the_grid_does_not_reach_are_counted() -> None:
    areas = [shapely.box(0, 0, 1, 1), shapely.box(0, 86, 10, 88)]
    assert advise(areas, MERCATOR).outside == 1
    with pytest.raises(Invalid) as refused:
        advise([areas[1]], MERCATOR)
    assert refused.value.field == "tms"
    with pytest.raises(Invalid):
        advise([], MERCATOR)


def test_zooms_that_the_grid_lacks_are_refused() -> None:
    with pytest.raises(Invalid) as refused:
        advise([shapely.box(0, 0, 1, 1)], MERCATOR, zooms=(9, 40))
    assert refused.value.field == "quadkey_zoom"


def test_the_text_marks_the_recommended_row() -> None:
    advice = advise(strips(50, 0.5, 2.5), MERCATOR)
    marked = [line for line in advice.as_text().splitlines() if line.startswith("*")]
    assert [line.split()[1] for line in marked] == [str(advice.zoom)]
    assert advice.as_text().endswith(advice.reason)
