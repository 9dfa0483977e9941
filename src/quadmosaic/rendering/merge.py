"""Merging layers into one image by a pixel selection, after an expression where there is one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quadmosaic.domain.errors import Invalid
from quadmosaic.ports import Layer, valid_pixels
from quadmosaic.rendering.selections import Bands, Flags, Merger, merger

QUICK_VALUES = 1 << 18
COMPUTED = frozenset({"mean", "median", "stdev", "count"})
"""Selections whose values need not be any granule's own."""
OTHER_UNITS = frozenset({"stdev", "count"})
"""Those of them whose values are of another kind, among which the granules' nodata may be a value like any other."""

_BAND = re.compile(r"\bb(\d+)\b", re.IGNORECASE)
"""As rio-tiler finds them, without its libraries, which the registry lacks."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Image:
    """Pixels ready to be drawn: `bands` is (band, height, width), `valid` too, or (1, height, width) for all bands."""

    bands: npt.NDArray[np.generic]
    valid: npt.NDArray[np.bool_]
    nodata: float | None = None
    palette: Mapping[int, tuple[int, int, int, int]] | None = None

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Where any band is valid, (height, width)."""
        return valid_pixels(self.valid)


def check_expression(expression: str) -> str:
    """The expression itself, or Invalid (field "expression")."""
    from rio_tiler.errors import InvalidExpression
    from rio_tiler.expression import parse_expression, validate_expression

    try:
        validate_expression(expression)
        parse_expression(expression)
    except (InvalidExpression, ValueError, RecursionError, MemoryError) as error:
        raise Invalid(f"not a band expression like b1*2 or (b2-b1)/(b2+b1): {error}", field="expression") from error
    return expression


def expression_bands(expression: str) -> tuple[int, ...]:
    """The 1-based bands that an expression needs, in order."""
    return tuple(sorted({int(number) for number in _BAND.findall(expression)}))


@dataclass(kw_only=True)
class Merge:
    """Takes layers best first, and is `done` once later ones cannot change the result."""

    pixel_selection: str
    expression: str | None = None
    _merger: Merger = field(init=False)
    _first: Layer | None = field(init=False, default=None)
    _is_empty: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        self._merger = merger(self.pixel_selection)

    @property
    def done(self) -> bool:
        return self._merger.done

    def is_quick(self, values: int) -> bool:
        """Whether layers of so many values, over all bands, take no longer than handing them to a thread would."""
        return values <= QUICK_VALUES and self.expression is None and self.pixel_selection != "median"

    def add(self, layer: Layer) -> None:
        """Feed one layer, with as many bands as the others (`accepts`).

        Raises Invalid when the expression names a band that the layer lacks (field "expression") or the selection needs
        more bands (field "pixel_selection"), TooLarge for more than a median may hold.
        """
        if self._first is None or len(layer.bands) != len(self._first.bands):
            self._first, self._merger = layer, merger(self.pixel_selection)
        self._is_empty &= not layer.valid.any()
        fed = (layer.bands, layer.valid) if self.expression is None else _computed(layer, self.expression)
        self._merger.feed(*fed)

    def accepts(self, layer: Layer) -> bool:
        """Whether the layer has as many bands as those before it, or none of these had a valid pixel."""
        return self._first is None or self._is_empty or len(layer.bands) == len(self._first.bands)

    def result(self) -> Image | None:
        """The merged image, None when no layer was added."""
        merged = self._merger.result()
        if merged is None or self._first is None:
            return None
        bands, valid = merged
        is_derived = self.expression is not None
        return Image(
            bands=bands.view(np.uint8) if bands.dtype == np.bool_ else bands,
            valid=valid,
            nodata=None if is_derived or self.pixel_selection in OTHER_UNITS else self._first.nodata,
            palette=None if is_derived or self.pixel_selection in COMPUTED else self._first.palette,
        )


def _computed(layer: Layer, expression: str) -> tuple[Bands, Flags]:
    """What an expression gives, valid where all bands that it names are."""
    from rio_tiler.errors import InvalidExpression
    from rio_tiler.expression import apply_expression, get_expression_blocks

    blocks = get_expression_blocks(expression)
    try:
        result = apply_expression(blocks, list(layer.band_names), np.ma.MaskedArray(layer.bands))
        return np.asarray(result.data), _valid_for(layer, blocks)
    except (InvalidExpression, KeyError, ValueError) as error:
        names = ", ".join(layer.band_names)
        raise Invalid(f"{expression!r} cannot be computed from bands {names}", field="expression") from error


def _valid_for(layer: Layer, blocks: Sequence[str]) -> Flags:
    if len(layer.valid) == 1:
        return layer.valid
    known = [[layer.band_names.index(f"b{band}") for band in expression_bands(block)] for block in blocks]
    return np.stack([layer.valid[bands].all(axis=0) for bands in known])
