"""The dashboard: requests, tiles, functions, builds and cost on one page."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infrastructure.alarms import FIVE_MINUTES, Alarms
from infrastructure.builds import Builds
from infrastructure.function import Function
from infrastructure.gateway import Gateway

_SUM, _MOST = cloudwatch.Stats.SUM, cloudwatch.Stats.MAXIMUM
_WIDTH = 8
CDN_REGION = "us-east-1"


def dashboard(
    scope: Construct,
    construct_id: str,
    *,
    gateway: Gateway,
    functions: Mapping[str, Function],
    builds: Builds,
    table: dynamodb.Table,
    alarms: Alarms,
    cost: cloudwatch.IMetric,
    distribution: cloudfront.Distribution | None,
) -> cloudwatch.Dashboard:
    """All alarms on top."""
    board = cloudwatch.Dashboard(scope, construct_id, default_interval=Duration.days(1))
    board.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms.all), width=24))
    board.add_widgets(*_requests(gateway, functions["tiler"]))
    board.add_widgets(*_functions(functions))
    board.add_widgets(*_builds(builds, alarms), _graph("Estimated dollars a day", [cost]))
    board.add_widgets(_table(table), *([_cdn(distribution)] if distribution is not None else []))
    return board


def _requests(gateway: Gateway, tiler: Function) -> list[cloudwatch.IWidget]:
    api = gateway.api
    return [
        _graph("Requests", [api.metric_count(period=FIVE_MINUTES, statistic=_SUM)]),
        _graph(
            "Refused and failed",
            [
                api.metric_client_error(period=FIVE_MINUTES, statistic=_SUM, label="4xx"),
                api.metric_server_error(period=FIVE_MINUTES, statistic=_SUM, label="5xx"),
            ],
        ),
        _graph(
            "Milliseconds of a tile",
            [
                tiler.function.metric_duration(period=FIVE_MINUTES, statistic=name, label=name)
                for name in ("p50", "p95", "p99")
            ],
        ),
    ]


def _functions(functions: Mapping[str, Function]) -> list[cloudwatch.IWidget]:
    def each(metric: str, statistic: str) -> list[cloudwatch.IMetric]:
        return [
            function.function.metric(metric, period=FIVE_MINUTES, statistic=statistic, label=name)
            for name, function in functions.items()
        ]

    return [
        _graph("Calls at once", each("ConcurrentExecutions", _MOST)),
        _graph("Throttled", each("Throttles", _SUM)),
        _graph("Errors", each("Errors", _SUM)),
    ]


def _builds(builds: Builds, alarms: Alarms) -> list[cloudwatch.IWidget]:
    waiting = builds.queue.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, label="waiting")
    dead = builds.dead.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, label="given up")
    age = builds.queue.metric_approximate_age_of_oldest_message(period=FIVE_MINUTES, label="age of the oldest, s")
    return [
        _graph("Builds", [waiting, dead, alarms.failed_builds]),
        _graph("How long builds wait", [age]),
    ]


def _table(table: dynamodb.Table) -> cloudwatch.GraphWidget:
    return _graph(
        "Units of the table",
        [
            table.metric_consumed_read_capacity_units(period=FIVE_MINUTES, statistic=_SUM),
            table.metric_consumed_write_capacity_units(period=FIVE_MINUTES, statistic=_SUM),
        ],
    )


def _cdn(distribution: cloudfront.Distribution) -> cloudwatch.GraphWidget:
    """CloudFront is counted in one region alone, wherever the rest is."""
    return cloudwatch.GraphWidget(
        title="CloudFront: requests",
        left=[distribution.metric_requests(period=FIVE_MINUTES, statistic=_SUM)],
        region=CDN_REGION,
        width=_WIDTH,
    )


def _graph(title: str, metrics: list[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=_WIDTH)
