"""The default stack made in moto and read back: what AWS was told is what the template says."""

import json
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from deploying import Deployment, deploy
from intrinsics import REGION, in_order, resolve
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from synthesis import Synthesis

UNKNOWN_TO_MOTO = {
    "AWS::CloudFront::CachePolicy",
    "AWS::CloudFront::Distribution",
    "AWS::CloudFront::ResponseHeadersPolicy",
}
"""moto has no cache policies, which a distribution of today needs."""


class Aws:
    """Clients of moto, and the stack as it was made there."""

    def __init__(self, endpoint: str, stack: "Synthesis") -> None:
        self.endpoint = endpoint
        self.stack = stack
        self.deployment: Deployment = deploy(stack.template, endpoint, prefix="made")

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.endpoint, **keys)

    def of(self, kind: str, *, starting: str = "") -> tuple[str, dict[str, Any]]:
        """`Ref` of the only such resource, and its properties with every function resolved."""
        name = self.stack.name(kind, starting=starting)
        properties = resolve(self.stack.properties(kind, starting=starting), self.deployment.made)
        return self.deployment.made[name].ref, properties


@pytest.fixture(scope="module")
def aws(stack: "Synthesis") -> Generator[Aws]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Aws(f"http://{host}:{port}", stack)
    server.stop()


def test_all_but_these_were_made(aws: Aws) -> None:
    assert set(aws.deployment.missing) == UNKNOWN_TO_MOTO
    assert len(aws.deployment.made) == len(aws.stack.template["Resources"])


def test_no_resource_needs_itself(aws: Aws) -> None:
    assert set(in_order(aws.stack.template["Resources"])) == set(aws.stack.template["Resources"])


def test_the_table(aws: Aws) -> None:
    name, told = aws.of("AWS::DynamoDB::Table")
    dynamodb = aws.client("dynamodb")
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert table["KeySchema"] == told["KeySchema"]
    assert table["AttributeDefinitions"] == told["AttributeDefinitions"]
    assert table["BillingModeSummary"]["BillingMode"] == told["BillingMode"]
    assert table["DeletionProtectionEnabled"] is True
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_the_bucket(aws: Aws) -> None:
    name, told = aws.of("AWS::S3::Bucket", starting="StorageDocuments")
    s3 = aws.client("s3")
    block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert block == told["PublicAccessBlockConfiguration"]
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"] == told["OwnershipControls"]
    rules = {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]}
    assert rules["what-was-deleted"]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    assert rules["uploads-that-were-not-finished"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
    _, policy = aws.of("AWS::S3::BucketPolicy", starting="StorageDocuments")
    assert json.loads(s3.get_bucket_policy(Bucket=name)["Policy"]) == policy["PolicyDocument"]


def test_the_queues(aws: Aws) -> None:
    url, told = aws.of("AWS::SQS::Queue", starting="BuildsQueue")
    dead_url, _ = aws.of("AWS::SQS::Queue", starting="BuildsDead")
    sqs = aws.client("sqs")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    dead = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["All"])["Attributes"]
    assert int(found["VisibilityTimeout"]) == told["VisibilityTimeout"]
    assert json.loads(found["RedrivePolicy"]) == {"deadLetterTargetArn": dead["QueueArn"], "maxReceiveCount": 5}
    assert json.loads(found["Policy"])["Statement"][0]["Effect"] == "Deny"
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead_url)["queueUrls"] == [url]


def test_the_schedule_group_and_its_role(aws: Aws) -> None:
    group, _ = aws.of("AWS::Scheduler::ScheduleGroup")
    arn = aws.client("scheduler").get_schedule_group(Name=group)["Arn"]
    role, _ = aws.of("AWS::IAM::Role", starting="Schedules")
    trust = aws.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Condition"]["StringEquals"]["aws:SourceArn"] == arn


@pytest.mark.parametrize("name", ["Tiler", "Registry", "Builder", "Schedules"])
def test_the_roles_and_their_policies(aws: Aws, name: str) -> None:
    role, told = aws.of("AWS::IAM::Role", starting=name)
    iam = aws.client("iam")
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    assert found == told["Policies"][0]["PolicyDocument"]


def test_the_logs(aws: Aws) -> None:
    made = {aws.deployment.made[name].ref for name in aws.stack.of_type("AWS::Logs::LogGroup")}
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix="made-")["logGroups"]
    assert {group["logGroupName"]: group["retentionInDays"] for group in groups} == dict.fromkeys(made, 30)
    group, _ = aws.of("AWS::Logs::LogGroup", starting="Builder")
    (counted,) = aws.client("logs").describe_metric_filters(logGroupName=group)["metricFilters"]
    assert counted["filterPattern"] == '"build failed"'


@pytest.mark.parametrize("name", ["Tiler", "Registry", "Builder"])
def test_the_functions(aws: Aws, name: str) -> None:
    function, told = aws.of("AWS::Lambda::Function", starting=name)
    lambda_ = aws.client("lambda")
    found = lambda_.get_function(FunctionName=function)
    same = ("Architectures", "Handler", "MemorySize", "Runtime", "Timeout", "Environment", "Role", "TracingConfig")
    assert {key: found["Configuration"][key] for key in same} == {key: told[key] for key in same}
    assert found.get("Concurrency", {}) == {key: told[key] for key in ("ReservedConcurrentExecutions",) if key in told}
    assert lambda_.get_alias(FunctionName=function, Name="live")["FunctionVersion"] == "1"


def test_the_builder_reads_the_queue(aws: Aws) -> None:
    queue, _ = aws.of("AWS::SQS::Queue", starting="BuildsQueue")
    function, _ = aws.of("AWS::Lambda::Function", starting="Builder")
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    (mapping,) = aws.client("lambda").list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"]
    assert function in mapping["FunctionArn"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_routes_of_the_api(aws: Aws) -> None:
    api, _ = aws.of("AWS::ApiGatewayV2::Api")
    gateway = aws.client("apigatewayv2")
    integrations = {
        each["IntegrationId"]: each["IntegrationUri"] for each in gateway.get_integrations(ApiId=api)["Items"]
    }
    found = {
        each["RouteKey"]: each["Target"].removeprefix("integrations/")
        for each in gateway.get_routes(ApiId=api)["Items"]
    }
    told = {each["Properties"]["RouteKey"] for each in aws.stack.of_type("AWS::ApiGatewayV2::Route").values()}
    assert set(found) == told
    assert "tiler" in integrations[found["GET /mosaics/{mosaic}/tiles/{tms}/{z}/{x}/{y}"]]
    assert "registry" in integrations[found["POST /mosaics"]]
    (stage,) = gateway.get_stages(ApiId=api)["Items"]
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 500


def test_the_secret_and_the_alarms(aws: Aws) -> None:
    secret, _ = aws.of("AWS::SecretsManager::Secret")
    assert aws.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"] == "[]"
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="made-")["MetricAlarms"]
    assert len(alarms) == len(aws.stack.of_type("AWS::CloudWatch::Alarm"))
    dashboards = aws.client("cloudwatch").list_dashboards(DashboardNamePrefix="made-")["DashboardEntries"]
    assert len(dashboards) == 1
