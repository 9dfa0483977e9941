"""Replies that carry an image, with the headers that say what is in it."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from quadmosaic.api.caching import cache_control, etag, listed, not_modified
from quadmosaic.api.imagery import imagery_of
from quadmosaic.api.params import ImageParams, mosaic_request
from quadmosaic.api.problems import problem
from quadmosaic.api.services import Services
from quadmosaic.api.urls import crs_uri
from quadmosaic.domain.geobox import GeoBox
from quadmosaic.domain.mosaic import Version
from quadmosaic.rendering.encode import ImageFormat
from quadmosaic.services.images import Rendered
from quadmosaic.services.lookup import Found


async def image_reply(
    request: Request,
    services: Services,
    version: Version,
    geobox: GeoBox,
    find: Callable[[], Awaitable[Found]],
    params: ImageParams,
    image_format: ImageFormat | None,
    *,
    crs_id: str | None,
    empty: str = "204",
    buffer: float = 0,
) -> Response:
    """Answer 304 before any look-up or pixel when the client has it, else find the granules and draw."""
    mosaic = request.path_params["mosaic"]
    is_view = image_format is None or image_format.is_view
    drawing = mosaic_request(params, version.manifest, is_view=is_view)
    tag = etag(version, geobox, drawing, image_format, empty, buffer)
    control = cache_control(mosaic, head_max_age_s=services.head_max_age_s)
    if unchanged := not_modified(request, tag, control):
        return unchanged
    rendered = await imagery_of(request).images.draw(
        version, await find(), geobox, drawing, image_format, buffer=buffer, fill_empty=empty == "fill"
    )
    partial_control = cache_control(mosaic, head_max_age_s=services.head_max_age_s, partial=rendered.partial)
    headers = _headers(rendered, geobox.buffered(buffer), crs_id) | {"Cache-Control": partial_control}
    if not rendered.partial:
        headers["ETag"] = tag
    if rendered.body is None and empty == "404":
        return problem(404, "there are no data here", headers=headers)
    if rendered.body is None:
        return Response(status_code=204, headers=headers)
    return Response(rendered.body, media_type=rendered.image_format.media_type, headers=headers)


def _headers(rendered: Rendered, geobox: GeoBox, crs_id: str | None) -> dict[str, str]:
    uri = crs_uri(crs_id)
    headers = {
        "Content-Bbox": ",".join(repr(edge) for edge in geobox.bounds),
        "X-Assets": listed(rendered.used),
    }
    if uri is not None:
        headers["Content-Crs"] = f"<{uri}>"
    if rendered.failed:
        headers["X-Assets-Skipped"] = listed(tuple(failure.granule.id for failure in rendered.failed))
    return headers
