"""The tiler: the function that draws, which only reads."""

from aws_cdk import Stack
from constructs import Construct

from infrastructure.function import Function, Shape
from infrastructure.options import Options
from infrastructure.settings import http_settings, source_settings, store_settings
from infrastructure.storage import Storage
from infrastructure.store_rights import read_sources, read_store

TIMEOUT_S = 29
"""API Gateway gives up after 30 seconds."""


class Tiler(Function):
    """Maps and tiles, from a snapshot where that is wanted; its concurrency is what stops the costs."""

    def __init__(
        self, scope: Construct, construct_id: str, *, options: Options, storage: Storage, public_url: str | None
    ) -> None:
        stack = Stack.of(scope)
        shape = Shape(
            bundle="api",
            memory_mb=options.memory_mb,
            timeout_s=TIMEOUT_S,
            concurrency=options.concurrency,
            snapstart=options.snapstart,
            rights=[*read_store(storage), *read_sources(options, stack)],
            environment={
                **store_settings(stack, storage, options),
                **source_settings(options),
                **http_settings(options, public_url),
            },
        )
        super().__init__(scope, construct_id, options=options, shape=shape)
