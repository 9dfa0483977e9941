"""What the documentation says of a deployment, against the stack itself: outputs, alarms, and what alarms cost."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from infrastructure.builds import VISIBILITY_S
from infrastructure.option_values import parse_options
from infrastructure.options import Options

from quadmosaic.domain.usage import Watching

if TYPE_CHECKING:
    from synthesis import Synthesis

DOCS = Path(__file__).parents[2] / "docs"
JSON = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)


def first_cells(page: str, heading: str) -> set[str]:
    """The names in the first column of the table below a heading."""
    section = (DOCS / page).read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return {name for cell in ROW.findall(section) for name in re.findall(r"`(\w+)`", cell)}


def test_every_output_is_explained_and_every_explained_one_exists(stack: "Synthesis", synthesised: Any) -> None:
    by_iam = synthesised(authority="iam").template["Outputs"]
    assert first_cells("deploy.md", "Deploy") == {*stack.template["Outputs"], *by_iam}


@pytest.mark.parametrize("page", ["deploy.md", "operate.md"])
def test_options_that_a_page_writes_into_cdk_json_can_be_deployed(page: str) -> None:
    told = [json.loads(block)["context"] for block in JSON.findall((DOCS / page).read_text()) if "context" in block]
    assert told
    assert all(parse_options(context, {}) != Options() for context in told)


def test_there_is_an_answer_to_every_alarm(stack: "Synthesis") -> None:
    prefix, digest = "Alarms", re.compile(r"[0-9A-F]{8}$")
    alarms = {digest.sub("", name).removeprefix(prefix) for name in stack.of_type("AWS::CloudWatch::Alarm")}
    assert first_cells("operate.md", "What to watch") == alarms


@pytest.mark.parametrize("page", ["operate.md", "selfhost.md"])
def test_messages_come_back_when_the_pages_say(page: str) -> None:
    assert f"{VISIBILITY_S // 60} minutes" in (DOCS / page).read_text()


def test_the_cost_of_alarms_is_reckoned_by_the_metrics_they_look_at(stack: "Synthesis") -> None:
    looked_at = 0
    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        metrics = alarm["Properties"].get("Metrics", [{"MetricStat": alarm["Properties"].get("MetricName")}])
        looked_at += sum(1 for metric in metrics if metric.get("MetricStat"))
    assert looked_at == Watching().alarms
    assert len(stack.of_type("AWS::Logs::MetricFilter")) == Watching().metrics
    assert len(stack.of_type("AWS::CloudWatch::Dashboard")) == Watching().dashboards
    assert len(stack.of_type("AWS::SecretsManager::Secret")) == Watching().secrets


def test_no_metric_is_paid_for_by_the_route(stack: "Synthesis") -> None:
    """A route has six of them, there are dozens of routes, and each that was asked for costs 0.30 dollars a metric."""
    properties = stack.properties("AWS::ApiGatewayV2::Stage")
    told = [properties.get("DefaultRouteSettings", {}), *properties.get("RouteSettings", {}).values()]
    assert not any(settings.get("DetailedMetricsEnabled") for settings in told)
