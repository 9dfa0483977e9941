"""Style: how values become colours, by parameters that are checked before a pixel is read.

rio-tiler is imported for colormaps only, and color-operations for formulas.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from quadmosaic.domain.errors import Invalid
from quadmosaic.rendering.merge import Image

type Rgba = tuple[int, int, int, int]
type Colormap = dict[int | float, Rgba] | tuple[tuple[tuple[float, float], Rgba], ...]
type Range = tuple[float, float]

VISIBLE_BANDS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """`rescale` is one (low, high) for all bands or one per band; `colormap` needs a single band.

    `is_ramp` says that the colormap runs from dark 0 to bright 255 and does not speak of the values themselves.
    """

    rescale: tuple[Range, ...] = ()
    colormap: Colormap | None = None
    is_ramp: bool = False
    color_formula: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether values stay as they are."""
        return not self.rescale and self.colormap is None and self.color_formula is None


def parse_rescale(texts: Sequence[str]) -> tuple[Range, ...]:
    """`["0,1000"]` or `["0,10", "5,20"]` or `["0,10,5,20"]`. Raises Invalid (field "rescale")."""
    ranges: list[Range] = []
    for text in texts:
        try:
            numbers = [float(part) for part in text.replace("[", "").replace("]", "").split(",")]
        except ValueError:
            numbers = []
        if not numbers or len(numbers) % 2 or not np.isfinite(numbers).all():
            raise Invalid(f"{text!r} is not a pair low,high for each band", field="rescale")
        ranges += list(zip(numbers[::2], numbers[1::2], strict=True))
    if any(low >= high for low, high in ranges):
        raise Invalid("low must be below high", field="rescale")
    return tuple(ranges)


def colormap_names() -> tuple[str, ...]:
    """Of all named colormaps, in order."""
    from rio_tiler.colormap import cmap

    return tuple(sorted(cmap.list()))


def colormap_named(name: str) -> Colormap:
    """Raises Invalid (field "colormap_name")."""
    from rio_tiler.colormap import cmap
    from rio_tiler.errors import InvalidColorMapName

    try:
        found = cmap.get(name)
    except InvalidColorMapName:
        raise Invalid(f"there is no colormap {name!r}; /colorMaps lists them", field="colormap_name") from None
    return {value: color for value, color in found.items()} if isinstance(found, dict) else tuple(found)  # noqa: C416


def parse_colormap(text: str) -> Colormap:
    """`{"0": "#ff0000", "10": [0, 255, 0, 255]}` or `[[[0, 10], "#f00"], ...]`. Raises Invalid (field "colormap")."""
    from rio_tiler.errors import InvalidColorFormat

    try:
        document = json.loads(text)
        if not document:
            raise ValueError("no colors")
        if isinstance(document, list):
            intervals = [((float(low), float(high)), _rgba(color)) for (low, high), color in document]
            return tuple(intervals)
        return {_number(value): _rgba(color) for value, color in document.items()}
    except (ValueError, TypeError, AttributeError, RecursionError, InvalidColorFormat) as error:
        form = 'JSON {"value": color, ...} or [[[low, high], color], ...], a color being "#rrggbb" or [r, g, b, a]'
        raise Invalid(f"not {form}", field="colormap") from error


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


def _rgba(color: str | Sequence[int]) -> Rgba:
    from rio_tiler.colormap import parse_color

    red, green, blue, alpha = parse_color(color)
    if not all(isinstance(part, int) and 0 <= part <= 255 for part in (red, green, blue, alpha)):
        raise ValueError("not 0 to 255")
    return red, green, blue, alpha


def parse_color_formula(text: str) -> str:
    """The formula itself, or Invalid (field "color_formula")."""
    from color_operations import parse_operations

    try:
        list(parse_operations(text))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Invalid(f"not a formula like 'gamma RGB 1.8, saturation 1.2': {error}", field="color_formula") from error
    return text


def colored(image: Image, style: Style) -> Image:
    """Rescale, formula and colormap, those that the style has, in this order. Raises Invalid for a misfit."""
    bands, valid = image.bands, image.valid
    if style.rescale:
        bands = stretched(bands, valid, style.rescale)
    if style.color_formula:
        bands = _apply_formula(bands, style.color_formula)
    if style.colormap is not None:
        bands, visible = _apply_colormap(bands, style.colormap)
        valid = valid & visible
    derived = not style.is_plain
    return Image(bands=bands, valid=valid, nodata=None if derived else image.nodata, palette=None)


def view(image: Image, style: Style, *, stretch: Sequence[Range]) -> Image:
    """One or three uint8 bands for the eye; `stretch` (per band) is used where the style does not rescale."""
    if style.colormap is None and image.palette and style.is_plain:
        style = Style(colormap={value: color for value, color in image.palette.items()})  # noqa: C416
    shown = image
    if style.colormap is None and len(image.bands) not in (1, VISIBLE_BANDS):
        kept = VISIBLE_BANDS if len(image.bands) > VISIBLE_BANDS else 1
        shown = Image(bands=image.bands[:kept], valid=image.valid[:kept], nodata=image.nodata)
    dtype = shown.bands.dtype
    if not style.rescale and not _speaks_of_values(style, dtype) and needs_stretch(dtype, stretch):
        style = replace(style, rescale=tuple(stretch[: len(shown.bands)]) or (_type_range(dtype),))
    result = colored(shown, style)
    bands = result.bands if result.valid.all() else np.where(result.valid, result.bands, 0)
    bands = bands.astype(np.uint8, copy=False)
    return Image(bands=bands, valid=result.valid)


def needs_stretch(dtype: np.dtype[np.generic], stretch: Sequence[Range]) -> bool:
    """Bytes are shown as they are, unless they fill less than half of their range."""
    if dtype != np.uint8:
        return True
    return bool(stretch) and max(high - low for low, high in stretch) < 128


def _speaks_of_values(style: Style, dtype: np.dtype[np.generic]) -> bool:
    """Whether the colormap is for the values as they are; one of 256 colors is so for bytes, and no named one is."""
    if style.colormap is None:
        return False
    return isinstance(style.colormap, tuple) or len(style.colormap) != 256 or (dtype == np.uint8 and not style.is_ramp)


def _type_range(dtype: np.dtype[np.generic]) -> Range:
    if dtype.kind not in "iu":
        return 0.0, 1.0
    limits = np.iinfo(dtype.name)
    return float(limits.min), float(limits.max)


def stretched(
    bands: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_], ranges: Sequence[Range]
) -> npt.NDArray[np.uint8]:
    """Bands stretched linearly from their (low, high) to 0..255, 0 where invalid."""
    if len(ranges) not in (1, len(bands)):
        raise Invalid(f"{len(ranges)} ranges for {len(bands)} bands: give one or as many", field="rescale")
    pairs = ranges if len(ranges) == len(bands) else [ranges[0]] * len(bands)
    if bands.dtype == np.uint8:
        tables = [_scaled(_BYTES, pair) for pair in pairs]
        result = np.stack([table[band] for table, band in zip(tables, bands, strict=True)])
    else:
        result = np.stack([_scaled(band, pair) for band, pair in zip(bands, pairs, strict=True)])
    return result if valid.all() else np.where(valid, result, np.uint8(0))


_BYTES = np.arange(256, dtype=np.uint8)


def _scaled(values: npt.NDArray[np.generic], pair: Range) -> npt.NDArray[np.uint8]:
    """Values with what is not a number as the lowest, so that nothing is cast that has no byte."""
    low, high = pair
    scaled = np.fmax(values, low, dtype=np.float64)
    np.minimum(scaled, high, out=scaled)
    scaled -= low
    scaled /= high - low
    scaled *= 255
    return np.asarray(scaled.astype(np.uint8))


def _apply_formula(bands: npt.NDArray[np.generic], formula: str) -> npt.NDArray[np.uint8]:
    from color_operations import parse_operations, scale_dtype, to_math_type

    if bands.dtype not in (np.uint8, np.uint16):
        raise Invalid("needs 8 or 16 bit values: add rescale", field="color_formula")
    try:
        for operation in parse_operations(formula):
            bands = scale_dtype(operation(to_math_type(bands)), np.uint8)
    except (ValueError, IndexError, TypeError) as error:
        raise Invalid(f"does not fit {len(bands)} bands: {error}", field="color_formula") from error
    return np.asarray(bands, dtype=np.uint8)


def _apply_colormap(
    bands: npt.NDArray[np.generic], colormap: Colormap
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    if len(bands) != 1:
        raise Invalid(f"needs one band, here are {len(bands)}: add bidx or expression", field="colormap_name")
    from rio_tiler.colormap import apply_cmap

    data, alpha = apply_cmap(bands, colormap)
    return data, alpha > 0


def describe_colormap(name: str) -> Mapping[str, list[int]]:
    """Value -> [r, g, b, a] of a named colormap; intervals are keyed "low,high"."""
    colormap = colormap_named(name)
    if isinstance(colormap, dict):
        return {str(value): [int(part) for part in color] for value, color in colormap.items()}
    return {f"{low},{high}": [int(part) for part in color] for (low, high), color in colormap}
