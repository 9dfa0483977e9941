"""A template's resources made in moto, one call of AWS after the other, for CloudFormation's part of moto knows few."""

import io
import json
import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from intrinsics import ACCOUNT, REGION, Made, in_order, resolve

type Properties = Mapping[str, Any]
type Client = Callable[[str], Any]
type Maker = Callable[[Client, Properties, str], Made]


@dataclass(kw_only=True)
class Deployment:
    """What was made by logical id, and which types could not be."""

    made: dict[str, Made] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)


def deploy(template: Mapping[str, Any], endpoint: str, *, prefix: str, without: Collection[str] = ()) -> Deployment:
    """Everything that has a maker, in the order of its needs, under names that begin with the prefix.

    What has none, and the types `without`, get a made-up name and are reported as missing.
    """
    keys = {"aws_access_key_id": "administrator", "aws_secret_access_key": "x"}

    @cache
    def client(service: str) -> Any:
        return boto3.client(service, region_name=REGION, endpoint_url=endpoint, **keys)

    deployed = Deployment()
    resources = template["Resources"]
    for name in in_order(resources):
        kind = resources[name]["Type"]
        physical = f"{prefix}-{name.lower()}"
        if kind not in MAKERS or kind in without:
            deployed.missing[kind] = deployed.missing.get(kind, 0) + 1
            domain = f"{physical}.example.com"
            deployed.made[name] = Made(ref=physical, attributes={"DomainName": domain, "Arn": f"arn:aws:none:::{name}"})
            continue
        properties = resolve(resources[name].get("Properties", {}), deployed.made)
        deployed.made[name] = MAKERS[kind](client, properties, physical)
    return deployed


def _table(client: Client, told: Properties, name: str) -> Made:
    dynamodb = client("dynamodb")
    own = ("KeySchema", "AttributeDefinitions", "BillingMode", "DeletionProtectionEnabled")
    answer = dynamodb.create_table(TableName=name, **{key: told[key] for key in own})
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=told["TimeToLiveSpecification"])
    dynamodb.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification=told["PointInTimeRecoverySpecification"]
    )
    return Made(ref=name, attributes={"Arn": answer["TableDescription"]["TableArn"]})


def _bucket(client: Client, told: Properties, name: str) -> Made:
    s3 = client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=told["PublicAccessBlockConfiguration"])
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=told["OwnershipControls"])
    rules = [
        {"ApplyServerSideEncryptionByDefault": each["ServerSideEncryptionByDefault"]}
        for each in told["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    ]
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    lifecycle = {"Rules": [_lifecycle(rule) for rule in told["LifecycleConfiguration"]["Rules"]]}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=lifecycle)
    if "VersioningConfiguration" in told:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=told["VersioningConfiguration"])
    host = f"{name}.s3.{REGION}.amazonaws.com"
    return Made(ref=name, attributes={"Arn": f"arn:aws:s3:::{name}", "RegionalDomainName": host})


def _bucket_policy(client: Client, told: Properties, name: str) -> Made:
    client("s3").put_bucket_policy(Bucket=told["Bucket"], Policy=json.dumps(told["PolicyDocument"]))
    return Made(ref=name)


def _lifecycle(rule: Properties) -> dict[str, Any]:
    """CloudFormation and S3 spell the same rule differently."""
    same = ("Status", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
    expiration = {
        own: rule[theirs]
        for theirs, own in (("ExpirationInDays", "Days"), ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"))
        if theirs in rule
    }
    made: dict[str, Any] = {"ID": rule["Id"], "Filter": {"Prefix": ""}}
    made |= {key: rule[key] for key in same if key in rule}
    return made | ({"Expiration": expiration} if expiration else {})


def _queue(client: Client, told: Properties, name: str) -> Made:
    attributes = {
        key: json.dumps(value)
        if isinstance(value, dict)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
        for key, value in told.items()
    }
    url = client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return Made(ref=url, attributes={"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "QueueName": name})


def _queue_policy(client: Client, told: Properties, name: str) -> Made:
    for url in told["Queues"]:
        client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(told["PolicyDocument"])})
    return Made(ref=name)


def _group(client: Client, told: Properties, _: str) -> Made:
    arn = client("scheduler").create_schedule_group(Name=told["Name"])["ScheduleGroupArn"]
    return Made(ref=told["Name"], attributes={"Arn": arn})


def _role(client: Client, told: Properties, name: str) -> Made:
    iam = client("iam")
    trust = json.dumps(told["AssumeRolePolicyDocument"])
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    for policy in told.get("Policies", ()):
        document = json.dumps(policy["PolicyDocument"])
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
    return Made(ref=name, attributes={"Arn": arn})


def _secret(client: Client, told: Properties, name: str) -> Made:
    arn = client("secretsmanager").create_secret(Name=name, SecretString=told["SecretString"])["ARN"]
    return Made(ref=arn)


def _log_group(client: Client, told: Properties, name: str) -> Made:
    logs = client("logs")
    logs.create_log_group(logGroupName=name)
    logs.put_retention_policy(logGroupName=name, retentionInDays=told["RetentionInDays"])
    return Made(ref=name, attributes={"Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"})


def _metric_filter(client: Client, told: Properties, name: str) -> Made:
    transformed = [
        {key[0].lower() + key[1:]: value for key, value in each.items()} for each in told["MetricTransformations"]
    ]
    client("logs").put_metric_filter(
        logGroupName=told["LogGroupName"],
        filterName=name,
        filterPattern=told["FilterPattern"],
        metricTransformations=transformed,
    )
    return Made(ref=name)


def _function(client: Client, told: Properties, name: str) -> Made:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("none.txt", "")
    settings = {key: value for key, value in told.items() if key not in ("Code", "ReservedConcurrentExecutions")}
    lambda_ = client("lambda")
    arn = lambda_.create_function(FunctionName=name, Code={"ZipFile": packed.getvalue()}, **settings)["FunctionArn"]
    if "ReservedConcurrentExecutions" in told:
        reserved = told["ReservedConcurrentExecutions"]
        lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    return Made(ref=name, attributes={"Arn": arn})


def _version(client: Client, told: Properties, _: str) -> Made:
    answer = client("lambda").publish_version(FunctionName=told["FunctionName"])
    return Made(ref=answer["FunctionArn"], attributes={"Version": answer["Version"]})


def _alias(client: Client, told: Properties, _: str) -> Made:
    return Made(ref=client("lambda").create_alias(**told)["AliasArn"])


def _permission(client: Client, told: Properties, name: str) -> Made:
    client("lambda").add_permission(StatementId=name, **told)
    return Made(ref=name)


def _messages(client: Client, told: Properties, _: str) -> Made:
    return Made(ref=client("lambda").create_event_source_mapping(**told)["UUID"])


def _api(client: Client, told: Properties, _: str) -> Made:
    answer = client("apigatewayv2").create_api(**told)
    return Made(ref=answer["ApiId"], attributes={"ApiEndpoint": answer["ApiEndpoint"]})


def _integration(client: Client, told: Properties, _: str) -> Made:
    return Made(ref=client("apigatewayv2").create_integration(**told)["IntegrationId"])


def _route(client: Client, told: Properties, _: str) -> Made:
    return Made(ref=client("apigatewayv2").create_route(**told)["RouteId"])


def _stage(client: Client, told: Properties, _: str) -> Made:
    return Made(ref=client("apigatewayv2").create_stage(**told)["StageName"])


def _alarm(client: Client, told: Properties, name: str) -> Made:
    client("cloudwatch").put_metric_alarm(AlarmName=name, **told)
    return Made(ref=name, attributes={"Arn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"})


def _dashboard(client: Client, told: Properties, name: str) -> Made:
    client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=told["DashboardBody"])
    return Made(ref=name)


MAKERS: dict[str, Maker] = {
    "AWS::ApiGatewayV2::Api": _api,
    "AWS::ApiGatewayV2::Integration": _integration,
    "AWS::ApiGatewayV2::Route": _route,
    "AWS::ApiGatewayV2::Stage": _stage,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::DynamoDB::Table": _table,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::EventSourceMapping": _messages,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Permission": _permission,
    "AWS::Lambda::Version": _version,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::Logs::MetricFilter": _metric_filter,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SQS::Queue": _queue,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::Scheduler::ScheduleGroup": _group,
    "AWS::SecretsManager::Secret": _secret,
}
