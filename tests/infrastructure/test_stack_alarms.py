"""Alarms and the dashboard: each thing that can go wrong has one, and what it counts is what happens."""

import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from quadmosaic import bootstrap
from quadmosaic.domain.prices import own_prices
from quadmosaic.domain.registrations import parse_registration
from quadmosaic.services.worker import BUILD_FAILED
from quadmosaic.triggers.local import LocalQueue
from registries import Place

if TYPE_CHECKING:
    from synthesis import Synthesis

ALARMS = {
    "Faults": ("AWS/ApiGateway", "5xx", "Sum"),
    "SlowTiles": ("AWS/Lambda", "Duration", "p95"),
    "TilerThrottled": ("AWS/Lambda", "Throttles", "Sum"),
    "RegistryThrottled": ("AWS/Lambda", "Throttles", "Sum"),
    "BuilderThrottled": ("AWS/Lambda", "Throttles", "Sum"),
    "TilerErrors": ("AWS/Lambda", "Errors", "Sum"),
    "RegistryErrors": ("AWS/Lambda", "Errors", "Sum"),
    "BuilderErrors": ("AWS/Lambda", "Errors", "Sum"),
    "QueueAge": ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum"),
    "DeadMessages": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"),
    "FailedBuilds": ("Quadmosaic", "quadmosaic-failed-builds", "Sum"),
}
SUMS = {"TableThrottled", "DailyCost"}


def alarm(stack: "Synthesis", name: str) -> dict[str, Any]:
    return stack.properties("AWS::CloudWatch::Alarm", starting=f"Alarms{name}")


def test_there_is_an_alarm_for_each_of_these_and_no_other(stack: "Synthesis") -> None:
    names = {re.sub(r"^Alarms|[0-9A-F]{8}$", "", name) for name in stack.of_type("AWS::CloudWatch::Alarm")}
    assert names == set(ALARMS) | SUMS


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_its_metric(stack: "Synthesis", name: str) -> None:
    found = alarm(stack, name)
    statistic = found.get("Statistic", found.get("ExtendedStatistic"))
    assert (found["Namespace"], found["MetricName"], statistic) == ALARMS[name]
    assert found["TreatMissingData"] == "notBreaching"
    assert found["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert found["AlarmDescription"]


@pytest.mark.parametrize("name", ["TilerThrottled", "RegistryErrors", "BuilderThrottled", "SlowTiles"])
def test_an_alarm_of_a_function_is_of_that_function(stack: "Synthesis", name: str) -> None:
    (dimension,) = alarm(stack, name)["Dimensions"]
    function = "Tiler" if name == "SlowTiles" else re.sub("Throttled|Errors", "", name)
    assert dimension["Value"]["Ref"] == stack.name("AWS::Lambda::Function", starting=function)


def test_thresholds_are_the_options(synthesised: Any) -> None:
    stack = synthesised(p95_ms=900, queue_minutes=3, daily_cost=4)
    assert alarm(stack, "SlowTiles")["Threshold"] == 900
    assert alarm(stack, "QueueAge")["Threshold"] == 180
    assert alarm(stack, "DailyCost")["Threshold"] == 4


def test_alarms_reach_an_address_if_there_is_one(synthesised: Any) -> None:
    stack = synthesised(alarm_email="me@example.com")
    topic = stack.name("AWS::SNS::Topic")
    for each in stack.of_type("AWS::CloudWatch::Alarm").values():
        assert each["Properties"]["AlarmActions"] == [{"Ref": topic}]
        assert each["Properties"]["OKActions"] == [{"Ref": topic}]
    subscription = stack.properties("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "me@example.com")


def test_alarms_may_use_their_topic(synthesised: Any) -> None:
    stack = synthesised(alarm_email="me@example.com")
    statements = stack.properties("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    (allowed,) = (each for each in statements if each["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert {"Ref": stack.name("AWS::SNS::Topic")} == allowed["Resource"]


def test_without_an_address_there_is_no_topic(stack: "Synthesis") -> None:
    assert not stack.of_type("AWS::SNS::Topic")


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_the_estimated_cost_of_a_day_is_what_the_price_list_says(synthesised: Any, architecture: str) -> None:
    """A million requests of 200 ms, each of which reads 3 units, and one build of 60 s that writes 1000."""
    stack = synthesised() if architecture == "arm64" else synthesised(architecture=architecture)
    metrics = alarm(stack, "DailyCost")["Metrics"]
    (expression,) = (each["Expression"] for each in metrics if "Expression" in each)
    assert {each["MetricStat"]["Period"] for each in metrics if "MetricStat" in each} == {86_400}
    assert {each["MetricStat"]["Stat"] for each in metrics if "MetricStat" in each} == {"Sum"}
    counted = dict.fromkeys(re.findall(r"FILL\((\w+),0\)", expression), 0.0)
    assert set(counted) == {each["Id"] for each in metrics if "MetricStat" in each}
    counted |= {"requests": 1e6, "tiler_calls": 1e6, "tiler_ms": 2e8, "reads": 3e6, "writes": 1000}
    counted |= {"builder_calls": 1, "builder_ms": 60_000}
    formula = re.sub(r"FILL\((\w+),0\)", lambda match: str(counted[match[1]]), expression)
    estimated = sum(float(a) * float(b) for a, b in (term.split("*") for term in formula.split("+")))
    listed = own_prices().prices
    seconds = (2e8 + 60_000) / 1000
    expected = (
        listed["http_api_requests"].of(1e6)
        + listed["lambda_requests"].of(1e6 + 1)
        + listed[f"lambda_{architecture}"].of(seconds * 1769 / 1024)
        + listed["dynamodb_reads"].of(3e6)
        + listed["dynamodb_writes"].of(1000)
    )
    assert estimated == pytest.approx(expected, rel=1e-3)
    assert expected > 5


async def test_a_build_that_fails_writes_the_line_that_is_counted(
    stack: "Synthesis", tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    counted = stack.properties("AWS::Logs::MetricFilter")
    assert counted["FilterPattern"] == f'"{BUILD_FAILED}"'
    assert counted["LogGroupName"]["Ref"] == stack.name("AWS::Logs::LogGroup", starting="Builder")
    (transformed,) = counted["MetricTransformations"]
    watched = alarm(stack, "FailedBuilds")
    assert (transformed["MetricNamespace"], transformed["MetricName"]) == (watched["Namespace"], watched["MetricName"])

    place = Place(folder=tmp_path)
    good, missing = place.file("good"), (tmp_path / "files" / "missing.tif").as_uri()
    for name, href, lines in (("fine", good, 0), ("broken", missing, 1)):
        caplog.clear()
        queue = LocalQueue()
        built = bootstrap.building(place.settings, bootstrap.adapters(place.settings), queue=queue, wait_s=0)
        body = {"name": name, "source": {"type": "cogs", "hrefs": [href]}, "quadkey_zoom": 7}
        receipt = await built.registry.register(parse_registration(body))
        assert receipt.build is not None
        with caplog.at_level(logging.INFO):
            await built.worker.run(name, receipt.build.id)
        assert sum(BUILD_FAILED in record.getMessage() for record in caplog.records) == lines


def test_the_dashboard_shows_what_the_alarms_watch(stack: "Synthesis") -> None:
    body = stack.properties("AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "TOKEN" for part in body)
    widgets = json.loads(text)["widgets"]
    titles = {widget["properties"].get("title") for widget in widgets}
    assert {"Alarms", "Requests", "Milliseconds of a tile", "Throttled", "Builds", "Estimated dollars a day"} <= titles
    (cdn,) = (widget["properties"] for widget in widgets if widget["properties"].get("title", "").startswith("CloudF"))
    assert cdn["region"] == "us-east-1"
