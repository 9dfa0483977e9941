"""Compatibility: files of one asset agree on bands and data type, and what becomes of granules whose files do not."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Granule, Header, Refusal
from quadmosaic.domain.mosaic import Compatibility

type Headers = Mapping[str, Mapping[str, Header]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreed:
    """Granules that go together, those left out, and the asset keys of groups that were made."""

    granules: list[Granule]
    headers: dict[str, Mapping[str, Header]]
    refused: tuple[Refusal, ...] = ()
    groups: tuple[str, ...] = ()


def agree(granules: Iterable[Granule], headers: Headers, policy: Compatibility) -> Agreed:
    """Apply a policy; what most files of an asset have is right. Raises Invalid (field "compatibility") to refuse."""
    granules = list(granules)
    usual = _usual(granules, headers)
    kept: list[Granule] = []
    records = dict(headers)
    refused: list[Refusal] = []
    groups: set[str] = set()
    for granule in granules:
        odd = {key: found for key, found in _layouts(granule, headers).items() if found != usual[key]}
        if not odd:
            kept.append(granule)
            continue
        key, found = next(iter(odd.items()))
        reason = f"asset {key!r} has {_said(found)}, and most have {_said(usual[key])}"
        if policy == "refuse":
            raise Invalid(f"{granule.id}: {reason}; skip or group such granules", field="compatibility")
        if policy == "skip":
            refused.append(Refusal(granule.id, reason))
            records.pop(granule.id, None)
            continue
        names = {old: f"{old}-{layout[1]}x{layout[0]}" for old, layout in odd.items()}
        groups.update(names.values())
        kept.append(replace(granule, hrefs={names.get(old, old): href for old, href in granule.hrefs.items()}))
        records[granule.id] = {names.get(old, old): header for old, header in headers[granule.id].items()}
    return Agreed(granules=kept, headers=records, refused=tuple(refused), groups=tuple(sorted(groups)))


def _usual(granules: Iterable[Granule], headers: Headers) -> dict[str, tuple[int, str]]:
    counts: dict[str, Counter[tuple[int, str]]] = {}
    for granule in granules:
        for key, layout in _layouts(granule, headers).items():
            counts.setdefault(key, Counter())[layout] += 1
    return {key: counter.most_common(1)[0][0] for key, counter in counts.items()}


def _layouts(granule: Granule, headers: Headers) -> dict[str, tuple[int, str]]:
    """Bands and data type by asset key, for files whose header was read."""
    known = headers.get(granule.id, {})
    return {key: (header.bands, header.dtype) for key, header in known.items() if key in granule.hrefs}


def _said(layout: tuple[int, str]) -> str:
    return f"{layout[0]} band{'s' if layout[0] > 1 else ''} of {layout[1]}"
