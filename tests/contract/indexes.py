"""Indexes to store: random ones by seed, and what a look-up in them should find."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from random import Random

import numpy as np
import shapely

from quadmosaic.domain.granules import BlockTables, Granule, Header, Level, LevelKind
from quadmosaic.domain.mosaic import AssetProfile, Index, Manifest

type Found = dict[str, list[str]]


def granule(name: str, *, lon: float = 0.0, **properties: object) -> Granule:
    """A granule of one degree."""
    return Granule(
        id=name,
        hrefs={"dtm": f"s3://bucket/{name}_dtm.tif", "image": f"s3://bucket/{name}_image.tif"},
        footprint=shapely.box(lon, 10.125, lon + 1, 11 + 1 / 3),
        properties=dict(properties),
    )


def header(*, blocks: int = 4, seed: int = 0) -> Header:
    """A header record of an image with one overview and a mask."""
    random = np.random.default_rng(seed)
    levels = tuple(
        Level(
            kind=kind,
            width=512,
            height=512 * blocks,
            block_width=512,
            block_height=512,
            compression=8,
            predictor=2,
            photometric=1,
            offsets=random.integers(0, 2**40, blocks).astype("<u8").tobytes(),
            byte_counts=random.integers(0, 2**18, blocks).astype("<u8").tobytes(),
            jpeg_tables=b"\xff\xd8\x00",
        )
        for kind in (LevelKind.IMAGE, LevelKind.IMAGE, LevelKind.MASK)
    )
    return Header(
        width=512,
        height=512 * blocks,
        dtype="float32",
        count=2,
        nodata=-3.4028226550889045e38,
        crs='PROJCRS["Mars, ümlaut"]',
        transform=(5.0, 0.0, 4499999.688084169, 0.0, -5.0, 1172328.3451582233),
        scales=(1.0, 0.1),
        offsets=(0.0, -2.5),
        descriptions=("höhe", ""),
        colorinterp=("gray", "alpha"),
        palette={200: (1, 2, 3, 4), 7: (255, 0, 0, 255)},
        etag='"abc"',
        size=2**33,
        blocks=BlockTables(
            big_endian=True,
            planar=False,
            bits_per_sample=(32, 8),
            sample_format=(3, 1),
            extra_samples=(2,),
            levels=levels,
        ),
    )


def random_index(seed: int = 1, *, roots: int = 1, zoom: int = 6, cells: int = 300, granules: int = 120) -> Index:
    """Cells anywhere on a grid of `roots` roots, each with one to six granules in no particular order."""
    random = Random(seed)
    members = tuple(granule(f"g{number}", lon=random.uniform(-180, 179), gsd=number) for number in range(granules))
    keys = set[str]()
    while len(keys) < cells:
        root = "" if roots == 1 else f"{random.randrange(roots)}-"
        keys.add(root + "".join(random.choice("0123") for _ in range(zoom)))
    lists = {key: tuple(random.sample(range(granules), random.randint(1, 6))) for key in sorted(keys)}
    return Index(grid_id="MarsMercatorSphere", zoom=zoom, granules=members, cells=lists)


def small_index(*names: str, zoom: int = 2) -> Index:
    """Every granule in cell 12, in this order, and the first one in cell 30 too."""
    members = tuple(granule(name) for name in names)
    return Index(
        grid_id="MarsMercatorSphere", zoom=zoom, granules=members, cells={"12": tuple(range(len(names))), "30": (0,)}
    )


def manifest_of(index: Index, **changes: object) -> Manifest:
    """A manifest that fits the index."""
    manifest = Manifest(
        body="Mars",
        grid_id=index.grid_id,
        quadkey_zoom=index.zoom,
        minzoom=5,
        maxzoom=12,
        bounds=(-180.0, -80.0, 180.0, 80.0),
        center=(0.0, 0.0, 5),
        assets=(AssetProfile(key="dtm"), AssetProfile(key="image")),
    )
    return replace(manifest, **changes)  # type: ignore[arg-type]


def ids(granules: Sequence[Granule]) -> list[str]:
    return [member.id for member in granules]


def found(cells: Mapping[str, Sequence[Granule]]) -> Found:
    """Granule ids by cell, as the store answered."""
    return {key: ids(members) for key, members in cells.items()}


def listed(index: Index) -> Found:
    """Granule ids by cell, as the index has them."""
    return {key: [index.granules[place].id for place in places] for key, places in index.cells.items()}


def in_cells(index: Index, keys: Collection[str]) -> Found:
    return {key: names for key, names in sorted(listed(index).items()) if key in set(keys)}


def below(index: Index, prefix: str) -> Found:
    return {key: names for key, names in sorted(listed(index).items()) if key.startswith(prefix)}
