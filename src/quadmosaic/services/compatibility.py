"""Compatibility: files of one asset agree on bands and data type, and what becomes of granules whose files do not."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Granule, Header, Refusal
from quadmosaic.domain.mosaic import Compatibility

type Headers = Mapping[str, Mapping[str, Header]]
type Layouts = tuple[tuple[str, tuple[int, str]], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreed:
    """What becomes of granules whose files are not like most: left out, or some of their asset keys renamed.

    Both by position; `groups` are the new keys.
    """

    refused: Mapping[int, Refusal] = field(default_factory=dict)
    renamed: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()


def agree(granules: Iterable[Granule], headers: Headers, policy: Compatibility) -> Agreed:
    """Apply a policy; what most files of an asset have is right. Raises Invalid (field "compatibility") to refuse."""
    if not headers:
        return Agreed()
    layouts: dict[Layouts, Layouts] = {}
    # Few granules differ, so equal answers are kept once.
    found = [layouts.setdefault(each, each) for each in (_layouts(granule, headers) for granule in granules)]
    usual = _usual(found)
    odd = {at: each for at, each in enumerate(found) if any(usual[key] != layout for key, layout in each)}
    refused: dict[int, Refusal] = {}
    renamed: dict[int, dict[str, str]] = {}
    for at, granule in enumerate(granules):
        if at not in odd:
            continue
        strange = [(key, layout) for key, layout in odd[at] if usual[key] != layout]
        key, layout = strange[0]
        reason = f"asset {key!r} has {_said(layout)}, and most have {_said(usual[key])}"
        if policy == "refuse":
            raise Invalid(f"{granule.id}: {reason}; skip or group such granules", field="compatibility")
        if policy == "skip":
            refused[at] = Refusal(granule.id, reason)
        else:
            renamed[at] = {old: f"{old}-{dtype}x{bands}" for old, (bands, dtype) in strange}
    groups = sorted({name for names in renamed.values() for name in names.values()})
    return Agreed(refused=refused, renamed=renamed, groups=tuple(groups))


def _usual(found: Iterable[Layouts]) -> dict[str, tuple[int, str]]:
    counts: dict[str, Counter[tuple[int, str]]] = {}
    for layouts, count in Counter(found).items():
        for key, layout in layouts:
            counts.setdefault(key, Counter())[layout] += count
    return {key: counter.most_common(1)[0][0] for key, counter in counts.items()}


def _layouts(granule: Granule, headers: Headers) -> Layouts:
    """Bands and data type by asset key, for files whose header was read."""
    known = headers.get(granule.id, {})
    return tuple((key, (header.bands, header.dtype)) for key, header in known.items() if key in granule.hrefs)


def _said(layout: tuple[int, str]) -> str:
    return f"{layout[0]} band{'s' if layout[0] > 1 else ''} of {layout[1]}"
