"""Styles of registrations: judged by what draws, and as far as possible where nothing does."""

import pytest

from quadmosaic.api.styles import check_style
from quadmosaic.domain.errors import Invalid

GOOD = {
    "rescale": "-2600,-1900",
    "colormap_name": "terrain",
    "bidx": "1",
    "resampling": "bilinear",
    "unscale": "true",
    "nodata": "nan",
}


@pytest.mark.parametrize("can_draw", [True, False])
def test_a_style_to_draw_with_is_accepted(can_draw: bool) -> None:
    check_style(GOOD, can_draw=can_draw)
    check_style({"expression": "b1*2;b2", "rescale": "0,1,5,9"}, can_draw=can_draw)
    check_style({}, can_draw=can_draw)


@pytest.mark.parametrize("can_draw", [True, False])
@pytest.mark.parametrize(
    ("name", "value"), [("rescale", "9,1"), ("bidx", "x"), ("unscale", "perhaps"), ("rescal", "0,1"), ("strict", "")]
)
def test_numbers_and_names_are_judged_everywhere(can_draw: bool, name: str, value: str) -> None:
    with pytest.raises(Invalid) as error:
        check_style({name: value}, can_draw=can_draw)
    assert error.value.field == f"defaults.{name}"


@pytest.mark.parametrize(
    ("name", "value"),
    [("colormap_name", "no"), ("expression", "b1+"), ("color_formula", "sepia"), ("colormap", "[]")],
)
def test_colours_and_expressions_are_judged_by_what_draws(name: str, value: str) -> None:
    with pytest.raises(Invalid) as error:
        check_style({name: value})
    assert error.value.field == f"defaults.{name}"
    check_style({name: value}, can_draw=False)
