"""What a deployment may choose: one frozen set of options, each in the table of infrastructure/README.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from quadmosaic.config import Settings

type Architecture = Literal["arm64", "x86_64"]
type Authority = Literal["tokens", "jwt", "iam"]
type Bundles = Literal["build", "skip"]
type LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
"""Not CRITICAL: a failed build is logged as an error, and the alarm counts the lines."""
type BucketMode = Literal["anonymous", "signed", "requester-pays"]

_DEFAULTS = Settings.model_fields


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceBucket:
    """A bucket that granules lie in; `endpoint` is the address of an S3 that is not AWS's."""

    region: str = "us-west-2"
    mode: BucketMode = "anonymous"
    endpoint: str | None = None

    @property
    def needs_right(self) -> bool:
        """Whether AWS lets a function read it only with a right of its role."""
        return self.mode != "anonymous" and self.endpoint is None


def _told(help_text: str) -> dict[str, str]:
    return {"help": help_text}


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """A deployment; `infrastructure.option_values.parse_options` reads and checks it."""

    name: str = field(default="quadmosaic", metadata=_told("the stack's name"))
    bundles: Bundles = field(
        default="build", metadata=_told("`build`, or `skip` to synthesise with empty functions, offline")
    )
    architecture: Architecture = field(default="arm64", metadata=_told("`arm64` or `x86_64`"))
    snapstart: bool = field(default=True, metadata=_told("start the tiler from a snapshot"))
    xray: bool = field(default=True, metadata=_told("trace the functions with X-Ray"))
    memory_mb: int = field(default=1769, metadata=_told("memory of the tiler and the builder; 1769 MB have one vCPU"))
    concurrency: int = field(
        default=100, metadata=_told("tiles drawn at once at the most, a stop for costs; 0: the account's own limit")
    )
    registry_concurrency: int = field(default=10, metadata=_told("registry calls at once; 0: the account's own limit"))
    builds: int = field(default=2, metadata=_told("builds at once, 2 to 1000"))
    authority: Authority = field(
        default="tokens",
        metadata=_told("who decides on writes: `tokens` of the service, or API Gateway by `jwt` or `iam`"),
    )
    jwt_issuer: str = field(default="", metadata=_told("with `jwt`: the https address of the issuer"))
    jwt_audience: tuple[str, ...] = field(default=(), metadata=_told("with `jwt`: audiences that are accepted"))
    jwt_scopes: tuple[str, ...] = field(default=(), metadata=_told("with `jwt`: scopes of which a writer needs one"))
    buckets: Mapping[str, SourceBucket] = field(
        default_factory=lambda: {name: SourceBucket() for name in _DEFAULTS["buckets"].default},
        metadata=_told('JSON: source bucket -> `{"region", "mode", "endpoint"}`'),
    )
    allowed_hosts: tuple[str, ...] = field(
        default=_DEFAULTS["allowed_hosts"].default, metadata=_told("hosts and `s3://bucket`s of sources")
    )
    cors_origins: tuple[str, ...] = field(
        default=_DEFAULTS["cors_origins"].default, metadata=_told("origins that may use the maps")
    )
    log_level: LogLevel = field(
        default=_DEFAULTS["log_level"].default,
        metadata=_told("level of the functions' logs: `DEBUG`, `INFO`, `WARNING` or `ERROR`"),
    )
    rate: int = field(default=500, metadata=_told("requests a second that API Gateway lets in"))
    burst: int = field(default=1000, metadata=_told("requests at once that API Gateway lets in"))
    write_rate: int = field(default=5, metadata=_told("requests a second to each route that writes"))
    write_burst: int = field(default=10, metadata=_told("requests at once to each route that writes"))
    cdn: bool = field(default=True, metadata=_told("CloudFront before the service"))
    domain: str = field(default="", metadata=_told("a domain of your own for CloudFront"))
    certificate: str = field(default="", metadata=_told("ARN of its certificate, in us-east-1"))
    web_acl: str = field(default="", metadata=_told("ARN of a global web ACL (WAF), in us-east-1"))
    head_seconds: int = field(
        default=60, metadata=_told("seconds for which CloudFront keeps what is not of one version, at the most")
    )
    price_class: Literal["100", "200", "all"] = field(
        default="100", metadata=_told("where CloudFront answers: `100`, `200` or `all`")
    )
    keep_data: bool = field(
        default=True, metadata=_told("table and bucket outlive the stack and are protected from deletion")
    )
    noncurrent_days: int = field(default=30, metadata=_told("days for which the bucket keeps what was deleted"))
    log_days: int = field(
        default=30, metadata=_told("days for which logs are kept: 1, 3, 7, 14, 30, 60, 90, 180, 365, 731 or 1827")
    )
    alarm_email: str = field(default="", metadata=_told("where alarms are sent; the address must confirm"))
    p95_ms: int = field(default=5000, metadata=_told("alarm: 95 of 100 tiles must be faster, in milliseconds"))
    queue_minutes: int = field(default=120, metadata=_told("alarm: minutes for which a build may wait"))
    daily_cost: int = field(default=20, metadata=_told("alarm: estimated dollars a day"))
