"""Records and their bytes: one spelling per content, old and new fields, damage."""

from dataclasses import fields, replace
from typing import Any

import msgspec
import pytest
import shapely

from quadmosaic.domain.errors import Broken, Invalid
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.domain.mosaic import AssetProfile, Index, Manifest, Recipe
from quadmosaic.domain.sources import CogsSource, StacSource
from quadmosaic.storage.codec import compress, content_digest, decode, digest, encode, expand
from quadmosaic.storage.contents import cells_content, granules_content, headers_content
from quadmosaic.storage.manifests import from_plain, to_plain, version_digest
from quadmosaic.storage.packing import Part, pack
from quadmosaic.storage.records import FormatRecord

HEADER = Header(
    width=1,
    height=2,
    dtype="uint8",
    count=1,
    nodata=None,
    crs="",
    transform=(1, 0, 0, 0, -1, 0),
    palette={9: (1, 2, 3, 4), 1: (0, 0, 0, 0)},
)


def granule(name: str, **properties: Any) -> Granule:
    return Granule(id=name, hrefs={"b": "2", "a": "1"}, footprint=shapely.box(0, 0, 1 / 3, 1), properties=properties)


def index_of(*granules: Granule, headers: dict[str, dict[str, Header]] | None = None) -> Index:
    cells = {"12": tuple(range(len(granules))), "03": (0,)}
    return Index(grid_id="g", zoom=2, granules=granules, cells=cells, headers=headers or {})


def parts(index: Index) -> dict[str, Part]:
    return {part.table: part for part in pack(index)}


def with_fields(raw: bytes, *path: str | int, **added: object) -> bytes:
    """The record with more fields at a place inside it."""
    plain = msgspec.msgpack.decode(raw)
    place = plain
    for step in path:
        place = place[step]
    place.update(added)
    return msgspec.msgpack.encode(plain)


MANIFEST = Manifest(
    body="Mars",
    grid_id="MarsMercatorSphere",
    quadkey_zoom=9,
    minzoom=5,
    maxzoom=12,
    bounds=(0.0, 1.0, 2.0, 3.0),
    center=(1.0, 2.0, 5),
    assets=(AssetProfile(key="dtm", palette={2: (1, 2, 3, 4)}),),
    recipe=Recipe(source=StacSource(href="https://x", search={"limit": 1})),
    document={"own": [None, 1]},
)


def test_equal_content_has_equal_bytes_whatever_the_order_of_its_keys() -> None:
    one = Granule(id="x", hrefs={"a": "1", "b": "2"}, footprint=shapely.box(0, 0, 1 / 3, 1), properties={"p": {}})
    other = granule("x", p={})
    assert [part.ref for part in pack(index_of(one))] == [part.ref for part in pack(index_of(other))]
    palette = dict(sorted((HEADER.palette or {}).items()))
    sorted_header = {"x": {"dtm": replace(HEADER, palette=palette)}}
    assert parts(index_of(one, headers={"x": {"dtm": HEADER}})) == parts(index_of(one, headers=sorted_header))
    assert content_digest({"a": 1, "b": {1: 2, 3: 4}}, field="x") == content_digest(
        {"b": {3: 4, 1: 2}, "a": 1}, field="x"
    )


def test_bytes_of_a_part_never_change() -> None:
    # A changed spelling would write every part of every mosaic anew, and share none.
    refs = [part.ref.digest.hex() for part in pack(index_of(granule("x", gsd=1.5), headers={"x": {"dtm": HEADER}}))]
    assert refs == [
        "2f79c77f96a23b1b1234e746889a544a",
        "5947c4307dd7075d2e9c4e4a2cb183fc",
        "99f7433964a6d38c9532ba88c6ac6657",
    ]


def test_a_part_with_fields_of_a_later_version_is_read() -> None:
    found = parts(index_of(granule("x", gsd=1.5), headers={"x": {"dtm": HEADER}}))
    cells = with_fields(with_fields(found["cells"].raw, later=1), "granules", 0, later=[1])
    content = cells_content(cells, path="p")
    assert content.of("12") == (granule("x", gsd=1.5),)
    granules = with_fields(with_fields(found["granules"].raw, later={}), "granules", 0, later=None)
    assert granules_content(granules, path="p").granules == (granule("x", gsd=1.5),)


def test_a_header_with_fields_of_a_later_version_is_read() -> None:
    plain = replace(HEADER, palette=None)
    raw = parts(index_of(granule("x"), headers={"x": {"dtm": plain}}))["headers"].raw
    changed = with_fields(raw, "headers", "x", later="x")
    assert headers_content(changed, path="p").headers == {"x": plain}


def test_a_manifest_of_an_earlier_or_later_version_is_read() -> None:
    plain = to_plain(MANIFEST)
    later = {
        **plain,
        "later": 1,
        "recipe": {**plain["recipe"], "later": 2, "source": {**plain["recipe"]["source"], "later": 3}},
        "assets": [{**plain["assets"][0], "later": 4}],
    }
    assert from_plain(later, path="p") == MANIFEST
    del later["recipe"]["order"]
    for name in ("report", "defaults", "document", "software", "created", "tms"):
        del later[name]
    assert from_plain(later, path="p") == replace(MANIFEST, document={})


def test_a_manifest_survives_its_bytes() -> None:
    raw = msgspec.msgpack.encode(to_plain(MANIFEST))
    assert from_plain(msgspec.msgpack.decode(raw, type=dict[str, Any], strict=True), path="p") == MANIFEST


@pytest.mark.parametrize(
    "change",
    [
        {"body": 3},
        {"bounds": [1, 2]},
        {"assets": None},
        {"assets": [{}]},
        {"recipe": {"source": {"type": "cogs"}}},
        {"recipe": {"source": {"type": "unheard-of"}}},
        {"recipe": {"source": {}}},
        {"recipe": {}},
        {"recipe": []},
    ],
)
def test_what_is_no_manifest_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(Broken, match="a/path"):
        from_plain({**to_plain(MANIFEST), **change}, path="a/path")


@pytest.mark.parametrize("name", [f.name for f in fields(Manifest) if f.name != "tms"])
def test_only_what_is_served_counts_in_the_digest(name: str) -> None:
    changes: dict[str, Any] = {
        "body": "Moon",
        "grid_id": "x",
        "quadkey_zoom": 8,
        "minzoom": 4,
        "maxzoom": 11,
        "bounds": (0.0, 1.0, 2.0, 3.5),
        "center": (1.0, 2.0, 6),
        "assets": (),
        "defaults": replace(MANIFEST.defaults, title="x"),
        "recipe": Recipe(source=CogsSource(hrefs=())),
        "report": replace(MANIFEST.report, used=1),
        "document": {},
        "software": "x",
        "created": "x",
    }
    changed = replace(MANIFEST, **{name: changes[name]})
    digests = {version_digest(manifest, cells=[], granules=[], headers={}) for manifest in (MANIFEST, changed)}
    assert len(digests) == (1 if name in {"recipe", "report", "software", "created"} else 2)


def test_a_digest_is_of_the_content_and_not_of_its_compression() -> None:
    raw = b"x" * 1000
    assert expand(compress(raw), path="p") == raw
    assert len(compress(raw)) < 100
    assert digest(raw) != digest(raw + b"x")


@pytest.mark.parametrize("body", [b"", b"not zlib", compress(b"x" * 100)[:-5]])
def test_damaged_bytes_are_named(body: bytes) -> None:
    with pytest.raises(Broken, match="a/path"):
        expand(body, path="a/path")


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x80", b"\x81\xa6format\xa1x", b"\xa1\xff"])
def test_bytes_that_are_another_record_are_named(raw: bytes) -> None:
    with pytest.raises(Broken, match="a/path"):
        decode(raw, FormatRecord, path="a/path")


def test_a_footprint_that_is_no_geometry_is_named() -> None:
    raw = parts(index_of(granule("x")))["granules"].raw
    with pytest.raises(Broken, match="a/path"):
        granules_content(with_fields(raw, "granules", 0, footprint=b"\x01\x02"), path="a/path")


@pytest.mark.parametrize(("value", "why"), [(2**64, "64 bits"), ("\ud800", "Unicode")])
def test_what_cannot_be_stored_names_its_field(value: object, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refusal:
        encode({"x": value}, field="granules")
    assert refusal.value.field == "granules"
