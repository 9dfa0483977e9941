"""Findings of cdk-nag that are meant to be so, each with its reason."""

from dataclasses import dataclass

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A rule, or one finding of it, and why it stays."""

    id: str
    reason: str


def acknowledge(construct: IConstruct, *findings: Finding) -> None:
    """Accept these findings about a construct and all below it."""
    for finding in findings:
        Validations.of(construct).acknowledge(Acknowledgment(id=finding.id, reason=finding.reason))


LOG_BUCKET_HAS_NO_LOGS = Finding(
    id="AwsSolutions-S1", reason="This is the bucket of access logs; logging it into itself would never end."
)
TOKENS_ARE_ROTATED_BY_HAND = Finding(
    id="AwsSolutions-SMG4",
    reason="The secret holds digests of tokens that people and programs keep; whoever replaces one must hand it out.",
)
READS_ARE_PUBLIC = Finding(
    id="AwsSolutions-APIG4",
    reason="Maps are public: this route only reads, and browsers ask with OPTIONS before they have credentials.",
)
WRITES_ARE_CHECKED_BY_THE_SERVICE = Finding(
    id="AwsSolutions-APIG4",
    reason="authority=tokens: the registry itself asks for a token and checks what it allows, for each mosaic by name.",
)
MAPS_ARE_FOR_ALL = Finding(
    id="AwsSolutions-CFR1", reason="Maps of planets are for every country; who must restrict them gives a web ACL."
)
NO_WEB_ACL = Finding(
    id="AwsSolutions-CFR2",
    reason="A web ACL costs by the rule and request and is the option web_acl; throttling and reserved concurrency "
    "limit what a flood can cost without one.",
)
CERTIFICATE_OF_CLOUDFRONT = Finding(
    id="AwsSolutions-CFR4",
    reason="Without a domain the distribution has CloudFront's own certificate, whose least TLS version nobody can "
    "choose; with the option domain it is TLS 1.2 (2021).",
)
WILDCARDS_HAVE_REASONS = Finding(
    id="Serverless-LambdaStarPermissions",
    reason="Each resource with an asterisk is acknowledged by itself, with its own reason; actions have none.",
)
_PYTHON = "The bundles hold libraries compiled for Python 3.13, on which everything is tested."
PYTHON_OF_THE_BUNDLES = (
    Finding(id="AwsSolutions-L1", reason=_PYTHON),
    Finding(id="Serverless-LambdaLatestVersion", reason=_PYTHON),
)
NOTHING_ASYNCHRONOUS = Finding(
    id="Serverless-LambdaDLQ",
    reason="A function's own dead letters are those of asynchronous calls, and nobody calls it so: API Gateway waits "
    "for the answer, and messages of SQS go to the dead letters of their queue.",
)
DEAD_MESSAGES_HAVE_A_QUEUE = Finding(
    id="Serverless-LambdaEventSourceMappingDestination",
    reason="Destinations are for streams; what SQS cannot deliver goes to the dead letters of the queue.",
)
DEAD_MESSAGES_STAY = Finding(
    id="Serverless-SQSRedrivePolicy", reason="This is the queue of dead letters; an alarm tells of the first one."
)
NO_TRACES = Finding(
    id="Serverless-LambdaTracing", reason="Traces cost by the million, and xray=false says to do without."
)
MAIL_IS_REPEATED = Finding(
    id="Serverless-SNSRedrivePolicy",
    reason="SNS repeats e-mail by itself, and an alarm that could not be mailed is still to be seen on the dashboard.",
)
SNAPSHOT_OF_THE_ALIAS = Finding(
    id="@aws-cdk/aws-lambda:snapStartRequirePublish",
    reason="Each deployment publishes a version, and callers use the alias that leads to it.",
)
