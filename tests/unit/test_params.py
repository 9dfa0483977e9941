"""Parameters: what the query says becomes one request, with the mosaic's own defaults where it says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.enums import Resampling

from quadmosaic.api.params import RESAMPLINGS, ImageParams, image_request
from quadmosaic.api.tiles import MAX_SCALE, parse_row
from quadmosaic.domain.errors import Invalid
from quadmosaic.reading.levels import KERNELS
from quadmosaic.rendering.encode import ImageFormat
from quadmosaic.services.requests import ImageRequest

DEFAULTS = {"rescale": "0,100", "colormap_name": "viridis", "pixel_selection": "mean", "resampling": "bilinear"}


def request(*, defaults: dict[str, str] | None = None, is_view: bool = True, **query: object) -> ImageRequest:
    return image_request(ImageParams.model_validate(query), defaults or {}, is_view=is_view)


@given(
    st.integers(0, 2**31),
    st.integers(1, MAX_SCALE) | st.none(),
    st.sampled_from([*ImageFormat]) | st.none(),
)
def test_a_row_with_scale_and_format_comes_back(row: int, scale: int | None, image_format: ImageFormat | None) -> None:
    text = str(row) + (f"@{scale}x" if scale else "") + (f".{image_format}" if image_format else "")
    assert parse_row(text) == (row, scale or 1, image_format)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "y"),
        ("a", "y"),
        ("-1", "y"),
        ("1.", "y"),
        ("1@2", "y"),
        ("1@x.png", "y"),
        ("1 .png", "y"),
        ("1" * 5000, "y"),
        ("1@0x", "scale"),
        ("1@5x.png", "scale"),
        ("1.bmp", "format"),
        ("1.5", "format"),
    ],
)
def test_what_is_no_row_is_refused_by_its_part(text: str, field: str) -> None:
    with pytest.raises(Invalid) as error:
        parse_row(text)
    assert error.value.field == field


def test_nothing_said_means_values_as_they_are() -> None:
    plain = request()
    assert plain == ImageRequest()
    assert plain.style.is_plain


def test_the_mosaics_defaults_apply_where_the_request_names_no_colours() -> None:
    drawn = request(defaults=DEFAULTS)
    assert drawn.style.rescale == ((0.0, 100.0),)
    assert drawn.style.colormap is not None
    assert (drawn.pixel_selection, drawn.resampling) == ("mean", "bilinear")


@pytest.mark.parametrize(
    "query", [{"rescale": ["5,6"]}, {"colormap_name": "gray"}, {"bidx": [2]}, {"expression": "b1"}, {"assets": ["a"]}]
)
def test_a_request_with_its_own_colours_or_bands_takes_none_of_the_mosaics_but_all_else(query: dict) -> None:
    drawn = request(defaults=DEFAULTS, **query)
    alone = request(**query)
    assert drawn.style == alone.style
    assert (drawn.bidx, drawn.expression, drawn.asset) == (alone.bidx, alone.expression, alone.asset)
    assert (drawn.pixel_selection, drawn.resampling) == ("mean", "bilinear")


def test_the_mosaics_colours_never_touch_values() -> None:
    assert request(defaults=DEFAULTS, is_view=False).style.is_plain
    assert request(defaults=DEFAULTS, is_view=False).pixel_selection == "mean"


def test_what_the_request_says_wins() -> None:
    assert request(defaults=DEFAULTS, pixel_selection="lowest").pixel_selection == "lowest"


def test_defaults_may_name_several_bands_and_ranges() -> None:
    drawn = request(defaults={"bidx": "3,2,1", "rescale": "0,1,0,2,0,3"})
    assert drawn.bidx == (3, 2, 1)
    assert drawn.style.rescale == ((0, 1), (0, 2), (0, 3))


@pytest.mark.parametrize("name", RESAMPLINGS)
def test_resamplings_are_rasterios(name: str) -> None:
    assert request(resampling=name).resampling == name


def test_every_reprojection_of_rasterio_but_gauss_is_known() -> None:
    assert sorted(RESAMPLINGS) == sorted(method.name for method in Resampling if method.name != "gauss")


def test_what_a_request_may_name_is_what_readers_know() -> None:
    assert set(RESAMPLINGS) == KERNELS


@pytest.mark.parametrize("name", RESAMPLINGS)
def test_reprojections_are_rasterios(name: str) -> None:
    assert request(reproject=name).reproject == name


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"assets": ["a", "b"]}, "assets"),
        ({"bidx": [0]}, "bidx"),
        ({"bidx": [1, -2]}, "bidx"),
        ({"expression": "b1+"}, "expression"),
        ({"resampling": "best"}, "resampling"),
        ({"reproject": "gauss"}, "reproject"),
        ({"pixel_selection": "top"}, "pixel_selection"),
        ({"rescale": ["1"]}, "rescale"),
        ({"colormap_name": "mauve"}, "colormap_name"),
        ({"colormap": "{"}, "colormap"),
        ({"colormap": '{"1":"#fff"}', "colormap_name": "gray"}, "colormap"),
        ({"color_formula": "gamma"}, "color_formula"),
    ],
)
def test_a_bad_parameter_is_named(query: dict, field: str) -> None:
    with pytest.raises(Invalid) as error:
        request(**query)
    assert error.value.field == field
