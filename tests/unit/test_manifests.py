"""What a build writes beside its index."""

import numpy as np
import pytest
import shapely

from quadmosaic.services.manifests import middle_longitude


@pytest.mark.parametrize(
    ("boxes", "middle"),
    [
        ([(76, 78)], 77),
        ([(-10, 10), (20, 30)], 10),
        ([(170, 180), (-180, -160)], -175),
        ([(175, 180), (-180, -179), (160, 170)], 170.5),
        ([(-180, 180)], 0),
    ],
)
def test_the_middle_leaves_the_widest_gap_aside(boxes: list[tuple[float, float]], middle: float) -> None:
    footprints = np.array([shapely.box(west, -1, east, 1) for west, east in boxes])
    assert middle_longitude(footprints) == pytest.approx(middle)


def test_a_footprint_in_two_parts_across_180_has_its_middle_there() -> None:
    footprint = shapely.union(shapely.box(178, 0, 180, 1), shapely.box(-180, 0, -176, 1))
    assert middle_longitude(np.array([footprint])) == pytest.approx(-179)
