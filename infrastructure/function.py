"""A function with all that belongs to it: role, log group, version and the alias that callers use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aws_cdk import Annotations, Duration, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.acknowledgements import (
    NO_TRACES,
    NOTHING_ASYNCHRONOUS,
    PYTHON_OF_THE_BUNDLES,
    SNAPSHOT_OF_THE_ALIAS,
    acknowledge,
)
from infrastructure.log_groups import log_group
from infrastructure.options import Architecture, Options
from infrastructure.rights import Right, policy, state_reasons

ALIAS = "live"
WRITE_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
TRACE = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
_PLACEHOLDER = Path(__file__).parent / "placeholder"
_LEVELS = {
    "DEBUG": lambda_.ApplicationLogLevel.DEBUG,
    "INFO": lambda_.ApplicationLogLevel.INFO,
    "WARNING": lambda_.ApplicationLogLevel.WARN,
    "ERROR": lambda_.ApplicationLogLevel.ERROR,
}
_ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a function runs; `concurrency` 0 leaves it to the account's limit, and `disk_mb` is its ephemeral storage."""

    bundle: str
    memory_mb: int
    timeout_s: int
    disk_mb: int = 512
    concurrency: int = 0
    snapstart: bool = False
    rights: Sequence[Right] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Function(Construct):
    """`alias` is what is called; `role` has the shape's rights, those to log and trace, and no other."""

    def __init__(self, scope: Construct, construct_id: str, *, options: Options, shape: Shape) -> None:
        super().__init__(scope, construct_id)
        self.memory_mb = shape.memory_mb
        self.logs = log_group(self, "Logs", options)
        rights = [*shape.rights, *self._own(options)]
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"rights": policy(rights)},
        )
        state_reasons(self.role, rights)
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=_ARCHITECTURES[options.architecture],
            handler=f"lambda_handler.{shape.bundle}.handler",
            code=_code(self, shape.bundle, options),
            role=self.role.without_policy_updates(),
            memory_size=shape.memory_mb,
            ephemeral_storage_size=Size.mebibytes(shape.disk_mb),
            timeout=Duration.seconds(shape.timeout_s),
            reserved_concurrent_executions=shape.concurrency or None,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if shape.snapstart else None,
            tracing=lambda_.Tracing.ACTIVE if options.xray else lambda_.Tracing.DISABLED,
            log_group=self.logs,
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=_LEVELS[options.log_level],
            environment=dict(shape.environment),
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
        )
        acknowledge(self.function, *PYTHON_OF_THE_BUNDLES, NOTHING_ASYNCHRONOUS)
        if shape.snapstart:
            acknowledge(self.function, SNAPSHOT_OF_THE_ALIAS)
        if not options.xray:
            acknowledge(self.function, NO_TRACES)
        self.alias = lambda_.Alias(self, "Alias", alias_name=ALIAS, version=self.function.current_version)

    def _own(self, options: Options) -> list[Right]:
        write = Right(sid="WriteLogs", actions=WRITE_LOGS, resources=[self.logs.log_group_arn])
        trace = Right(
            sid="Trace",
            actions=TRACE,
            resources=["*"],
            wildcard="The calls of X-Ray know no resources that a right could name.",
        )
        return [write, trace] if options.xray else [write]


def _code(scope: Construct, bundle_name: str, options: Options) -> lambda_.Code:
    if options.bundles == "skip":
        Annotations.of(scope).add_warning_v2("quadmosaic:bundles", "bundles=skip: this function has no code")
        return lambda_.Code.from_asset(str(_PLACEHOLDER))
    return lambda_.Code.from_asset(str(_bundled(bundle_name, options.architecture)))


def _bundled(bundle_name: str, architecture: Architecture) -> Path:
    from infrastructure.bundle import bundle

    return bundle(bundle_name, architecture)
