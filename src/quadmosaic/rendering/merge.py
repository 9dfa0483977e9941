"""Merging layers into one image, by any of rio-tiler's pixel selections."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from rio_tiler.errors import InvalidExpression
from rio_tiler.expression import apply_expression, get_expression_blocks, parse_expression, validate_expression
from rio_tiler.mosaic.methods import PixelSelectionMethod
from rio_tiler.mosaic.methods.base import MosaicMethodBase

from quadmosaic.domain.errors import Invalid
from quadmosaic.ports import Layer

PIXEL_SELECTIONS = tuple(method.name for method in PixelSelectionMethod)
COMPUTED = frozenset({"mean", "median", "stdev", "count"})
"""Selections whose values need not be any granule's own."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Image:
    """Pixels ready to be drawn: `bands` is (band, height, width), `mask` is (height, width), True where valid."""

    bands: npt.NDArray[np.generic]
    mask: npt.NDArray[np.bool_]
    nodata: float | None = None
    palette: Mapping[int, tuple[int, int, int, int]] | None = None


def check_expression(expression: str) -> str:
    """The expression itself, or Invalid (field "expression")."""
    try:
        validate_expression(expression)
        parse_expression(expression)
    except (InvalidExpression, ValueError, RecursionError, MemoryError) as error:
        raise Invalid(f"not a band expression like b1*2 or (b2-b1)/(b2+b1): {error}", field="expression") from error
    return expression


def expression_bands(expression: str) -> tuple[int, ...]:
    """The 1-based bands that an expression needs, in order."""
    return tuple(sorted(parse_expression(expression)))


def pixel_selection(name: str) -> MosaicMethodBase:
    """A fresh merger. Raises Invalid (field "pixel_selection")."""
    if name not in PIXEL_SELECTIONS:
        raise Invalid(f"{name!r} is none of {', '.join(PIXEL_SELECTIONS)}", field="pixel_selection")
    merger: MosaicMethodBase = PixelSelectionMethod[name].value()
    return merger


@dataclass(kw_only=True)
class Merge:
    """Takes layers best first, and is `done` once later ones cannot change the result."""

    pixel_selection: str
    expression: str | None = None
    _merger: MosaicMethodBase = field(init=False)
    _first: Layer | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._merger = pixel_selection(self.pixel_selection)

    @property
    def done(self) -> bool:
        return bool(self._merger.is_done)

    def add(self, layer: Layer) -> None:
        """Feed one layer, with as many bands as the others (`accepts`).

        Raises Invalid (field "expression") when the expression names a band that the layer lacks.
        """
        if self._first is None:
            self._first = layer
        self._merger.feed(_masked(layer, self.expression))

    def accepts(self, layer: Layer) -> bool:
        """Whether the layer has as many bands as those before it."""
        return self._first is None or len(layer.bands) == len(self._first.bands)

    def result(self) -> Image | None:
        """The merged image, None when no layer was added."""
        array = self._merger.data
        if array is None or self._first is None:
            return None
        array = array if array.ndim == 3 else array[np.newaxis]
        bands = np.asarray(array.data)
        is_derived = self.expression is not None
        return Image(
            bands=bands.view(np.uint8) if bands.dtype == np.bool_ else bands,
            mask=~np.logical_and.reduce(np.ma.getmaskarray(array)),
            nodata=None if is_derived or self.pixel_selection == "count" else self._first.nodata,
            palette=None if is_derived or self.pixel_selection in COMPUTED else self._first.palette,
        )


def _masked(layer: Layer, expression: str | None) -> np.ma.MaskedArray:
    invalid = np.broadcast_to(~layer.mask, layer.bands.shape)
    array = np.ma.MaskedArray(layer.bands, mask=invalid.copy())
    if expression is None:
        return array
    blocks = get_expression_blocks(expression)
    try:
        result = apply_expression(blocks, list(layer.band_names), array)
    except (InvalidExpression, KeyError) as error:
        names = ", ".join(layer.band_names)
        raise Invalid(f"{expression!r} cannot be computed from bands {names}", field="expression") from error
    return np.ma.MaskedArray(np.asarray(result.data), mask=np.broadcast_to(~layer.mask, result.shape).copy())
