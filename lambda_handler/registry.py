"""The Lambda function of the registry, which writes: an HTTP event in, the application called, nothing else."""

from lambda_handler import beginning

# isort: split
from lambda_handler import logs, snapshots
from lambda_handler.edge import http_handler
from quadmosaic import bootstrap
from quadmosaic.config import Settings

settings = Settings()
logs.configure(settings.log_level)
served = bootstrap.registry_served(settings)
app = served.app
handler = http_handler(app)
snapshots.prepare(served)
beginning.end()
