"""The fast reader's pixels beside the rasterio reader's, over everything that can be written or was found.

    uv run --with tifffile python benchmarks/parity.py [--quick] [SECTION ...]

`off` are pixels that both have, and that differ by more than is allowed: nearest not at all, else 1 of bytes and a
thousandth of the range of the others (and of float16 one step of it). Where GDAL has no average of turned axes, the
reference is an exact sum of areas. `edges` leaves out what is within three pixels of a mask's edge: near one, GDAL's
lanczos and average do not weigh all valid pixels that they touch.
"""

import argparse
import asyncio
import itertools
import math
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import parity_cases
import rasterio
import shapely
from parity_cases import Case

from quadmosaic.domain.errors import Invalid, Unavailable
from quadmosaic.domain.granules import Granule, Header
from quadmosaic.ports import GranuleReader, Layer, ReadFailure, ReadOptions
from quadmosaic.reading.coordinates import is_separable
from quadmosaic.reading.fast_reader import FastReader
from quadmosaic.reading.levels import choose_level
from quadmosaic.reading.positions import covered, locate
from quadmosaic.reading.rasterio_reader import RasterioReader

type Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

SECTIONS: Mapping[str, Callable[[Path, int], Iterator[Case]]] = {
    "packings": parity_cases.packed,
    "odd": lambda folder, _: parity_cases.exotic(folder),
    "tifffile": parity_cases.foreign,
    "grids": lambda folder, every: itertools.islice(parity_cases.over_grids(folder), 0, None, every),
    "real": lambda _, every: itertools.islice(parity_cases.real(), 0, None, every),
    "scenes": lambda folder, every: itertools.islice(parity_cases.scenes(folder), 0, None, every),
}
"""By name: cases for a folder to write in, `every` so many of them."""


@dataclass(kw_only=True)
class Line:
    """What is known of the cases of one section and kernel."""

    cases: int = 0
    fast: int = 0
    refused: int = 0
    unlike: int = 0
    pixels: int = 0
    off: int = 0
    off_inside: int = 0
    worst: tuple[float, str] = (0.0, "")
    mask_pixels: int = 0
    masks_off: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all where none is named")
    parser.add_argument("--quick", action="store_true", help="one case in seventeen")
    told = parser.parse_args()
    warnings.simplefilter("ignore")
    started = time.process_time()
    lines: dict[tuple[str, str], Line] = defaultdict(Line)
    with tempfile.TemporaryDirectory() as folder:
        for name in told.sections or SECTIONS:
            asyncio.run(_compare(SECTIONS[name](Path(folder), 17 if told.quick else 1), lines))
    _print(lines)
    print(f"\n{sum(line.cases for line in lines.values())} cases, {time.process_time() - started:.0f} s of CPU")


async def _compare(cases: Iterator[Case], lines: dict[tuple[str, str], Line]) -> None:
    oracle = RasterioReader(buckets={}, max_reads=2)
    last, headers = None, {}
    for case in cases:
        if case.path != last:
            last, headers = case.path, await _scanned(oracle, case.path)
        fast = FastReader(oracle, buckets={}, block_cache_bytes=1)
        line = lines[case.section, case.kernel]
        found, expected = await _read(fast, case, headers), await _read(oracle, case, headers)
        _count(line, case, found, expected)
        line.fast += fast.tally.fast
        line.reasons.update(fast.tally.fallbacks)
        fast.close()
    oracle.close()


async def _scanned(reader: RasterioReader, path: Path) -> dict[str, Header]:
    try:
        return {"g": await reader.scan(str(path))}
    except (Invalid, Unavailable):
        return {}


async def _read(reader: GranuleReader, case: Case, headers: Mapping[str, Header]) -> Layer | ReadFailure:
    granule = Granule(id="g", hrefs={"image": str(case.path)}, footprint=shapely.box(-1, -1, 1, 1))
    options = ReadOptions(asset="image", resampling=case.kernel, reproject=case.kernel)
    (answer,) = [answer async for answer in reader.read([granule], case.box, options, headers=headers)]
    return answer


def _count(line: Line, case: Case, found: Layer | ReadFailure, expected: Layer | ReadFailure) -> None:
    line.cases += 1
    if isinstance(found, ReadFailure) or isinstance(expected, ReadFailure):
        line.refused += 1
        line.unlike += type(found) is not type(expected)
        return
    line.unlike += found.bands.dtype != expected.bands.dtype or found.nodata != expected.nodata
    line.mask_pixels += expected.mask.size
    line.masks_off += int((found.mask != expected.mask).sum())
    both = found.mask & expected.mask
    values = expected.bands if case.kernel != "average" else _areas(case, expected)
    off = _off(found.bands, values, expected.bands.dtype, both, exact=case.kernel == "nearest")
    count = int((off & both).sum())
    line.pixels += int(both.sum())
    line.off += count
    line.off_inside += int((off & _inner(both)).sum())
    line.worst = max(line.worst, (count / max(1, both.sum()), f"{case.path.name} {case.label}"))


def _off(found: np.ndarray, expected: np.ndarray, dtype: np.dtype, both: Flags, *, exact: bool) -> Flags:
    """Where any band differs by more than is allowed."""
    if exact:
        return np.asarray((found != expected).any(axis=0))
    known = np.isfinite(expected.astype(np.float64))
    inside = expected.astype(np.float64)[known & both]
    spread = float(np.ptp(inside)) if inside.size else 0.0
    limit = 1.0 if dtype in (np.uint8, np.int8) else max(1e-3 * spread, 0.51 if dtype.kind in "iu" else 0)
    if dtype == np.float16:
        limit = max(limit, float(np.spacing(np.float16(np.abs(inside).max(initial=0)))))
    with np.errstate(invalid="ignore"):
        return np.asarray((known & (np.abs(found.astype(np.float64) - expected) > limit)).any(axis=0))


def _inner(mask: Flags) -> Flags:
    square = np.lib.stride_tricks.sliding_window_view(np.pad(mask, 3), (7, 7))
    return np.asarray(square.all(axis=(2, 3)))


def _areas(case: Case, expected: Layer) -> np.ndarray:
    """Means over areas by exact sums where axes are turned; elsewhere what GDAL says."""
    with rasterio.open(case.path) as dataset:
        crs = dataset.crs.to_wkt(version="WKT2_2019")
        upright = dataset.transform.b == dataset.transform.d == 0
        if (upright and is_separable(case.box.crs, crs)) or dataset.colorinterp[0].name == "palette":
            return expected.bands
        box = case.box
        at = locate(box, crs=crs, transform=dataset.transform, width=dataset.width, height=dataset.height)
        widths = [dataset.width, *(dataset.width / reduction for reduction in dataset.overviews(1))]
    level = choose_level(widths, math.sqrt(at.scale[0] * at.scale[1]))
    with rasterio.open(case.path, **({"overview_level": level - 1} if level else {})) as image:
        pixels = image.read(masked=True)[: len(expected.bands)]
        wide, high = image.width / widths[0], image.height / (widths[0] * dataset.height / dataset.width)
    spans = [covered(each, most=most) for each, most in zip((at.columns, at.rows), at.spread, strict=True)]
    ends = [
        [np.clip(np.nan_to_num((each + side * span) * factor), 0, size) for side in (-0.5, 0.5)]
        for each, span, factor, size in zip(
            (at.columns, at.rows), spans, (wide, high), (image.width, image.height), strict=True
        )
    ]
    valid = ~(np.ma.getmaskarray(pixels).any(axis=0)) & np.isfinite(pixels.data).all(axis=0)
    weight = _integral(valid.astype(np.float64), *ends)
    sums = [_integral(np.where(valid, band, 0).astype(np.float64), *ends) for band in pixels.data]
    known = weight > 1e-5
    means = np.stack([np.where(known, total / np.where(known, weight, 1), np.nan) for total in sums])
    return np.floor(means + 0.5) if expected.bands.dtype.kind in "iu" else means


def _integral(values: np.ndarray, across: list[np.ndarray], down: list[np.ndarray]) -> np.ndarray:
    """Sums over boxes whose edges lie anywhere."""
    sums = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))

    def upto(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        column = np.minimum(x.astype(np.intp), values.shape[1] - 1)
        row = np.minimum(y.astype(np.intp), values.shape[0] - 1)
        u, v = x - column, y - row
        upper = sums[row, column] * (1 - u) + sums[row, column + 1] * u
        lower = sums[row + 1, column] * (1 - u) + sums[row + 1, column + 1] * u
        return np.asarray(upper * (1 - v) + lower * v)

    (left, right), (top, bottom) = across, down
    return upto(right, bottom) - upto(left, bottom) - upto(right, top) + upto(left, top)


def _print(lines: Mapping[tuple[str, str], Line]) -> None:
    print(
        f"{'':<30}{'kernel':<14}{'cases':>7}{'fast':>7}{'refused':>9}{'unlike':>8}{'off %':>9}{'edges %':>9}"
        f"{'worst %':>9}{'masks off %':>13}   worst case"
    )
    for (section, kernel), line in lines.items():
        print(
            f"{section:<30}{kernel:<14}{line.cases:>7}{line.fast:>7}{line.refused:>9}{line.unlike:>8}"
            f"{100 * line.off / max(1, line.pixels):>9.4f}{100 * line.off_inside / max(1, line.pixels):>9.4f}"
            f"{100 * line.worst[0]:>9.3f}{100 * line.masks_off / max(1, line.mask_pixels):>13.5f}"
            f"   {line.worst[1] if line.worst[0] else ''}"
        )
    reasons: Counter[str] = Counter()
    for line in lines.values():
        reasons.update(line.reasons)
    print(f"\nfast {sum(line.fast for line in lines.values())}; left to the fallback:")
    for reason, count in reasons.most_common():
        print(f"  {count:>6}  {reason}")


if __name__ == "__main__":
    main()
