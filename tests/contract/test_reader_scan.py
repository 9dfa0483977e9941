"""What every reader owes when it scans: a header that says what the file says, block tables that find its blocks."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from readers import READERS

from quadmosaic.domain.granules import Level, LevelKind
from quadmosaic.ports import GranuleReader
from rasters import ramp, write_raster

MARS = "IAU_2015:49910"
BOUNDS = (0.0, 0.0, 6400.0, 6400.0)


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Iterator[GranuleReader]:
    reader = READERS[request.param]()
    yield reader
    reader.close()


def block(path: Path, level: Level, position: int) -> bytes:
    """One deflated block, through the table alone."""
    start, count = int(level.block_offsets[position]), int(level.block_byte_counts[position])
    return zlib.decompress(path.read_bytes()[start : start + count])


async def test_a_header_says_what_the_file_says(reader: GranuleReader, tmp_path: Path) -> None:
    path = write_raster(
        tmp_path / "a.tif",
        ramp(100, 64, dtype="int16", bands=2),
        crs=MARS,
        bounds=BOUNDS,
        nodata=-32768,
        scales=(0.5, 2),
        offsets=(3, 4),
        descriptions=("height", "slope"),
    )
    header = await reader.scan(str(path))
    assert (header.width, header.height, header.count, header.dtype) == (64, 100, 2, "int16")
    assert header.nodata == -32768
    assert (header.scales, header.offsets) == ((0.5, 2.0), (3.0, 4.0))
    assert header.descriptions == ("height", "slope")
    assert header.transform == (100.0, 0.0, 0.0, 0.0, -64.0, 6400.0)
    assert pyproj.CRS(header.crs).ellipsoid.semi_major_metre == 3396190
    assert header.size == path.stat().st_size
    assert header.etag
    path.write_bytes(path.read_bytes() + b" ")
    assert (await reader.scan(path.as_uri())).etag != header.etag


async def test_alpha_and_palette_are_told(reader: GranuleReader, tmp_path: Path) -> None:
    rgba = write_raster(
        tmp_path / "a.tif", ramp(64, 64, dtype="uint8", bands=3), crs=MARS, bounds=BOUNDS, alpha=np.ones((64, 64))
    )
    header = await reader.scan(str(rgba))
    assert header.colorinterp == ("red", "green", "blue", "alpha")
    assert header.bands == 3
    indexed = write_raster(
        tmp_path / "b.tif", ramp(64, 64, dtype="uint8"), crs=MARS, bounds=BOUNDS, palette={3: (1, 2, 3, 255)}
    )
    palette = (await reader.scan(str(indexed))).palette
    assert palette is not None
    assert palette[3] == (1, 2, 3, 255)


@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
@pytest.mark.parametrize("interleave", ["PIXEL", "BAND"])
@pytest.mark.parametrize("bigtiff", ["NO", "YES"])
async def test_the_block_table_finds_every_block(
    reader: GranuleReader, tmp_path: Path, order: str, interleave: str, bigtiff: str
) -> None:
    data = ramp(128, 192, bands=2)
    layout = {
        "tiled": True,
        "blockxsize": 64,
        "blockysize": 64,
        "compress": "deflate",
        "interleave": interleave.lower(),
        "ENDIANNESS": order,
        "BIGTIFF": bigtiff,
    }
    path = write_raster(tmp_path / "a.tif", data, crs=MARS, bounds=BOUNDS, overviews=(2,), layout=layout)
    header = await reader.scan(str(path))
    tables = header.blocks
    assert tables is not None
    assert tables.big_endian == (order == "BIG")
    assert tables.planar == (interleave == "BAND")
    assert (tables.bits_per_sample, tables.sample_format) == ((16, 16), (1, 1))
    assert [(level.kind, level.width, level.height) for level in tables.levels] == [
        (LevelKind.IMAGE, 192, 128),
        (LevelKind.IMAGE, 96, 64),
    ]
    stored = np.dtype(">u2" if order == "BIG" else "<u2")
    planes = [data[:1], data[1:]] if interleave == "BAND" else [data]
    for plane, bands in enumerate(planes):
        for row, column in np.ndindex(2, 3):
            found = np.frombuffer(block(path, tables.levels[0], 6 * plane + 3 * row + column), stored)
            expected = bands[:, 64 * row : 64 * row + 64, 64 * column : 64 * column + 64]
            np.testing.assert_array_equal(found.reshape(64, 64, len(bands)).transpose(2, 0, 1), expected)


async def test_masks_follow_the_images_finest_first(reader: GranuleReader, tmp_path: Path) -> None:
    mask = np.ones((256, 256), bool)
    mask[:10] = False
    path = write_raster(
        tmp_path / "a.tif", ramp(256, 256, dtype="uint8"), crs=MARS, bounds=BOUNDS, mask=mask, overviews=(2, 4)
    )
    tables = (await reader.scan(str(path))).blocks
    assert tables is not None
    assert [(level.kind.value, level.width) for level in tables.levels] == [
        ("image", 256),
        ("image", 128),
        ("image", 64),
        ("mask", 256),
        ("mask", 128),
        ("mask", 64),
    ]
    assert tables.levels[3].photometric == 4


async def test_a_sparse_block_has_no_bytes(reader: GranuleReader, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    layout = {"tiled": True, "blockxsize": 64, "blockysize": 64, "SPARSE_OK": True}
    data = ramp(128, 128)
    data[:, :64, :64] = 0
    write_raster(path, data, crs=MARS, bounds=BOUNDS, layout=layout)
    tables = (await reader.scan(str(path))).blocks
    assert tables is not None
    assert [count > 0 for count in tables.levels[0].block_byte_counts.tolist()] == [False, True, True, True]


async def test_what_the_tables_would_not_hold_has_none(reader: GranuleReader, tmp_path: Path) -> None:
    data = ramp(256, 256, dtype="uint8")
    mask = np.indices((256, 256))[0] > 9
    files = [
        write_raster(tmp_path / "striped.tif", data, crs=MARS, bounds=BOUNDS, layout={}),
        write_raster(tmp_path / "mask.tif", data, crs=MARS, bounds=BOUNDS, mask=mask, external_mask=True),
        write_raster(
            tmp_path / "overviews.tif", data, crs=MARS, bounds=BOUNDS, overviews=(2,), external_overviews=True
        ),
    ]
    png = tmp_path / "a.png"
    with rasterio.open(files[0]) as source, rasterio.open(png, "w", **source.profile | {"driver": "PNG"}) as target:
        target.write(source.read())
    for path in (*files, png):
        assert (await reader.scan(str(path))).blocks is None


async def test_a_directory_that_the_table_reader_stumbles_over_has_no_table(
    reader: GranuleReader, tmp_path: Path
) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(64, 64), crs=MARS, bounds=BOUNDS)
    raw = bytearray(path.read_bytes())
    entry = raw.index(struct.pack("<HHII", 339, 3, 1, 1))
    raw[entry : entry + 4] = struct.pack("<HH", 60000, 99)
    path.write_bytes(raw)
    header = await reader.scan(str(path))
    assert (header.width, header.blocks) == (64, None)
