"""The readers under contract, and how tests ask them for one layer; another reader joins by adding an entry."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import shapely

from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule
from quadmosaic.ports import GranuleReader, Layer, ReadFailure, ReadOptions
from quadmosaic.reading.fast_reader import FastReader
from quadmosaic.reading.rasterio_reader import RasterioReader

type AnyReader = RasterioReader | FastReader


def rasterio_reader() -> RasterioReader:
    return RasterioReader(buckets={}, max_reads=3)


READERS: dict[str, Callable[[], AnyReader]] = {
    "rasterio": rasterio_reader,
    "fast": lambda: FastReader(rasterio_reader(), buckets={}),
}


def granule(path: Path | str, name: str = "g") -> Granule:
    return Granule(id=name, hrefs={"image": str(path)}, footprint=shapely.box(0, 0, 1, 1))


async def read_one(reader: GranuleReader, path: Path | str, box: GeoBox, **options: object) -> Layer | ReadFailure:
    """The answer of a reader that is given the header, where the file has one."""
    asked = ReadOptions(asset="image", **options)  # type: ignore[arg-type]
    headers = {}
    with contextlib.suppress(Invalid, Unavailable):
        headers["g"] = await reader.scan(str(path))
    (answer,) = [answer async for answer in reader.read([granule(path)], box, asked, headers=headers)]
    return answer


async def read_layer(reader: GranuleReader, path: Path | str, box: GeoBox, **options: object) -> Layer:
    answer = await read_one(reader, path, box, **options)
    assert isinstance(answer, Layer), answer
    return answer
