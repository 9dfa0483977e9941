"""The parts of the stack as they are synthesised: what keeps data, what runs, what starts it, and for how long."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from infrastructure.builds import VISIBILITY_S
from lambda_handler.build import RESERVE_S

from quadmosaic.config import Settings
from quadmosaic.storage.dynamodb_client import EXPIRES, PARTITION, SORT
from quadmosaic.triggers.aws import EventBridgeScheduler

if TYPE_CHECKING:
    from synthesis import Synthesis

FUNCTIONS = ("Tiler", "Registry", "Builder")
LASTING = ("AWS::DynamoDB::Table", "AWS::S3::Bucket")


def function(stack: "Synthesis", name: str) -> dict[str, Any]:
    return stack.properties("AWS::Lambda::Function", starting=name)


def environment(stack: "Synthesis", name: str) -> dict[str, Any]:
    found: dict[str, Any] = function(stack, name)["Environment"]["Variables"]
    return found


class TestStorage:
    def test_the_table_is_the_one_that_the_store_needs(self, stack: "Synthesis") -> None:
        table = stack.properties("AWS::DynamoDB::Table")
        assert table["KeySchema"] == [
            {"AttributeName": PARTITION, "KeyType": "HASH"},
            {"AttributeName": SORT, "KeyType": "RANGE"},
        ]
        assert {each["AttributeType"] for each in table["AttributeDefinitions"]} == {"S"}
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["TimeToLiveSpecification"] == {"AttributeName": EXPIRES, "Enabled": True}
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}

    def test_buckets_are_private_encrypted_and_reached_by_tls_alone(self, stack: "Synthesis") -> None:
        policies = [each["Properties"] for each in stack.of_type("AWS::S3::BucketPolicy").values()]
        for name, bucket in stack.of_type("AWS::S3::Bucket").items():
            assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
            assert bucket["Properties"]["BucketEncryption"]
            (policy,) = (each for each in policies if each["Bucket"]["Ref"] == name)
            denied = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]
            assert {"Bool": {"aws:SecureTransport": "false"}} in [each["Condition"] for each in denied]
            assert all(each["Principal"] == {"AWS": "*"} and each["Action"] == "s3:*" for each in denied)

    def test_what_is_deleted_from_the_bucket_is_kept_for_a_while(self, synthesised: Any) -> None:
        bucket = synthesised(noncurrent_days=9).properties("AWS::S3::Bucket", starting="StorageDocuments")
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        rules = bucket["LifecycleConfiguration"]["Rules"]
        assert {"NoncurrentDays": 9} in [rule.get("NoncurrentVersionExpiration") for rule in rules]
        assert {"DaysAfterInitiation": 7} in [rule.get("AbortIncompleteMultipartUpload") for rule in rules]
        assert not any("ExpirationInDays" in rule for rule in rules)

    @pytest.mark.parametrize(
        ("keep", "deleted", "replaced"), [(True, "RetainExceptOnCreate", "Retain"), (False, "Delete", "Delete")]
    )
    def test_data_outlives_the_stack_if_it_is_to(
        self, synthesised: Any, keep: bool, deleted: str, replaced: str
    ) -> None:
        """But not a first deployment that failed, which could not be repeated."""
        stack = synthesised() if keep else synthesised(keep_data=False)
        for kind in LASTING:
            assert {each["DeletionPolicy"] for each in stack.of_type(kind).values()} == {deleted}
            assert {each["UpdateReplacePolicy"] for each in stack.of_type(kind).values()} == {replaced}
        assert stack.properties("AWS::DynamoDB::Table")["DeletionProtectionEnabled"] is keep

    @pytest.mark.parametrize("keep", [True, False])
    def test_nothing_else_outlives_the_stack(self, synthesised: Any, keep: bool) -> None:
        stack = synthesised() if keep else synthesised(keep_data=False)
        left = {
            each["Type"]
            for each in stack.template["Resources"].values()
            if each.get("DeletionPolicy", "Delete") != "Delete"
        }
        goes_with_its_function = {"AWS::Lambda::Version"}
        assert left - goes_with_its_function == (set(LASTING) if keep else set())


class TestFunctions:
    @pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
    def test_all_run_the_bundled_python_on_one_architecture(self, synthesised: Any, architecture: str) -> None:
        stack = synthesised() if architecture == "arm64" else synthesised(architecture=architecture)
        assert [function(stack, name)["Architectures"] for name in FUNCTIONS] == [[architecture]] * 3
        assert {function(stack, name)["Runtime"] for name in FUNCTIONS} == {"python3.13"}
        handlers = [function(stack, name)["Handler"] for name in FUNCTIONS]
        assert handlers == [f"lambda_handler.{module}.handler" for module in ("api", "registry", "build")]

    def test_the_tiler_has_a_core_a_snapshot_and_a_stop(self, stack: "Synthesis") -> None:
        tiler = function(stack, "Tiler")
        assert (tiler["MemorySize"], tiler["ReservedConcurrentExecutions"]) == (1769, 100)
        assert tiler["SnapStart"] == {"ApplyOn": "PublishedVersions"}
        assert tiler["Timeout"] < 30, "API Gateway gives up after 30 s"
        assert tiler["Timeout"] > Settings.model_fields["tile_deadline_s"].default

    def test_the_builder_has_room_for_the_spool_of_the_largest_mosaic(self, stack: "Synthesis") -> None:
        granule_bytes, header_bytes = 400, 4500
        spool = Settings.model_fields["max_items"].default * (granule_bytes + header_bytes)
        assert function(stack, "Builder")["EphemeralStorage"]["Size"] << 20 > spool

    def test_a_stop_and_a_snapshot_can_be_done_without(self, synthesised: Any) -> None:
        stack = synthesised(concurrency=0, registry_concurrency=0, snapstart=False, memory_mb=3008)
        assert not any("ReservedConcurrentExecutions" in function(stack, name) for name in FUNCTIONS)
        assert "SnapStart" not in function(stack, "Tiler")
        assert [function(stack, name)["MemorySize"] for name in FUNCTIONS] == [3008, 1024, 3008]

    def test_callers_use_an_alias_of_a_version_that_stays_to_go_back_to(self, stack: "Synthesis") -> None:
        aliases = stack.of_type("AWS::Lambda::Alias")
        versions = stack.of_type("AWS::Lambda::Version")
        assert {each["Properties"]["Name"] for each in aliases.values()} == {"live"}
        used = {each["Properties"]["FunctionVersion"]["Fn::GetAtt"][0] for each in aliases.values()}
        assert used == set(versions)
        assert {each["DeletionPolicy"] for each in versions.values()} == {"Retain"}
        integrations = stack.of_type("AWS::ApiGatewayV2::Integration").values()
        assert {each["Properties"]["IntegrationUri"]["Ref"] for each in integrations} < set(aliases)
        assert {each["Properties"]["PayloadFormatVersion"] for each in integrations} == {"2.0"}

    def test_every_setting_is_one_that_the_service_knows(self, stack: "Synthesis") -> None:
        known = {f"QUADMOSAIC_{name.upper()}" for name in Settings.model_fields}
        for name in FUNCTIONS:
            assert set(environment(stack, name)) <= known, name

    def test_settings_mean_what_the_stack_made(self, stack: "Synthesis") -> None:
        table, bucket = stack.name("AWS::DynamoDB::Table"), stack.name("AWS::S3::Bucket", starting="StorageDocuments")
        queue = stack.name("AWS::SQS::Queue", starting="BuildsQueue")
        for name in FUNCTIONS:
            url = environment(stack, name)["QUADMOSAIC_STORE"]["Fn::Join"][1]
            parts = ["dynamodb://", {"Ref": "AWS::Region"}, "/", {"Ref": table}]
            assert url == [*parts, "?documents=s3://", {"Ref": bucket}, "/mosaics"]
        assert environment(stack, "Registry")["QUADMOSAIC_QUEUE_URL"] == {"Ref": queue}
        assert environment(stack, "Builder")["QUADMOSAIC_QUEUE_URL"] == {"Ref": queue}
        assert "QUADMOSAIC_QUEUE_URL" not in environment(stack, "Tiler")

    def test_sources_are_those_of_the_options(self, synthesised: Any) -> None:
        buckets = '{"mine":{"region":"eu-west-1","mode":"signed"}}'
        stack = synthesised(buckets=buckets, allowed_hosts="s3://mine/ctx,stac.example.com", cors_origins="https://a.b")
        for name in FUNCTIONS:
            told = environment(stack, name)
            settings = Settings(buckets=json.loads(told["QUADMOSAIC_BUCKETS"]))
            assert (settings.buckets["mine"].region, settings.buckets["mine"].mode) == ("eu-west-1", "signed")
            assert told["QUADMOSAIC_ALLOWED_HOSTS"] == "s3://mine/ctx,stac.example.com"
        assert environment(stack, "Tiler")["QUADMOSAIC_CORS_ORIGINS"] == "https://a.b"

    @pytest.mark.parametrize(("xray", "mode"), [(True, "Active"), (False, None)])
    def test_traces_are_optional(self, synthesised: Any, xray: bool, mode: str | None) -> None:
        stack = synthesised() if xray else synthesised(xray=False)
        assert {function(stack, name).get("TracingConfig", {}).get("Mode") for name in FUNCTIONS} == {mode}


class TestLogs:
    def test_every_log_is_kept_for_the_chosen_days(self, synthesised: Any) -> None:
        stack = synthesised(log_days=7)
        groups = stack.of_type("AWS::Logs::LogGroup")
        assert len(groups) == len(FUNCTIONS) + 1
        assert {each["Properties"]["RetentionInDays"] for each in groups.values()} == {7}
        logs = stack.properties("AWS::S3::Bucket", starting="StorageAccessLogs")
        rules = logs["LifecycleConfiguration"]["Rules"]
        assert [rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule] == [7]

    def test_functions_write_json_to_the_groups_of_the_stack(self, stack: "Synthesis") -> None:
        for name in FUNCTIONS:
            told = function(stack, name)["LoggingConfig"]
            assert told["LogFormat"] == "JSON"
            assert told["LogGroup"]["Ref"] in stack.of_type("AWS::Logs::LogGroup")

    @pytest.mark.parametrize(("level", "to_lambda"), [("DEBUG", "DEBUG"), ("WARNING", "WARN"), ("ERROR", "ERROR")])
    def test_lambda_lets_through_what_the_functions_log(self, synthesised: Any, level: str, to_lambda: str) -> None:
        stack = synthesised(log_level=level)
        for name in FUNCTIONS:
            assert function(stack, name)["LoggingConfig"]["ApplicationLogLevel"] == to_lambda
            assert environment(stack, name)["QUADMOSAIC_LOG_LEVEL"] == level


class TestBuilds:
    def test_a_message_does_not_come_back_while_it_may_be_worked_on(self, stack: "Synthesis") -> None:
        queue = stack.properties("AWS::SQS::Queue", starting="BuildsQueue")
        builder = function(stack, "Builder")
        assert queue["VisibilityTimeout"] == VISIBILITY_S > builder["Timeout"]
        assert builder["Timeout"] == 900 > RESERVE_S

    def test_a_message_that_fails_comes_back_and_is_given_up_before_its_age_is_an_alarm(
        self, stack: "Synthesis"
    ) -> None:
        queue = stack.properties("AWS::SQS::Queue", starting="BuildsQueue")
        worked_on_s = queue["VisibilityTimeout"] * queue["RedrivePolicy"]["maxReceiveCount"]
        aged_s = stack.properties("AWS::CloudWatch::Alarm", starting="AlarmsQueueAge")["Threshold"]
        outage_s = 3600
        assert outage_s < worked_on_s < aged_s

    def test_what_is_given_up_is_kept_for_two_weeks(self, stack: "Synthesis") -> None:
        queue = stack.properties("AWS::SQS::Queue", starting="BuildsQueue")
        dead = stack.name("AWS::SQS::Queue", starting="BuildsDead")
        assert queue["RedrivePolicy"] == {"deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]}, "maxReceiveCount": 5}
        assert stack.properties("AWS::SQS::Queue", starting="BuildsDead")["MessageRetentionPeriod"] == 14 * 86_400
        assert queue["MessageRetentionPeriod"] > queue["VisibilityTimeout"] * 5

    def test_queues_are_encrypted_and_reached_by_tls_alone(self, stack: "Synthesis") -> None:
        assert {each["Properties"]["SqsManagedSseEnabled"] for each in stack.of_type("AWS::SQS::Queue").values()} == {
            True
        }
        for each in stack.of_type("AWS::SQS::QueuePolicy").values():
            (statement,) = each["Properties"]["PolicyDocument"]["Statement"]
            assert (statement["Effect"], statement["Action"]) == ("Deny", "sqs:*")

    def test_builds_are_few_at_once_and_fail_one_by_one(self, synthesised: Any) -> None:
        mapping = synthesised(builds=7).properties("AWS::Lambda::EventSourceMapping")
        assert mapping["ScalingConfig"] == {"MaximumConcurrency": 7}
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BatchSize"] == 1

    def test_the_registry_is_told_group_queue_and_role_in_that_order(self, stack: "Synthesis") -> None:
        group, queue, role = _parts(environment(stack, "Registry")["QUADMOSAIC_SCHEDULES"])
        assert EventBridgeScheduler(group=group, target=queue, role=role)
        assert group == stack.properties("AWS::Scheduler::ScheduleGroup")["Name"]
        assert queue == f"<{stack.name('AWS::SQS::Queue', starting='BuildsQueue')}.Arn>"
        assert role == f"<{stack.name('AWS::IAM::Role', starting='Schedules')}.Arn>"

    def test_only_the_scheduler_of_this_group_may_take_its_role(self, stack: "Synthesis") -> None:
        (trust,) = stack.properties("AWS::IAM::Role", starting="Schedules")["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
        group = stack.name("AWS::Scheduler::ScheduleGroup")
        assert trust["Condition"]["StringEquals"] == {
            "aws:SourceAccount": {"Ref": "AWS::AccountId"},
            "aws:SourceArn": {"Fn::GetAtt": [group, "Arn"]},
        }


class TestTokens:
    def test_nobody_may_write_until_somebody_says_so(self, stack: "Synthesis") -> None:
        assert stack.properties("AWS::SecretsManager::Secret")["SecretString"] == "[]"


class TestOutputs:
    def test_a_map_needs_only_the_outputs(self, stack: "Synthesis") -> None:
        outputs = {name: each["Value"] for name, each in stack.template["Outputs"].items()}
        assert {"TileUrl", "PublicUrl", "ApiUrl", "CdnDomain", "TableName", "BucketName", "QueueUrl"} <= set(outputs)
        distribution = stack.name("AWS::CloudFront::Distribution")
        assert outputs["TileUrl"]["Fn::Join"][1] == [
            "https://",
            {"Fn::GetAtt": [distribution, "DomainName"]},
            "/mosaics/{mosaic}/tiles/{tms}/{z}/{x}/{y}",
        ]

    def test_without_a_cdn_the_api_is_the_address(self, synthesised: Any) -> None:
        stack = synthesised(cdn=False)
        outputs = stack.template["Outputs"]
        assert outputs["PublicUrl"]["Value"] == outputs["ApiUrl"]["Value"]
        assert "CdnDomain" not in outputs
        assert not stack.of_type("AWS::CloudFront::Distribution")
        assert not any("QUADMOSAIC_PUBLIC_URL" in environment(stack, name) for name in FUNCTIONS)


def _parts(joined: dict[str, Any]) -> list[str]:
    """A joined text with `<Name.Attribute>` for what is known only later, split at its commas."""
    parts = joined["Fn::Join"][1]
    return "".join(p if isinstance(p, str) else f"<{'.'.join(p['Fn::GetAtt'])}>" for p in parts).split(",")
