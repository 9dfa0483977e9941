"""Which overview and which kernel a read uses."""

import numpy as np
import pytest
from affine import Affine

from quadmosaic.domain.geobox import GeoBox
from quadmosaic.ports import ReadOptions
from quadmosaic.reading.levels import choose_kernel, choose_level
from quadmosaic.reading.positions import locate, period


@pytest.mark.parametrize(
    ("scale", "level"), [(0.1, 0), (1.0, 0), (1.9, 0), (1.99, 1), (2.0, 1), (3.9, 1), (4.0, 2), (500.0, 3)]
)
def test_the_coarsest_overview_that_is_still_as_fine_as_wanted_is_read(scale: float, level: int) -> None:
    assert choose_level([1001, 501, 251, 126], scale) == level


@pytest.mark.parametrize(
    ("resampling", "reproject", "same_crs", "palette", "kernel"),
    [
        ("bilinear", "nearest", True, False, "bilinear"),
        ("bilinear", "nearest", False, False, "bilinear"),
        ("nearest", "cubic", False, False, "cubic"),
        ("nearest", "cubic", True, False, "nearest"),
        ("bilinear", "cubic", False, False, "cubic"),
        ("bilinear", "cubic", False, True, "nearest"),
    ],
)
def test_one_kernel_is_chosen_per_read(
    resampling: str, reproject: str, same_crs: bool, palette: bool, kernel: str
) -> None:
    options = ReadOptions(asset="a", resampling=resampling, reproject=reproject)
    assert choose_kernel(options, same_crs=same_crs, palette=palette) == kernel


@pytest.mark.parametrize(
    ("crs", "turn"),
    [
        ("IAU_2015:49900", 360.0),
        ("EPSG:4326", 360.0),
        ("IAU_2015:49910", 2 * np.pi * 3396190),
        ("IAU_2015:49915", 2 * np.pi * 3396190),
        ("EPSG:3857", 2 * np.pi * 6378137),
        ("+proj=eqc +lat_ts=60 +lon_0=77 +R=1000", np.pi * 1000),
        ("EPSG:32618", None),
        ("IAU_2015:49930", None),
        ("+proj=sinu +R=3396190", None),
    ],
)
def test_only_projections_whose_x_is_longitude_alone_have_a_period(crs: str, turn: float | None) -> None:
    assert period(crs) == (None if turn is None else pytest.approx(turn))


def test_scale_counts_raster_pixels_per_geobox_pixel() -> None:
    box = GeoBox("IAU_2015:49910", (0, 0, 64_000, 64_000), 64, 32)
    found = locate(box, crs="+proj=eqc +R=3396190", transform=Affine(250, 0, 0, 0, -500, 64_000), width=256, height=128)
    assert found.scale == pytest.approx((4, 4))
    assert found.same_crs
    assert found.inside.all()
