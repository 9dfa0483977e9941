"""The Lambda function of maps and tiles, which only reads: an HTTP event in, the application called, nothing else."""

from lambda_handler import beginning

# isort: split
from lambda_handler import logs, snapshots
from lambda_handler.edge import http_handler
from lambda_handler.invocations import seconds_left
from quadmosaic import bootstrap
from quadmosaic.config import Settings

RESERVE_S = 2.0
"""Of an invocation, for what follows the reading: merging, encoding and sending."""
LEAST_S = 0.1

settings = Settings()
logs.configure(settings.log_level)


def deadline() -> float:
    """Seconds for the reading of an image: the settings' own, or what Lambda leaves of them."""
    return max(LEAST_S, min(settings.tile_deadline_s, seconds_left() - RESERVE_S))


served = bootstrap.maps_served(settings, deadline=deadline)
app = served.app
handler = http_handler(app)
snapshots.prepare(served)
beginning.end()
