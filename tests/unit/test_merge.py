"""Merging: every pixel selection as rio-tiler's own method, expressions first, and what stops early."""

import tracemalloc

import numpy as np
import pytest
import shapely
from rio_tiler.mosaic.methods import PixelSelectionMethod

from quadmosaic.domain.errors import Invalid, TooLarge
from quadmosaic.domain.granules import Granule
from quadmosaic.ports import Layer
from quadmosaic.rendering.merge import Merge, check_expression, expression_bands
from quadmosaic.rendering.selections import BY_LAST_BAND, PIXEL_SELECTIONS, Median
from rasters import Array


def layer(bands: Array, mask: Array, *, nodata: float | None = None, palette: dict | None = None) -> Layer:
    return Layer(
        granule=Granule(id="g", hrefs={}, footprint=shapely.Point()),
        bands=bands,
        valid=mask if mask.ndim == 3 else mask[np.newaxis],
        band_names=tuple(f"b{number + 1}" for number in range(len(bands))),
        nodata=nodata,
        palette=palette,
    )


def layers(*, count: int = 4, bands: int = 2, dtype: str = "float32", seed: int = 7, alike: bool = True) -> list[Layer]:
    """Layers of random values in which a third of the pixels are invalid, in all bands `alike` or in each by itself."""
    random = np.random.default_rng(seed)
    return [
        layer(
            random.uniform(1, 200, (bands, 16, 16)).astype(dtype),
            random.random((1 if alike else bands, 16, 16)) > 1 / 3,
        )
        for _ in range(count)
    ]


def merged(given: list[Layer], selection: str, *, expression: str | None = None) -> Merge:
    merge = Merge(pixel_selection=selection, expression=expression)
    for each in given:
        merge.add(each)
    return merge


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
@pytest.mark.parametrize(
    ("selection", "alike"),
    [
        *((selection, True) for selection in PIXEL_SELECTIONS),
        # rio-tiler lets last bands decide that are not valid.
        *((selection, False) for selection in PIXEL_SELECTIONS if selection not in BY_LAST_BAND),
    ],
)
def test_each_selection_gives_what_rio_tilers_own_method_gives(selection: str, dtype: str, alike: bool) -> None:
    given = layers(dtype=dtype, bands=3, alike=alike)
    method = PixelSelectionMethod[selection].value()
    for each in given:
        method.feed(np.ma.MaskedArray(each.bands.copy(), mask=np.broadcast_to(~each.valid, each.bands.shape).copy()))
    expected = method.data if method.data.ndim == 3 else method.data[np.newaxis]
    image = merged(given, selection).result()
    assert image is not None
    valid = ~np.ma.getmaskarray(expected)
    np.testing.assert_array_equal(np.broadcast_to(image.valid, valid.shape), valid)
    np.testing.assert_array_equal(image.mask, valid.any(axis=0))
    # Sums of 64 bits here, of 32 bits there.
    tolerance = 1e-5 if dtype == "float32" and selection in ("mean", "stdev") else 1e-12
    np.testing.assert_allclose(image.bands[valid], expected.data[valid], rtol=tolerance)
    assert image.bands.dtype == expected.dtype


def test_layers_with_and_without_bands_of_their_own_validity_go_together() -> None:
    together, apart = layers(bands=2), layers(bands=2, alike=False, seed=8)
    for selection in PIXEL_SELECTIONS:
        spelled = [layer(each.bands, np.broadcast_to(each.valid, each.bands.shape)) for each in (*together, *apart)]
        image, same = (merged(given, selection).result() for given in ([*together, *apart], spelled))
        assert image is not None
        assert same is not None
        np.testing.assert_array_equal(image.bands, same.bands)
        np.testing.assert_array_equal(np.broadcast_to(image.valid, same.valid.shape), same.valid)


@pytest.mark.parametrize("selection", PIXEL_SELECTIONS)
def test_only_a_median_needs_more_memory_for_more_layers(selection: str) -> None:
    few, many = (peak_bytes(selection, count) for count in (4, 64))
    layer_bytes = 2 * 128 * 128 * 4
    assert (many - few < layer_bytes) is (selection != "median")
    assert many - few < 70 * layer_bytes + (8 << 20)


def peak_bytes(selection: str, count: int) -> int:
    """The most that is in use while layers come, each made when the one before it was taken."""
    random = np.random.default_rng(1)
    tracemalloc.start()
    merge = Merge(pixel_selection=selection)
    for _ in range(count):
        merge.add(layer(random.random((2, 128, 128), np.float32), random.random((128, 128)) > 0.5))
    merge.result()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_a_median_of_more_than_it_may_hold_is_too_large() -> None:
    median = Median(max_bytes=3 * 16 * 16 * 9)
    bands, valid = np.ones((2, 16, 16), np.float32), np.ones((16, 16), np.bool_)
    for _ in range(3):
        median.feed(bands, valid)
        median.feed(bands, ~valid)
    with pytest.raises(TooLarge, match="pixel_selection"):
        median.feed(bands, valid)


def test_medians_of_many_rows_are_taken_strip_by_strip_alike() -> None:
    random = np.random.default_rng(4)
    values = random.integers(0, 255, (9, 1, 2048, 300), np.uint8)
    median = Median()
    for bands in values:
        median.feed(bands, np.ones((1, 2048, 300), np.bool_))
    merged, _ = median.result() or (None, None)
    np.testing.assert_array_equal(merged, np.median(values, axis=0))


@pytest.mark.parametrize("selection", ["lastbandlow", "lastbandhigh"])
def test_going_by_the_last_band_needs_another_one(selection: str) -> None:
    with pytest.raises(Invalid, match="two bands") as error:
        merged(layers(bands=1), selection)
    assert error.value.field == "pixel_selection"
    image = merged(layers(bands=1), selection, expression="b1;b1*2").result()
    assert image is not None
    assert len(image.bands) == 1


def test_the_layers_that_were_given_are_left_as_they_were() -> None:
    given = layers()
    before = [(each.bands.copy(), each.mask.copy()) for each in given]
    merged(given, "highest").result()
    for each, (bands, mask) in zip(given, before, strict=True):
        np.testing.assert_array_equal(each.bands, bands)
        np.testing.assert_array_equal(each.mask, mask)


def test_an_expression_is_computed_for_each_layer_before_they_are_merged() -> None:
    valid = np.ones((1, 2), np.bool_)
    one, two = (
        layer(np.array([[[1.0, 9.0]], [[2.0, 1.0]]]), valid),
        layer(np.array([[[4.0, 1.0]], [[1.0, 3.0]]]), valid),
    )
    image = merged([one, two], "highest", expression="b1-b2;b1*b2").result()
    assert image is not None
    np.testing.assert_array_equal(image.bands, [[[3.0, 8.0]], [[4.0, 9.0]]])


def test_an_expression_has_neither_the_nodata_nor_the_palette_of_its_bands() -> None:
    one = layer(np.ones((1, 2, 2), np.uint8), np.ones((2, 2), np.bool_), nodata=0, palette={1: (255, 0, 0, 255)})
    plain, derived = (merged([one], "first", expression=text).result() for text in (None, "b1*2"))
    assert plain is not None
    assert derived is not None
    assert (plain.nodata, plain.palette) == (0, {1: (255, 0, 0, 255)})
    assert (derived.nodata, derived.palette) == (None, None)


@pytest.mark.parametrize("selection", ["stdev", "count", "mean"])
def test_what_is_no_longer_an_index_has_no_palette(selection: str) -> None:
    palette = {1: (255, 0, 0, 255)}
    image = merged(
        [layer(np.ones((1, 2, 2), np.uint8), np.ones((2, 2), np.bool_), palette=palette)], selection
    ).result()
    assert image is not None
    assert image.palette is None


def test_first_is_done_once_every_pixel_is_valid_and_not_before() -> None:
    left = np.array([[True, False]])
    merge = Merge(pixel_selection="first")
    for mask, done in ((left, False), (left, False), (~left, True)):
        merge.add(layer(np.ones((1, 1, 2)), mask))
        assert merge.done is done


@pytest.mark.parametrize("selection", [name for name in PIXEL_SELECTIONS if name != "first"])
def test_no_other_selection_is_ever_done(selection: str) -> None:
    given = [layer(each.bands, np.ones((16, 16), np.bool_)) for each in layers()]
    assert not merged(given, selection).done


def test_nothing_added_is_no_image() -> None:
    assert Merge(pixel_selection="mean").result() is None


def test_another_number_of_bands_is_not_accepted_once_there_is_a_first() -> None:
    one, two = layers(bands=1)[0], layers(bands=2)[0]
    merge = Merge(pixel_selection="first")
    assert merge.accepts(two)
    merge.add(one)
    assert merge.accepts(one)
    assert not merge.accepts(two)


def test_a_condition_gives_numbers_that_every_format_can_hold() -> None:
    image = merged(layers(bands=1), "first", expression="b1>100").result()
    assert image is not None
    assert image.bands.dtype == np.uint8
    assert set(np.unique(image.bands)) <= {0, 1}


@pytest.mark.parametrize(
    "expression",
    ["", ";", "1+1", "b1+", "b1+b2)", "import os", "b1.real", "foo(b1)", "__import__('os')", "bA", "b1,b2", "[b1]"],
    ids=lambda text: text[:12],
)
def test_what_is_no_band_expression_is_refused_before_a_pixel_is_read(expression: str) -> None:
    with pytest.raises(Invalid) as error:
        check_expression(expression)
    assert error.value.field == "expression"


@pytest.mark.parametrize("expression", ["-" * 60_000 + "b1", "(" * 5_000 + "b1" + ")" * 5_000], ids=["minus", "nested"])
def test_an_expression_too_deep_to_parse_is_refused(expression: str) -> None:
    with pytest.raises(Invalid) as error:
        check_expression(expression)
    assert error.value.field == "expression"


@pytest.mark.parametrize("expression", ["b1+b9", "b1+foo", "b1 & 1.5"])
def test_what_cannot_be_computed_from_the_bands_is_refused(expression: str) -> None:
    with pytest.raises(Invalid) as error:
        merged(layers(bands=1), "first", expression=expression)
    assert error.value.field == "expression"


def test_the_bands_that_an_expression_needs_are_counted_once_and_in_order() -> None:
    assert expression_bands("b3/B1;b11-b3") == (1, 3, 11)


def test_the_selections_are_rio_tilers() -> None:
    assert sorted(PIXEL_SELECTIONS) == sorted(method.name for method in PixelSelectionMethod)


def test_an_unknown_selection_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Invalid, match="lowest") as error:
        Merge(pixel_selection="best")
    assert error.value.field == "pixel_selection"


def test_an_expression_is_valid_where_all_bands_that_it_names_are() -> None:
    valid = np.array([[[True, True, False]], [[True, False, False]], [[False, True, True]]])
    given = layer(np.arange(9, dtype=np.float32).reshape(3, 1, 3), valid)
    image = merged([given], "first", expression="b1-b2;b3*2").result()
    assert image is not None
    np.testing.assert_array_equal(image.valid, [[[True, False, False]], [[False, True, True]]])


def test_where_a_band_is_missing_another_granule_gives_it() -> None:
    bare = layer(np.array([[[10]], [[-32767]]], np.int16), np.array([[[True]], [[False]]]), nodata=-32767)
    whole = layer(np.array([[[30]], [[30]]], np.int16), np.array([[[True]]]))
    image = merged([bare, whole], "first").result()
    assert image is not None
    assert image.bands.ravel().tolist() == [10, 30]


@pytest.mark.parametrize("selection", PIXEL_SELECTIONS)
def test_a_layer_without_a_valid_pixel_does_not_say_how_many_bands_there_are(selection: str) -> None:
    merge = Merge(pixel_selection=selection)
    empty = layer(np.zeros((2, 4, 4), np.uint8), np.zeros((1, 4, 4), np.bool_))
    whole, other = (layer(np.full((bands, 4, 4), 7, np.uint8), np.ones((1, 4, 4), np.bool_)) for bands in (3, 2))
    assert merge.accepts(empty)
    merge.add(empty)
    assert merge.accepts(whole)
    merge.add(whole)
    assert not merge.accepts(other)
    image = merge.result()
    assert image is not None
    assert image.mask.all()
