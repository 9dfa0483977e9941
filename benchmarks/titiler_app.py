"""The peer: TiTiler's mosaic routes on planetcantile's sets, with the GDAL settings that TiTiler recommends."""

from titiler_settings import planetary_tms  # before morecantile, so that both have one list of sets

# isort: split
from cogeo_mosaic.backends import MosaicBackend
from fastapi import FastAPI
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.mosaic.errors import MOSAIC_STATUS_CODES
from titiler.mosaic.factory import MosaicTilerFactory

app = FastAPI()
routes = MosaicTilerFactory(backend=MosaicBackend, supported_tms=planetary_tms)
app.include_router(routes.router)
add_exception_handlers(app, DEFAULT_STATUS_CODES)
add_exception_handlers(app, MOSAIC_STATUS_CODES)


@app.get("/healthz")
def health() -> dict[str, str]:
    """Answers as long as the process lives."""
    return {"status": "ok"}
