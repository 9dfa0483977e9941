"""The Lambda function behind API Gateway: an HTTP API event in, the application called, nothing else."""

from mangum import Mangum
from mangum.types import ASGI
from starlette.types import ASGIApp, Receive, Scope, Send

from quadmosaic.bootstrap import http_app
from quadmosaic.config import Settings

DEFAULT_STAGE = "$default"


def below_stage(app: ASGIApp) -> ASGI:
    """The application below the stage's name, with which the paths of all stages but the default one begin."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        stage = scope["aws.event"]["requestContext"].get("stage", DEFAULT_STAGE)
        if stage != DEFAULT_STAGE and f"{scope['path']}/".startswith(f"/{stage}/"):
            scope = {**scope, "root_path": f"/{stage}"}
        await app(scope, receive, send)

    return call


app = http_app(Settings(), metrics=False)
handler = Mangum(below_stage(app), lifespan="off")
