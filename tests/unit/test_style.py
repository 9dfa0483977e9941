"""Style: parameters checked before a pixel is read, and values that become colours one can see."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rio_tiler.colormap import cmap

from quadmosaic.domain.errors import Invalid
from quadmosaic.rendering.merge import Image
from quadmosaic.rendering.style import (
    Style,
    colored,
    colormap_named,
    colormap_names,
    describe_colormap,
    parse_color_formula,
    parse_colormap,
    parse_rescale,
    view,
)
from rasters import Array

RED, GREEN, BLUE = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)
RAMP = {value: (value, value, value, 255) for value in range(256)}
ORDERED = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).filter(lambda pair: pair[0] < pair[1])


def image(bands: Array, *, mask: Array | None = None, **fields: object) -> Image:
    valid = np.ones(bands.shape[1:], np.bool_) if mask is None else mask
    return Image(bands=bands, valid=valid[np.newaxis], **fields)  # type: ignore[arg-type]


@given(st.lists(ORDERED, min_size=1, max_size=4), st.sampled_from(["repeated", "one", "brackets"]))
def test_ranges_come_back_in_any_of_their_forms(ranges: list[tuple[float, float]], form: str) -> None:
    each = [f"{low!r},{high!r}" for low, high in ranges]
    texts = {"repeated": each, "one": [",".join(each)], "brackets": [f"[{','.join(each)}]"]}[form]
    assert parse_rescale(texts) == tuple(ranges)


@pytest.mark.parametrize("text", ["", "5", "0,", "1,2,3", "a,b", "0,nan", "-inf,inf", "7,7", "10,0"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as error:
        parse_rescale([text])
    assert error.value.field == "rescale"


@given(st.dictionaries(st.integers(0, 70_000), st.tuples(*[st.integers(0, 255)] * 4), min_size=1, max_size=20))
def test_a_colormap_by_value_comes_back(colors: dict[int, tuple[int, int, int, int]]) -> None:
    assert parse_colormap(json.dumps(colors)) == colors


def test_colors_may_be_hex_rgb_or_rgba_and_values_may_be_fractions() -> None:
    text = '{"0": "#f00", "0.5": [0, 255, 0], "2": "#0000ffff"}'
    assert parse_colormap(text) == {0: RED, 0.5: GREEN, 2: BLUE}
    assert parse_colormap('[[[0, 1.5], "#ff0000"], [[1.5, 3], [0, 255, 0, 255]]]') == (
        ((0.0, 1.5), RED),
        ((1.5, 3.0), GREEN),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "viridis",
        "5",
        "null",
        "{}",
        "[]",
        '{"a": "#fff"}',
        '{"1": "red"}',
        '{"1": [0, 0]}',
        '{"1": [0, 0, 300]}',
        '{"1": [0.5, 0, 0]}',
        "[[0, 1]]",
        '[[[0], "#fff"]]',
        '[[[0, "a"], "#fff"]]',
        "[" * 50_000,
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_colormap_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as error:
        parse_colormap(text)
    assert error.value.field == "colormap"


def test_named_colormaps_are_rio_tilers() -> None:
    assert colormap_named("viridis") == cmap.get("viridis")
    assert describe_colormap("viridis")["255"] == [253, 231, 36, 255]
    assert {"viridis", "terrain", "gray"} <= set(colormap_names())
    for name in colormap_names():
        assert describe_colormap(name)
    with pytest.raises(Invalid) as error:
        colormap_named("mauve")
    assert error.value.field == "colormap_name"


@pytest.mark.parametrize(
    "text", ["foo 1", "gamma", "gamma X 1", "gamma R abc", "gamma R", "sigmoidal RGB 1", "gamma R -1", "saturation x"]
)
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as error:
        colored(image(np.ones((3, 2, 2), np.uint8)), Style(color_formula=parse_color_formula(text)))
    assert error.value.field == "color_formula"


@pytest.mark.parametrize("text", ["saturation 1.5", "gamma B 2"])
def test_a_formula_that_needs_more_bands_than_there_are_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as error:
        colored(image(np.ones((1, 2, 2), np.uint8)), Style(color_formula=parse_color_formula(text)))
    assert error.value.field == "color_formula"


def test_a_formula_of_a_gamma_brightens_the_middle_and_keeps_the_ends() -> None:
    bands = np.array([[[0, 64, 255]]] * 3, np.uint8)
    result = colored(image(bands), Style(color_formula=parse_color_formula("gamma RGB 2")))
    np.testing.assert_allclose(result.bands[0, 0], [0, 255 * np.sqrt(64 / 255), 255], atol=1)


def test_a_range_stretches_to_bytes_clips_and_leaves_invalid_pixels_black() -> None:
    bands = np.array([[[-10.0, 0.0, 50.0, 100.0, 500.0, 50.0]]])
    result = colored(
        image(bands, mask=np.array([[1, 1, 1, 1, 1, 0]], np.bool_), nodata=-1.0), Style(rescale=((0, 100),))
    )
    np.testing.assert_array_equal(result.bands, [[[0, 0, 127, 255, 255, 0]]])
    assert result.bands.dtype == np.uint8
    assert result.nodata is None


def test_ranges_are_one_for_all_bands_or_one_each() -> None:
    bands = np.full((2, 1, 1), 50.0)
    assert colored(image(bands), Style(rescale=((0, 100),))).bands.ravel().tolist() == [127, 127]
    assert colored(image(bands), Style(rescale=((0, 100), (0, 50)))).bands.ravel().tolist() == [127, 255]
    with pytest.raises(Invalid) as error:
        colored(image(bands), Style(rescale=((0, 1), (0, 1), (0, 1))))
    assert error.value.field == "rescale"


def test_values_of_a_style_that_says_nothing_are_untouched() -> None:
    bands = np.array([[[-2500.5, 3.25]]], np.float32)
    result = colored(image(bands, nodata=-1.0), Style())
    assert result.bands is bands
    assert result.nodata == -1.0


def test_colors_of_values_leave_all_other_values_transparent() -> None:
    bands = np.array([[[0, 1, 2, 7]]], np.uint8)
    result = view(image(bands), Style(colormap={1: RED, 2: GREEN}), stretch=((0, 7),))
    np.testing.assert_array_equal(result.mask, [[False, True, True, False]])
    np.testing.assert_array_equal(result.bands[:, 0, 1], RED[:3])
    np.testing.assert_array_equal(result.bands[:, 0, 2], GREEN[:3])


def test_colors_of_intervals_speak_of_values_of_any_type() -> None:
    bands = np.array([[[-2501.0, -2500.0, -2400.5, -2400.0]]], np.float32)
    colormap = parse_colormap('[[[-2500, -2400], "#ff0000"]]')
    result = view(image(bands), Style(colormap=colormap), stretch=((-2600, -2300),))
    np.testing.assert_array_equal(result.mask, [[False, True, True, False]])


def test_a_named_colormap_spans_the_stretch() -> None:
    bands = np.array([[[-2600.0, -2400.0]]], np.float32)
    style = Style(colormap=colormap_named("viridis"), is_ramp=True)
    result = view(image(bands), style, stretch=((-2600, -2400),))
    assert result.bands[:, 0, 0].tolist() == list(cmap.get("viridis")[0][:3])
    assert result.bands[:, 0, 1].tolist() == list(cmap.get("viridis")[255][:3])


def test_colors_given_for_all_256_bytes_speak_of_the_bytes_themselves() -> None:
    bands = np.array([[[3, 5]]], np.uint8)
    result = view(image(bands), Style(colormap=RAMP), stretch=((3, 5),))
    assert result.bands[0, 0].tolist() == [3, 5]


def test_palette_indices_are_drawn_by_the_palette_however_few_they_are() -> None:
    palette = dict.fromkeys(range(256), (0, 0, 0, 255)) | {1: RED, 2: GREEN, 3: (9, 9, 9, 0)}
    bands = np.array([[[1, 2, 3]]], np.uint8)
    result = view(image(bands, palette=palette), Style(), stretch=((1, 3),))
    np.testing.assert_array_equal(result.bands[:, 0, :2].T, [RED[:3], GREEN[:3]])
    np.testing.assert_array_equal(result.mask, [[True, True, False]])


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint16", "uint8"])
def test_values_without_a_range_fill_the_bytes_by_their_stretch(dtype: str) -> None:
    bands = np.linspace(100, 140, 64).reshape(1, 8, 8).astype(dtype)
    result = view(image(bands), Style(), stretch=((100, 140),))
    assert result.bands.dtype == np.uint8
    assert (result.bands.min(), result.bands.max()) == (0, 255)


def test_bytes_that_use_their_range_are_shown_as_they_are() -> None:
    bands = np.array([[[3, 250]]], np.uint8)
    assert view(image(bands), Style(), stretch=((3, 250),)).bands.ravel().tolist() == [3, 250]


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (2, 1), (3, 3), (4, 3), (7, 3)])
def test_a_view_has_one_band_or_three(count: int, shown: int) -> None:
    bands = np.arange(count * 4, dtype=np.float32).reshape(count, 2, 2)
    result = view(image(bands), Style(), stretch=tuple((4.0 * band, 4.0 * band + 3) for band in range(count)))
    assert len(result.bands) == shown


@given(st.floats(-1e30, 1e30), st.floats(1e-3, 1e30))
def test_a_view_is_never_flat_where_the_values_are_not(low: float, width: float) -> None:
    high = low + width
    bands = np.linspace(low, high, 16).reshape(1, 4, 4)
    if bands.min() == bands.max():
        return
    result = view(image(bands), Style(), stretch=((float(bands.min()), float(bands.max())),))
    assert result.bands.min() < result.bands.max()


def test_a_colormap_needs_a_single_band() -> None:
    with pytest.raises(Invalid) as error:
        view(image(np.ones((3, 2, 2), np.uint8)), Style(colormap=RAMP), stretch=())
    assert error.value.field == "colormap_name"
