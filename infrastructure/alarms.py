"""Alarms: what somebody must look at, and the topic that tells them."""

from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infrastructure.acknowledgements import MAIL_IS_REPEATED, acknowledge
from infrastructure.builds import Builds
from infrastructure.function import Function
from infrastructure.gateway import Gateway
from infrastructure.options import Options
from quadmosaic.services.worker import BUILD_FAILED

FIVE_MINUTES = Duration.minutes(5)
NAMESPACE = "Quadmosaic"
MOST_FAULTS = 5
_AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
_SUM, _MOST = cloudwatch.Stats.SUM, cloudwatch.Stats.MAXIMUM


class Alarms(Construct):
    """One alarm per thing that goes wrong; without an address they only change colour."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: Options,
        gateway: Gateway,
        functions: Mapping[str, Function],
        builds: Builds,
        table: dynamodb.Table,
        cost: cloudwatch.IMetric,
    ) -> None:
        super().__init__(scope, construct_id)
        self.all: list[cloudwatch.Alarm] = []
        self.failed_builds = _failed_builds(self, functions["builder"], options)
        self.topic = _topic(self, options)
        self._of_requests(options, gateway, functions["tiler"])
        self._of_functions(functions)
        self._of_builds(options, builds)
        self._alarm("TableThrottled", _throttled_table(table), 1, "The table turned requests away.")
        self._alarm(
            "DailyCost",
            cost,
            options.daily_cost,
            "Functions, requests and table cost more than they should in a day (option daily_cost).",
        )

    def _of_requests(self, options: Options, gateway: Gateway, tiler: Function) -> None:
        self._alarm(
            "Faults",
            gateway.api.metric_server_error(period=FIVE_MINUTES, statistic=_SUM),
            MOST_FAULTS,
            "The API answered with 5xx; look into the functions' logs.",
        )
        self._alarm(
            "SlowTiles",
            tiler.function.metric_duration(period=FIVE_MINUTES, statistic="p95"),
            options.p95_ms,
            "Of 100 tiles 5 or more take longer than they should (option p95_ms).",
            periods=3,
        )

    def _of_functions(self, functions: Mapping[str, Function]) -> None:
        for name, function in functions.items():
            self._alarm(
                f"{name.capitalize()}Throttled",
                function.function.metric_throttles(period=FIVE_MINUTES, statistic=_SUM),
                1,
                f"The {name} was called more often at once than its concurrency allows.",
            )
            self._alarm(
                f"{name.capitalize()}Errors",
                function.function.metric_errors(period=FIVE_MINUTES, statistic=_SUM),
                1,
                f"The {name} ended with an error or ran out of time; look into its log.",
            )

    def _of_builds(self, options: Options, builds: Builds) -> None:
        self._alarm(
            "QueueAge",
            builds.queue.metric_approximate_age_of_oldest_message(period=FIVE_MINUTES, statistic=_MOST),
            options.queue_minutes * 60,
            "A build waits for longer than it should (option queue_minutes).",
        )
        self._alarm(
            "DeadMessages",
            builds.dead.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic=_MOST),
            1,
            "A message was given up after several attempts; it is kept for two weeks.",
        )
        self._alarm("FailedBuilds", self.failed_builds, 1, "A build failed; its record and the builder's log say why.")

    def _alarm(
        self, name: str, metric: cloudwatch.IMetric, threshold: float, description: str, *, periods: int = 1
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            comparison_operator=_AT_LEAST,
            evaluation_periods=periods,
            alarm_description=description,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if self.topic is not None:
            alarm.add_alarm_action(actions.SnsAction(self.topic))
            alarm.add_ok_action(actions.SnsAction(self.topic))
        self.all.append(alarm)


def _failed_builds(scope: Construct, builder: Function, options: Options) -> cloudwatch.Metric:
    """Counted from the builder's log: to Lambda a build that failed is a call that succeeded."""
    name = f"{options.name}-failed-builds"
    logs.MetricFilter(
        scope,
        "FailedBuildsFilter",
        log_group=builder.logs,
        filter_pattern=logs.FilterPattern.literal(f'"{BUILD_FAILED}"'),
        metric_namespace=NAMESPACE,
        metric_name=name,
        metric_value="1",
        default_value=0,
    )
    return cloudwatch.Metric(namespace=NAMESPACE, metric_name=name, period=FIVE_MINUTES, statistic=_SUM)


def _throttled_table(table: dynamodb.Table) -> cloudwatch.MathExpression:
    events: dict[str, cloudwatch.IMetric] = {
        "reads": table.metric("ReadThrottleEvents", period=FIVE_MINUTES, statistic=_SUM),
        "writes": table.metric("WriteThrottleEvents", period=FIVE_MINUTES, statistic=_SUM),
    }
    return cloudwatch.MathExpression(
        expression="FILL(reads,0)+FILL(writes,0)",
        using_metrics=events,
        period=FIVE_MINUTES,
        label="requests the table turned away",
    )


def _topic(scope: Construct, options: Options) -> sns.Topic | None:
    if not options.alarm_email:
        return None
    topic = sns.Topic(scope, "Topic", enforce_ssl=True)
    topic.add_subscription(subscriptions.EmailSubscription(options.alarm_email))
    # A topic with a policy of its own has lost the one by which the account's alarms may use it.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="Alarms",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    )
    acknowledge(topic, MAIL_IS_REPEATED)
    return topic
