"""Merging layers into one image by a pixel selection, after an expression where there is one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quadmosaic.domain.errors import Invalid
from quadmosaic.ports import Layer
from quadmosaic.rendering.selections import Bands, Flags, Merger, merger

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
    from rio_tiler.expression import parse_expression

    return tuple(sorted(parse_expression(expression)))


@dataclass(kw_only=True)
class Merge:
    """Takes layers best first, and is `done` once later ones cannot change the result."""

    pixel_selection: str
    expression: str | None = None
    _merger: Merger = field(init=False)
    _first: Layer | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._merger = merger(self.pixel_selection)

    @property
    def done(self) -> bool:
        return self._merger.done

    def add(self, layer: Layer) -> None:
        """Feed one layer, with as many bands as the others (`accepts`).

        Raises Invalid when the expression names a band that the layer lacks (field "expression") or the selection needs
        more bands (field "pixel_selection"), TooLarge for more than a median may hold.
        """
        if self._first is None:
            self._first = layer
        bands = layer.bands if self.expression is None else _computed(layer, self.expression)
        self._merger.feed(bands, layer.mask)

    def accepts(self, layer: Layer) -> bool:
        """Whether the layer has as many bands as those before it."""
        return self._first is None or len(layer.bands) == len(self._first.bands)

    def result(self) -> Image | None:
        """The merged image, None when no layer was added."""
        merged = self._merger.result()
        if merged is None or self._first is None:
            return None
        bands, mask = merged
        is_derived = self.expression is not None
        return Image(
            bands=bands.view(np.uint8) if bands.dtype == np.bool_ else bands,
            mask=mask,
            nodata=None if is_derived or self.pixel_selection == "count" else self._first.nodata,
            palette=None if is_derived or self.pixel_selection in COMPUTED else self._first.palette,
        )


# In quotes, since numpy imports `ma` when it is first named, which no tile needs.
def _masked(bands: Bands, valid: Flags) -> "np.ma.MaskedArray":
    return np.ma.MaskedArray(bands, mask=np.broadcast_to(~valid, bands.shape).copy())


def _computed(layer: Layer, expression: str) -> Bands:
    from rio_tiler.errors import InvalidExpression
    from rio_tiler.expression import apply_expression, get_expression_blocks

    blocks = get_expression_blocks(expression)
    try:
        result = apply_expression(blocks, list(layer.band_names), _masked(layer.bands, layer.mask))
    except (InvalidExpression, KeyError) as error:
        names = ", ".join(layer.band_names)
        raise Invalid(f"{expression!r} cannot be computed from bands {names}", field="expression") from error
    return np.asarray(result.data)
