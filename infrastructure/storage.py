"""Where mosaics are kept: a table for what is small, a versioned bucket for what is not; and their access logs."""

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infrastructure.acknowledgements import LOG_BUCKET_HAS_NO_LOGS, acknowledge
from infrastructure.options import Options
from quadmosaic.storage.dynamodb_client import EXPIRES, PARTITION, SORT

DOCUMENTS = "mosaics"
"""The folder of the bucket that the store has for itself."""
_UPLOAD_DAYS = 7


class Storage(Construct):
    """The table, the bucket and the bucket that both S3 and CloudFront write their access logs to."""

    def __init__(self, scope: Construct, construct_id: str, *, options: Options) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name=PARTITION, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=SORT, type=dynamodb.AttributeType.STRING),
            time_to_live_attribute=EXPIRES,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption=dynamodb.TableEncryption.DEFAULT,
            deletion_protection=options.keep_data,
            removal_policy=_kept(options),
        )
        self.logs = _private_bucket(
            self,
            "AccessLogs",
            options=options,
            # CloudFront writes its logs with an ACL, which a bucket of its owner alone would refuse.
            ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED
            if options.cdn
            else s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            rules=[s3.LifecycleRule(id="access-logs", expiration=Duration.days(options.log_days))],
        )
        acknowledge(self.logs, LOG_BUCKET_HAS_NO_LOGS)
        self.bucket = _private_bucket(
            self,
            "Documents",
            options=options,
            rules=[
                s3.LifecycleRule(
                    id="what-was-deleted",
                    noncurrent_version_expiration=Duration.days(options.noncurrent_days),
                    expired_object_delete_marker=True,
                )
            ],
            versioned=True,
            logs=self.logs,
        )


def _private_bucket(
    scope: Construct,
    construct_id: str,
    *,
    options: Options,
    rules: Sequence[s3.LifecycleRule],
    ownership: s3.ObjectOwnership = s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    versioned: bool = False,
    logs: s3.Bucket | None = None,
) -> s3.Bucket:
    """Encrypted, reached by TLS alone and by nobody without a right; uploads that were not finished are taken away."""
    unfinished = s3.LifecycleRule(
        id="uploads-that-were-not-finished", abort_incomplete_multipart_upload_after=Duration.days(_UPLOAD_DAYS)
    )
    return s3.Bucket(
        scope,
        construct_id,
        versioned=versioned,
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=ownership,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        server_access_logs_bucket=logs,
        server_access_logs_prefix="documents/" if logs else None,
        lifecycle_rules=[*rules, unfinished],
        removal_policy=_kept(options),
    )


def _kept(options: Options) -> RemovalPolicy:
    """Kept whatever becomes of the stack, but for a first deployment that fails, which is to leave nothing behind."""
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if options.keep_data else RemovalPolicy.DESTROY
