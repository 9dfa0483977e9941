"""Encoding images as PNG, JPEG, WebP, GeoTIFF and NPY."""

import io
from enum import StrEnum

import imagecodecs
import numpy as np
import numpy.typing as npt

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.rendering.geotiff import encode_geotiff
from quadmosaic.rendering.merge import Image
from quadmosaic.rendering.png import encode_png

QUALITY = 75
"""Of JPEG and WebP."""

_APART = 8
"""Steps between 32-bit floats, of which GDAL takes those for equal that are up to four apart, 64-bit ones as well."""


class ImageFormat(StrEnum):
    """Formats by their file name extension."""

    PNG = "png"
    JPEG = "jpg"
    WEBP = "webp"
    TIFF = "tif"
    NPY = "npy"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]

    @property
    def is_view(self) -> bool:
        """Whether it is made for the eye: 8 bits, one or three bands."""
        return self in (ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.WEBP)


_MEDIA_TYPES = {
    ImageFormat.PNG: "image/png",
    ImageFormat.JPEG: "image/jpeg",
    ImageFormat.WEBP: "image/webp",
    ImageFormat.TIFF: "image/tiff; application=geotiff",
    ImageFormat.NPY: "application/x-binary",
}
_ALIASES = {"jpeg": ImageFormat.JPEG, "tiff": ImageFormat.TIFF}


def parse_format(text: str) -> ImageFormat:
    """Raises Invalid (field "format")."""
    if text in _ALIASES:
        return _ALIASES[text]
    try:
        return ImageFormat(text)
    except ValueError:
        names = ", ".join([*ImageFormat, *_ALIASES])
        raise Invalid(f"{text!r} is none of {names}", field="format") from None


def encode(image: Image, image_format: ImageFormat, *, geobox: GeoBox, with_mask: bool) -> bytes:
    """The file. Views must be uint8 with one or three bands; `with_mask` adds alpha, a mask or a last array."""
    if image_format is ImageFormat.TIFF:
        return _geotiff(image, geobox=geobox, with_mask=with_mask)
    if image_format is ImageFormat.NPY:
        return _npy(image, with_mask=with_mask)
    return _view(image, image_format, with_mask=with_mask)


def _view(image: Image, image_format: ImageFormat, *, with_mask: bool) -> bytes:
    bands = np.asarray(image.bands, np.uint8)
    alpha = np.where(image.mask, 255, 0).astype(np.uint8) if with_mask else None
    if image_format is ImageFormat.PNG:
        return encode_png(bands, alpha)
    if image_format is ImageFormat.JPEG:
        return bytes(imagecodecs.jpeg8_encode(bands[0] if len(bands) == 1 else _interleaved(*bands), level=QUALITY))
    colors = bands if len(bands) == 3 else (bands[0],) * 3
    pixels = _interleaved(*colors) if alpha is None else _interleaved(*colors, alpha)
    return bytes(imagecodecs.webp_encode(pixels, level=QUALITY, lossless=False, method=0))


def _interleaved(*planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(height, width, sample); several times as fast as moving an axis."""
    pixels = np.empty((*planes[0].shape, len(planes)), np.uint8)
    for number, plane in enumerate(planes):
        pixels[..., number] = plane
    return pixels


def _npy(image: Image, *, with_mask: bool) -> bytes:
    mask = np.where(image.mask, 255, 0).astype(np.uint8)
    with io.BytesIO() as memory:
        np.save(memory, np.concatenate((image.bands, mask[np.newaxis])) if with_mask else image.bands)
        return memory.getvalue()


def tiff_nodata(dtype: np.dtype[np.generic], nodata: float | None) -> float | None:
    """The nodata value that a GeoTIFF of this type can declare, NaN for floats without a fitting one of their own."""
    if np.issubdtype(dtype, np.floating):
        limit = float(np.finfo(dtype).max)  # type: ignore[type-var]
        return nodata if nodata is not None and abs(nodata) <= limit else float("nan")
    if nodata is None or not float(nodata).is_integer():
        return None
    limits = np.iinfo(dtype)  # type: ignore[type-var]
    return nodata if limits.min <= nodata <= limits.max else None


def _geotiff(image: Image, *, geobox: GeoBox, with_mask: bool) -> bytes:
    dtype = np.dtype(np.uint8) if image.bands.dtype == np.bool_ else image.bands.dtype
    nodata = tiff_nodata(dtype, image.nodata)
    mask = image.mask if with_mask or nodata is None else None
    fill = dtype.type(0 if nodata is None else nodata)
    values = image.bands.astype(dtype, copy=False)
    if mask is None:
        values = np.where(values == fill, _beside(fill), values)
    return encode_geotiff(
        np.where(image.valid, values, fill), crs=geobox.crs, bounds=geobox.bounds, nodata=nodata, mask=mask
    )


def _beside(nodata: np.generic) -> np.generic:
    """What a valid value becomes that would read as nodata: a number next to it, as in GDAL's warper."""
    if isinstance(nodata, np.floating):
        step = float(max(np.finfo(nodata.dtype).eps, np.finfo(np.float32).eps))
        beside: np.generic = nodata.dtype.type(float(nodata) * (1 - _APART * step) or np.finfo(nodata.dtype).tiny)
        return beside
    number, lowest = int(nodata.item()), np.iinfo(nodata.dtype.name).min
    return nodata.dtype.type(number + 1 if number == lowest else number - 1)
