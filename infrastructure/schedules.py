"""The schedules of rebuilds: a group of EventBridge Scheduler, and the role as which it sends messages."""

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infrastructure.builds import SEND, Builds
from infrastructure.rights import Right, policy

SERVICE = "scheduler.amazonaws.com"
KEEP = ("scheduler:CreateSchedule", "scheduler:UpdateSchedule", "scheduler:DeleteSchedule")


class Schedules(Construct):
    """One entry per mosaic with a schedule, made by the registry in `group`, sent to the queue as `role`."""

    def __init__(self, scope: Construct, construct_id: str, *, builds: Builds) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self.group = scheduler.ScheduleGroup(self, "Group", removal_policy=RemovalPolicy.DESTROY)
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                SERVICE,
                conditions={
                    "StringEquals": {
                        "aws:SourceAccount": stack.account,
                        "aws:SourceArn": self.group.schedule_group_arn,
                    }
                },
            ),
            inline_policies={
                "rights": policy([Right(sid="SendSchedules", actions=SEND, resources=[builds.queue.queue_arn])])
            },
        )
        self.entries_arn = stack.format_arn(
            service="scheduler",
            resource="schedule",
            resource_name=f"{self.group.schedule_group_name}/*",
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )
        self.setting = ",".join((self.group.schedule_group_name, builds.queue.queue_arn, self.role.role_arn))

    def rights(self) -> list[Right]:
        """What the registry needs to keep entries."""
        return [
            Right(
                sid="KeepSchedules",
                actions=KEEP,
                resources=[self.entries_arn],
                wildcard="Entries are named after mosaics, which nobody knows beforehand, within a group of their own.",
            ),
            Right(
                sid="HandOverRole",
                actions=("iam:PassRole",),
                resources=[self.role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": SERVICE}},
            ),
        ]
