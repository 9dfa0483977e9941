"""The peer as a Lambda function: TiTiler's own handler is Mangum over the application, without its lifespan."""

from mangum import Mangum
from titiler_app import app

handler = Mangum(app, lifespan="off")
