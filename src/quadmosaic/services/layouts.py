"""Layouts: which bands, of which type and nodata value, the images of a request have, before one is drawn."""

from dataclasses import dataclass

import numpy as np

from quadmosaic.domain.errors import Unavailable
from quadmosaic.domain.mosaic import AssetProfile
from quadmosaic.rendering.encode import ImageFormat, tiff_nodata
from quadmosaic.rendering.style import VISIBLE_BANDS, colored
from quadmosaic.services.images import blank
from quadmosaic.services.requests import ImageRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """`bands` counts alpha; `dtype` is numpy's name; `nodata` is None where alpha, or nothing, says what is empty."""

    bands: int
    dtype: str
    nodata: float | None


def layout(profile: AssetProfile, request: ImageRequest, image_format: ImageFormat) -> Layout:
    """The layout of every image of a request; that of values is found by drawing one empty pixel.

    Views count as RGB, which is what grey ones are read as by who expects three or four bands. Raises Unavailable
    for values of files of which nothing is known, Invalid where the request does not fit them.
    """
    if image_format.is_view:
        has_alpha = image_format is not ImageFormat.JPEG and request.return_mask is not False
        return Layout(bands=VISIBLE_BANDS + has_alpha, dtype="uint8", nodata=None)
    if profile.dtype is None or profile.count is None:
        raise Unavailable(f"the files of asset {profile.key!r} have not been read yet, so their type is not known")
    values = colored(blank(profile, request), request.style)
    dtype = np.dtype(np.uint8) if values.bands.dtype == np.bool_ else values.bands.dtype
    return Layout(bands=len(values.bands), dtype=dtype.name, nodata=tiff_nodata(dtype, values.nodata))
