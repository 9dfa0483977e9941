"""What the deployment costs a day, estimated from CloudWatch's counts and the cost calculator's dated prices."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb

from infrastructure.function import Function
from infrastructure.gateway import Gateway
from infrastructure.options import Options
from quadmosaic.domain.prices import Price, own_prices

DAY = Duration.days(1)
_SUM = cloudwatch.Stats.SUM
_MILLISECONDS_MB = 1000 * 1024


def daily_cost(
    *, options: Options, functions: Mapping[str, Function], gateway: Gateway, table: dynamodb.Table
) -> cloudwatch.MathExpression:
    """Dollars a day for functions, requests and the table; not for storage, logs, CloudFront and what it sends."""
    listed = own_prices().prices
    counted: dict[str, tuple[cloudwatch.IMetric, float]] = {
        "requests": (gateway.api.metric_count(period=DAY, statistic=_SUM), _each(listed["http_api_requests"])),
        "reads": (
            table.metric_consumed_read_capacity_units(period=DAY, statistic=_SUM),
            _each(listed["dynamodb_reads"]),
        ),
        "writes": (
            table.metric_consumed_write_capacity_units(period=DAY, statistic=_SUM),
            _each(listed["dynamodb_writes"]),
        ),
    }
    for name, function in functions.items():
        calls, duration = function.function.metric_invocations, function.function.metric_duration
        millisecond = _each(listed[f"lambda_{options.architecture}"]) * function.memory_mb / _MILLISECONDS_MB
        counted[f"{name}_calls"] = (calls(period=DAY, statistic=_SUM), _each(listed["lambda_requests"]))
        counted[f"{name}_ms"] = (duration(period=DAY, statistic=_SUM), millisecond)
    return cloudwatch.MathExpression(
        expression="+".join(f"FILL({name},0)*{dollars:.12f}" for name, (_, dollars) in counted.items()),
        using_metrics={name: metric for name, (metric, _) in counted.items()},
        period=DAY,
        label="estimated dollars a day",
    )


def _each(price: Price) -> float:
    return price.dollars / price.per
