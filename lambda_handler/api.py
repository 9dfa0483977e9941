"""The Lambda function behind API Gateway: an HTTP API event in, the application called, nothing else."""

from mangum import Mangum

from quadmosaic.bootstrap import http_app
from quadmosaic.config import Settings

app = http_app(Settings(), metrics=False)
handler = Mangum(app, lifespan="off")
