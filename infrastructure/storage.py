"""Where mosaics are kept: a table for what is small, a versioned bucket for what is not; and their access logs."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infrastructure.acknowledgements import LOG_BUCKET_HAS_NO_LOGS, acknowledge
from infrastructure.options import Options

PARTITION, SORT, EXPIRES = "pk", "sk", "expires"
DOCUMENTS = "mosaics"
"""The folder of the bucket that the store has for itself."""
_UPLOAD_DAYS = 7


class Storage(Construct):
    """The table, the bucket and the bucket that both S3 and CloudFront write their access logs to."""

    def __init__(self, scope: Construct, construct_id: str, *, options: Options) -> None:
        super().__init__(scope, construct_id)
        kept = _kept(options)
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
            removal_policy=kept,
        )
        self.logs = _logs(self, options)
        self.bucket = s3.Bucket(
            self,
            "Documents",
            versioned=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            server_access_logs_bucket=self.logs,
            server_access_logs_prefix="documents/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="what-was-deleted",
                    noncurrent_version_expiration=Duration.days(options.noncurrent_days),
                    expired_object_delete_marker=True,
                ),
                s3.LifecycleRule(
                    id="uploads-that-were-not-finished",
                    abort_incomplete_multipart_upload_after=Duration.days(_UPLOAD_DAYS),
                ),
            ],
            removal_policy=kept,
        )


def _logs(scope: Construct, options: Options) -> s3.Bucket:
    """CloudFront writes its logs with an ACL, which a bucket of its owner alone would refuse."""
    bucket = s3.Bucket(
        scope,
        "AccessLogs",
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED
        if options.cdn
        else s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        lifecycle_rules=[
            s3.LifecycleRule(
                id="access-logs",
                expiration=Duration.days(options.log_days),
                abort_incomplete_multipart_upload_after=Duration.days(_UPLOAD_DAYS),
            )
        ],
        removal_policy=_kept(options),
    )
    acknowledge(bucket, LOG_BUCKET_HAS_NO_LOGS)
    return bucket


def _kept(options: Options) -> RemovalPolicy:
    """Kept whatever becomes of the stack, but for a first deployment that fails, which is to leave nothing behind."""
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if options.keep_data else RemovalPolicy.DESTROY
