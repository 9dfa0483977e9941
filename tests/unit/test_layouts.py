"""What is said of images before any is drawn."""

import pytest

from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.mosaic import AssetProfile
from quadmosaic.rendering.encode import ImageFormat
from quadmosaic.rendering.style import Style
from quadmosaic.services.layouts import Layout, layout
from quadmosaic.services.requests import ImageRequest

COLOUR = AssetProfile(key="color", count=3, dtype="uint16", nodata=0.0)
UNREAD = AssetProfile(key="dtm")


def test_values_keep_bands_type_and_nodata_of_the_files() -> None:
    assert layout(COLOUR, ImageRequest(), ImageFormat.TIFF) == Layout(bands=3, dtype="uint16", nodata=0.0)


def test_chosen_bands_are_counted() -> None:
    assert layout(COLOUR, ImageRequest(bidx=(3, 1)), ImageFormat.TIFF).bands == 2


def test_unscaled_values_are_float() -> None:
    assert layout(COLOUR, ImageRequest(unscale=True), ImageFormat.TIFF).dtype == "float32"


def test_rescaled_values_are_bytes_without_nodata() -> None:
    request = ImageRequest(style=Style(rescale=((0.0, 10.0),)))
    assert layout(COLOUR, request, ImageFormat.TIFF) == Layout(bands=3, dtype="uint8", nodata=None)


def test_pictures_have_alpha_unless_told_otherwise() -> None:
    assert layout(COLOUR, ImageRequest(), ImageFormat.PNG).bands == 4
    assert layout(COLOUR, ImageRequest(return_mask=False), ImageFormat.PNG).bands == 3
    assert layout(COLOUR, ImageRequest(), ImageFormat.JPEG).bands == 3


def test_the_type_of_unread_files_is_unknown_but_pictures_are_bytes() -> None:
    with pytest.raises(Unavailable, match="dtm"):
        layout(UNREAD, ImageRequest(), ImageFormat.TIFF)
    assert layout(UNREAD, ImageRequest(), ImageFormat.PNG).dtype == "uint8"


def test_missing_bands_are_named() -> None:
    with pytest.raises(Invalid) as raised:
        layout(COLOUR, ImageRequest(bidx=(4,)), ImageFormat.TIFF)
    assert raised.value.field == "bidx"
