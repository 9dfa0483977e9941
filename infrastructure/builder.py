"""The builder: the function that works on builds, one message at a time."""

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.acknowledgements import DEAD_MESSAGES_HAVE_A_QUEUE, acknowledge
from infrastructure.builds import BUILD_S, RECEIVE, SEND, Builds
from infrastructure.function import Function, Shape
from infrastructure.options import Options
from infrastructure.rights import Right
from infrastructure.settings import source_settings, store_settings
from infrastructure.storage import Storage
from infrastructure.store_rights import read_sources, write_store

DISK_MB = 4096
"""Of the spool: as many granules as a mosaic may have take 1.3 GB with the headers of large COGs, for each asset."""


class Builder(Function):
    """Builds from `messages`; one that is not finished in time sends itself another message."""

    def __init__(
        self, scope: Construct, construct_id: str, *, options: Options, storage: Storage, builds: Builds
    ) -> None:
        stack = Stack.of(scope)
        shape = Shape(
            bundle="build",
            memory_mb=options.memory_mb,
            timeout_s=BUILD_S,
            disk_mb=DISK_MB,
            rights=[
                *write_store(storage),
                *read_sources(options, stack),
                Right(sid="WorkOnBuilds", actions=(*RECEIVE, *SEND), resources=[builds.queue.queue_arn]),
            ],
            environment={
                **store_settings(stack, storage, options),
                **source_settings(options),
                "QUADMOSAIC_QUEUE_URL": builds.queue.queue_url,
            },
        )
        super().__init__(scope, construct_id, options=options, shape=shape)
        self.messages = lambda_.EventSourceMapping(
            self,
            "Messages",
            target=self.alias,
            event_source_arn=builds.queue.queue_arn,
            batch_size=1,
            max_concurrency=options.builds,
            report_batch_item_failures=True,
        )
        acknowledge(self.messages, DEAD_MESSAGES_HAVE_A_QUEUE)
