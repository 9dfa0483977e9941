"""Conditions in CQL2 text, by which OGC and STAC APIs filter features.

Source: https://docs.ogc.org/is/21-065r2/21-065r2.html
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from quadmosaic.domain.errors import Invalid

LONGEST = 1000
DEEPEST = 32
"""Bounds of a text: the parser recurses, and a stack that is full would end the process."""

_OPERATOR = re.compile(
    r"and|or|not|=|<>|[<>]=?|[-+*/^%]|div|like|between|in|isnull|casei|accenti"
    r"|s_(contains|crosses|disjoint|equals|intersects|overlaps|touches|within)"
    r"|t_(after|before|contains|disjoint|during|equals|finishedby|finishes|intersects|meets|metby|overlappedby|overlaps)"
    r"|t_(startedby|starts)|a_(contains|containedby|equals|overlaps)",
    re.IGNORECASE,
)

type Condition = Callable[[Mapping[str, Any]], bool]
"""Does it hold for a GeoJSON feature? One that lacks the property, or has it in another type, is not chosen."""


def parse_condition(text: str) -> Condition:
    """A condition on the properties, `id` and `geometry` of features. Raises Invalid (field "filter"), as does what
    it gives where a value in the text is none.
    """
    import cql2

    if len(text) > LONGEST or _depth(text) > DEEPEST:
        raise _invalid(f"is longer than {LONGEST} characters, or deeper than {DEEPEST} brackets")
    try:
        expression = cql2.parse_text(text)
        probe: Any = expression.reduce({"type": "Feature", "properties": {}}).to_json()
    except (cql2.ParseError, ValueError) as error:
        raise _invalid("is no CQL2 text, like gsd < 10 AND name LIKE 'P01%'") from error
    if not isinstance(probe, bool | None) and not (isinstance(probe, dict) and "op" in probe):
        raise _invalid("is a value, and no condition")
    _check_operators(expression.to_json())

    def holds(feature: Mapping[str, Any]) -> bool:
        try:
            result: Any = expression.reduce(dict(feature)).to_json()
        except Exception as error:
            # The library raises nothing narrower, and nothing goes on here.
            raise _invalid("compares what cannot be compared, or has a time that is none") from error
        return result is True

    return holds


def _depth(text: str) -> int:
    depth = deepest = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    return deepest


def _check_operators(document: Any) -> None:
    waiting = [document]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            waiting += node if isinstance(node, list) else []
            continue
        if "op" in node and _OPERATOR.fullmatch(node["op"]) is None:
            raise _invalid(f"has the function {node['op']!r}, which is not known")
        waiting += node.get("args", [])


def _invalid(message: str) -> Invalid:
    return Invalid(message, field="filter")
