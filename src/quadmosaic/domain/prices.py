"""Prices of a cloud's services: steps and free allowances as a dated document states them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from itertools import pairwise

import msgspec

from quadmosaic.domain.errors import Invalid


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """`dollars` for `per` units; `above` says from which quantity of a month another price holds."""

    unit: str
    per: float
    dollars: float
    source: str
    free: float = 0.0
    above: tuple[tuple[float, float], ...] = ()

    def of(self, quantity: float, *, free_tier: bool = False) -> float:
        """Dollars for a month's `quantity`; `free_tier` subtracts what is free of charge first."""
        left = max(0.0, quantity - self.free) if free_tier else quantity
        steps = [(0.0, self.dollars), *self.above, (float("inf"), 0.0)]
        return sum(
            max(0.0, min(left, end) - start) * dollars / self.per for (start, dollars), (end, _) in pairwise(steps)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceList:
    """The prices of one region on one day, in one currency."""

    date: date
    region: str
    currency: str
    prices: Mapping[str, Price]

    def named(self, name: str) -> Price:
        """Raises Invalid (field "prices") where it is not listed."""
        if name not in self.prices:
            raise Invalid(f"{name} is not listed", field="prices")
        return self.prices[name]


def own_prices() -> PriceList:
    """Those that the product comes with."""
    return parse_prices((files("quadmosaic.domain") / "prices.toml").read_text("utf-8"))


def parse_prices(text: str) -> PriceList:
    """The price list that a text of prices.toml's form says. Raises Invalid (field "prices")."""
    try:
        listed = msgspec.toml.decode(text, type=PriceList)
    except msgspec.DecodeError as error:
        raise Invalid(str(error), field="prices") from error
    for name, price in listed.prices.items():
        starts = [0.0, *(start for start, _ in price.above)]
        if min(price.dollars, price.free, *(dollars for _, dollars in price.above), 0) < 0 or price.per <= 0:
            raise Invalid(f"{name}: no number may be negative, nor `per` be 0", field="prices")
        if any(later <= earlier for earlier, later in pairwise(starts)):
            raise Invalid(f"{name}: the steps of `above` must ascend", field="prices")
    return listed
