"""The peer as its own deployment has it: Mangum over TiTiler's whole application.

It is not among the project's packages: `uv run --with titiler.application ...`.
"""

import titiler_settings  # noqa: F401  # before the application takes them

# isort: split
from mangum import Mangum
from titiler.application.main import app

handler = Mangum(app, lifespan="off")
