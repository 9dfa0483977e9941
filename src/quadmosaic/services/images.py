"""Drawing an image: granules read together, merged, styled and encoded, with what failed named."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import shapely

from quadmosaic.domain.errors import Unavailable
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.mosaic import AssetProfile, Version
from quadmosaic.domain.trace import Step, current_trace, timed
from quadmosaic.ports import GranuleReader, Layer, MosaicStore, ReadFailure
from quadmosaic.rendering.encode import ImageFormat, encode, tiff_nodata
from quadmosaic.rendering.merge import Image, Merge
from quadmosaic.rendering.style import colored, view
from quadmosaic.services.assets import asset_profile
from quadmosaic.services.lookup import Found
from quadmosaic.services.requests import Deadline, ImageRequest, band_indexes, naming_expression, read_options
from quadmosaic.services.stretch import Ranges, Stretches, merged_ranges, value_ranges


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """An encoded image, or None where there are no data; `partial` when something that belongs in it is missing."""

    body: bytes | None
    image_format: ImageFormat
    used: tuple[str, ...]
    failed: tuple[ReadFailure, ...]
    partial: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Merged:
    image: Image | None
    used: tuple[str, ...]
    failed: tuple[ReadFailure, ...]


@dataclass(frozen=True, kw_only=True)
class Images:
    """Draws any GeoBox of a version. When the `deadline` is there it draws with what has arrived.

    `workers` merge and encode; None is the event loop's own executor.
    """

    store: MosaicStore
    reader: GranuleReader
    stretches: Stretches
    deadline: Deadline
    workers: Executor | None = None

    async def draw(
        self,
        version: Version,
        found: Found,
        geobox: GeoBox,
        request: ImageRequest,
        image_format: ImageFormat | None,
        *,
        buffer: float = 0,
        fill_empty: bool = False,
    ) -> Rendered:
        """Draw `geobox`, with `buffer` more pixels on each side.

        A format of None is JPEG where every pixel is valid, else PNG. Without data the body is None, or an empty
        image when `fill_empty`. Raises Unavailable with `strict` when a granule failed.
        """
        profile = asset_profile(version, request.asset)
        grown = geobox.buffered(buffer)
        started, deadline_s = time.perf_counter(), self.deadline()
        with naming_expression(request):
            having = [granule for granule in found.granules if profile.key in granule.hrefs]
            merged = await self._merge(version, having, grown, request, profile, timeout_s=deadline_s)
        read = time.perf_counter()
        if request.strict and (merged.failed or found.cut):
            raise Unavailable(_complaint(merged.failed))
        body, chosen, unstretched = None, image_format or ImageFormat.PNG, False
        image = merged.image if merged.image is not None and merged.image.valid.any() else None
        if image is not None:
            left_s = max(0.0, deadline_s - (read - started))
            stretch = await self._stretch(version, request, profile, chosen, timeout_s=left_s)
            unstretched = not stretch and _is_stretched(request, chosen)
            body, chosen = await self._work(Step.ENCODE, _encoded, image, grown, request, image_format, stretch)
        elif fill_empty:
            image = blank(profile, request)
            body, chosen = await self._work(Step.ENCODE, _encoded_blank, image, grown, request, image_format)
        return Rendered(
            body=body,
            image_format=chosen,
            used=merged.used,
            failed=merged.failed,
            partial=found.cut or bool(merged.failed) or unstretched,
        )

    async def _merge(
        self,
        version: Version,
        granules: Sequence[Granule],
        geobox: GeoBox,
        request: ImageRequest,
        profile: AssetProfile,
        *,
        timeout_s: float,
    ) -> _Merged:
        merge = Merge(pixel_selection=request.pixel_selection, expression=request.expression)
        used: list[str] = []
        failed: list[ReadFailure] = []
        options = read_options(request, profile, timeout_s=timeout_s)
        options = replace(options, until_full=request.pixel_selection == "first")
        work, values = self._at_once, 0
        with current_trace().timing(Step.LOOKUP):
            headers = await self.store.headers(version, [granule.id for granule in granules], profile.key)
        async with aclosing(self.reader.read(granules, geobox, options, headers=headers)) as answers:
            async for answer in answers:
                if isinstance(answer, ReadFailure):
                    failed.append(answer)
                elif not merge.accepts(answer):
                    failed.append(ReadFailure(answer.granule, f"has {len(answer.bands)} bands, unlike the others"))
                else:
                    values = max(values, answer.bands.size)
                    work = self._at_once if merge.is_quick(values) else self._work
                    await work(Step.MERGE, merge.add, answer)
                    used += [answer.granule.id] if answer.valid.any() else []
                if merge.done:
                    break
        image = await work(Step.MERGE, merge.result)
        return _Merged(image=image, used=tuple(used), failed=tuple(failed))

    async def _at_once[**P, T](self, step: Step, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it here, and note what it took."""
        result, seconds = timed(work, *args, **kwargs)
        current_trace().add(step, seconds)
        return result

    async def _work[**P, T](self, step: Step, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it in a worker, and note what it took."""
        loop = asyncio.get_running_loop()
        result, seconds = await loop.run_in_executor(self.workers, partial(timed, work, *args, **kwargs))
        current_trace().add(step, seconds)
        return result

    async def _stretch(
        self,
        version: Version,
        request: ImageRequest,
        profile: AssetProfile,
        image_format: ImageFormat,
        *,
        timeout_s: float,
    ) -> Ranges:
        """Ranges for 8-bit views, only where they will be used; empty when they cannot be known in time."""
        if not _is_stretched(request, image_format):
            return ()
        sampling = self.stretches.ranges(
            version,
            profile,
            bidx=request.bidx,
            expression=request.expression,
            unscale=request.unscale,
            nodata=request.nodata,
        )
        try:
            ranges = await asyncio.wait_for(sampling, timeout_s)
        except TimeoutError:
            return ()
        return merged_ranges(ranges, request.pixel_selection, most=version.manifest.report.granules_per_cell[2])


def _is_stretched(request: ImageRequest, image_format: ImageFormat) -> bool:
    return not request.style.rescale and _is_picture(request, image_format)


def _is_picture(request: ImageRequest, image_format: ImageFormat) -> bool:
    return image_format.is_view or request.style.colormap is not None


def _encoded(
    image: Image,
    geobox: GeoBox,
    request: ImageRequest,
    image_format: ImageFormat | None,
    stretch: Ranges,
) -> tuple[bytes, ImageFormat]:
    if image_format is not None and not _is_picture(request, image_format):
        values = colored(image, request.style)
        carries = image_format is ImageFormat.TIFF and tiff_nodata(values.bands.dtype, values.nodata) is not None
        with_mask = not carries if request.return_mask is None else request.return_mask
        return encode(values, image_format, geobox=geobox, with_mask=with_mask), image_format
    own = () if stretch or request.style.rescale else _own_ranges(image)
    picture = view(image, request.style, stretch=stretch or own)
    if image_format is None:
        image_format = ImageFormat.JPEG if picture.mask.all() else ImageFormat.PNG
    with_mask = image_format is not ImageFormat.JPEG and request.return_mask is not False
    return encode(picture, image_format, geobox=geobox, with_mask=with_mask), image_format


def _encoded_blank(
    pixel: Image, geobox: GeoBox, request: ImageRequest, image_format: ImageFormat | None
) -> tuple[bytes, ImageFormat]:
    size = (1, geobox.height, geobox.width)
    image = replace(pixel, bands=np.tile(pixel.bands, size), valid=np.tile(pixel.valid, size))
    return _encoded(image, geobox, request, image_format, ())


def _own_ranges(image: Image) -> Ranges:
    """Ranges of the image alone, where those of the mosaic are not known; empty where nothing is finite."""
    valid = np.broadcast_to(image.valid, image.bands.shape) & np.isfinite(image.bands)
    values = [band[where] for band, where in zip(image.bands, valid, strict=True)]
    return value_ranges(values) if all(band.size for band in values) else ()


def blank(profile: AssetProfile, request: ImageRequest) -> Image:
    """One pixel without data, with the bands and the type that the request gives where there are data.

    Raises Invalid (field "bidx" or "expression") for bands that the asset lacks.
    """
    indexes = band_indexes(profile, request)
    layer = Layer(
        granule=Granule(id="", hrefs={}, footprint=shapely.Point()),
        bands=np.zeros((len(indexes), 1, 1), dtype="float32" if request.unscale else profile.dtype or "uint8"),
        valid=np.zeros((1, 1, 1), dtype=np.bool_),
        band_names=tuple(f"b{index}" for index in indexes),
        nodata=profile.nodata if request.nodata is None else request.nodata,
        palette=profile.palette,
    )
    merge = Merge(pixel_selection=request.pixel_selection, expression=request.expression)
    merge.add(layer)
    image = merge.result()
    assert image is not None
    return image


def _complaint(failed: Sequence[ReadFailure]) -> str:
    if not failed:
        return "more granules touch this image than may be read; ask for a smaller area"
    return "could not read " + "; ".join(f"{failure.granule.id} ({failure.reason})" for failure in failed[:8])
