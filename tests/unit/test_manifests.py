"""What a build writes beside its index."""

import numpy as np
import pytest

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
    assert middle_longitude(np.array([(west, -1.0, east, 1.0) for west, east in boxes])) == pytest.approx(middle)


def test_a_footprint_in_two_parts_across_180_has_its_middle_there() -> None:
    assert middle_longitude(np.array([(178.0, 0.0, 180.0, 1.0), (-180.0, 0.0, -176.0, 1.0)])) == pytest.approx(-179)
