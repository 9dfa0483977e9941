"""Builds on AWS: messages through SQS, schedules as entries of EventBridge Scheduler."""

import asyncio
import json
import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quadmosaic.aws import aws_client
from quadmosaic.domain.errors import Unavailable
from quadmosaic.domain.schedules import Schedule

log = logging.getLogger(__name__)

_LONGEST_DELAY_S = 900


@dataclass(kw_only=True)
class SqsQueue:
    """Implements ports.Queue; region and credentials are the AWS SDK's own environment variables."""

    url: str
    endpoint: str | None = None
    _client: Any = field(default=None)

    async def send(self, *, mosaic: str, build: str, delay_s: int = 0) -> None:
        """Raises Unavailable when the queue is out of reach."""
        body = json.dumps({"mosaic": mosaic, "build": build})
        await asyncio.to_thread(self._send, body, min(delay_s, _LONGEST_DELAY_S))

    def connect(self) -> None:
        """As in ports.Connected."""
        self._opened()

    def disconnect(self) -> None:
        """As in ports.Connected."""
        if self._client is not None:
            self._client.close()

    def _send(self, body: str, delay_s: int) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        try:
            self._opened().send_message(QueueUrl=self.url, MessageBody=body, DelaySeconds=delay_s)
        except (BotoCoreError, ClientError) as error:
            log.warning("SQS: %s", error)
            raise Unavailable("the queue of builds is out of reach; try again") from error

    def _opened(self) -> Any:
        if self._client is None:
            self._client = aws_client("sqs", endpoint=self.endpoint)
        return self._client


@dataclass(kw_only=True)
class EventBridgeScheduler:
    """Implements ports.Scheduler: an entry per mosaic in `group`, which sends to the queue `target` as `role`."""

    group: str
    target: str
    role: str
    endpoint: str | None = None
    _client: Any = field(default=None)

    async def put(self, mosaic: str, schedule: Schedule | None, *, since: datetime) -> None:
        """Raises Unavailable when the scheduler is out of reach."""
        await asyncio.to_thread(self._put, mosaic, schedule, since)

    def connect(self) -> None:
        """As in ports.Connected; schedules are set seldom."""

    def disconnect(self) -> None:
        """As in ports.Connected."""
        if self._client is not None:
            self._client.close()

    def _put(self, mosaic: str, schedule: Schedule | None, since: datetime) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        client = self._opened()
        try:
            if schedule is None:
                client.delete_schedule(Name=mosaic, GroupName=self.group)
                return
            entry = self._entry(mosaic, schedule, since)
            try:
                client.create_schedule(**entry)
            except client.exceptions.ConflictException:
                client.update_schedule(**entry)
        except client.exceptions.ResourceNotFoundException as error:
            if schedule is not None:
                raise Unavailable(f"the schedule group {self.group} does not exist") from error
        except (BotoCoreError, ClientError) as error:
            log.warning("EventBridge Scheduler: %s", error)
            raise Unavailable("the scheduler is out of reach; try again") from error

    def _entry(self, mosaic: str, schedule: Schedule, since: datetime) -> dict[str, Any]:
        message = {"mosaic": mosaic, "scheduled": "<aws.scheduler.scheduled-time>"}
        entry: dict[str, Any] = {
            "Name": mosaic,
            "GroupName": self.group,
            "ScheduleExpression": schedule.expression,
            "ScheduleExpressionTimezone": schedule.timezone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": self.target, "RoleArn": self.role, "Input": json.dumps(message)},
            "Description": f"quadmosaic rebuilds {mosaic}",
        }
        # A rate counts from its start, which must not lie in the past by much; a cron needs none.
        if schedule.expression.startswith("rate") and since > datetime.now(since.tzinfo):
            entry["StartDate"] = since
        return entry

    def _opened(self) -> Any:
        if self._client is None:
            self._client = aws_client("scheduler", endpoint=self.endpoint)
        return self._client


def read_secret(arn: str) -> str:
    """A secret's text. Raises Unavailable."""
    from botocore.exceptions import BotoCoreError, ClientError

    region = arn.split(":")[3] if arn.count(":") >= 3 else None
    try:
        return str(aws_client("secretsmanager", region=region).get_secret_value(SecretId=arn)["SecretString"])
    except (BotoCoreError, ClientError, KeyError) as error:
        log.warning("Secrets Manager: %s", type(error).__name__)
        raise Unavailable("the secret with the write tokens cannot be read") from error
