"""The registry: the function that writes down what is to be built, when, and by whose leave."""

from aws_cdk import Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infrastructure.builds import SEND, Builds
from infrastructure.function import Function, Shape
from infrastructure.options import Options
from infrastructure.rights import Right
from infrastructure.schedules import Schedules
from infrastructure.settings import http_settings, source_settings, store_settings
from infrastructure.storage import Storage
from infrastructure.store_rights import write_store

TIMEOUT_S = 29
MEMORY_MB = 1024
READ_SECRET = ("secretsmanager:GetSecretValue",)


class Registry(Function):
    """Registrations, their builds and versions; it reads no source."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: Options,
        storage: Storage,
        builds: Builds,
        schedules: Schedules,
        tokens: secretsmanager.Secret | None,
        public_url: str | None,
    ) -> None:
        stack = Stack.of(scope)
        rights = [
            *write_store(storage),
            Right(sid="StartBuilds", actions=SEND, resources=[builds.queue.queue_arn]),
            *schedules.rights(),
        ]
        if tokens is not None:
            rights.append(Right(sid="ReadTokens", actions=READ_SECRET, resources=[tokens.secret_arn]))
        shape = Shape(
            bundle="registry",
            memory_mb=MEMORY_MB,
            timeout_s=TIMEOUT_S,
            concurrency=options.registry_concurrency,
            rights=rights,
            environment={
                **store_settings(stack, storage, options),
                **source_settings(options),
                **http_settings(options, public_url),
                "QUADMOSAIC_QUEUE_URL": builds.queue.queue_url,
                "QUADMOSAIC_SCHEDULES": schedules.setting,
                **_authority(tokens),
            },
        )
        super().__init__(scope, construct_id, options=options, shape=shape)


def _authority(tokens: secretsmanager.Secret | None) -> dict[str, str]:
    """Without tokens of its own the service relies on what API Gateway has decided."""
    if tokens is None:
        return {"QUADMOSAIC_AUTHORITY": "gateway"}
    return {"QUADMOSAIC_AUTHORITY": "tokens", "QUADMOSAIC_TOKENS": tokens.secret_arn}
