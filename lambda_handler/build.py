"""The Lambda function that builds: messages of SQS and events of EventBridge in, the worker called, nothing else."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from lambda_handler import logs
from lambda_handler.invocations import Context
from quadmosaic import bootstrap
from quadmosaic.bootstrap import Building
from quadmosaic.config import Settings
from quadmosaic.domain.errors import Invalid, QuadmosaicError
from quadmosaic.ports import Queue
from quadmosaic.services.scheduling import checked_name, parse_moment
from quadmosaic.services.worker import Outcome

log = logging.getLogger(__name__)

RESERVE_S = 120.0
"""A build stops at its next checkpoint when less than this is left of the function's time."""

type Left = Callable[[], float]
"""Seconds until the function is stopped."""


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """SQS gets a partial batch response; an event of EventBridge gets an empty one, or an error to be sent again."""
    started, total = time.monotonic(), context.get_remaining_time_in_millis() / 1000
    built, queue, runner = _assembled()
    work = handle(event, built=built, queue=queue, left=lambda: total - (time.monotonic() - started))
    return runner.run(work)


async def handle(
    event: Mapping[str, Any], *, built: Building, queue: Queue, left: Left, reserve_s: float = RESERVE_S
) -> dict[str, Any]:
    """Work on every message; those that failed, or whose build another worker has, are left for later."""
    records = event.get("Records")
    if not isinstance(records, list):
        if not await _one(_detail(event), built, queue, left, reserve_s):
            raise RuntimeError("another worker has the build; to be sent again")
        return {}
    failed = []
    for record in records:
        try:
            is_done = left() > reserve_s and await _one(_body(record), built, queue, left, reserve_s)
        except QuadmosaicError as error:
            log.warning("message %s: %s", record.get("messageId"), error)
            is_done = False
        if not is_done:
            failed.append({"itemIdentifier": record.get("messageId")})
    return {"batchItemFailures": failed}


async def _one(message: Mapping[str, Any], built: Building, queue: Queue, left: Left, reserve_s: float) -> bool:
    """True when the message is dealt with. Raises Invalid for one that means nothing."""
    mosaic, build_id = checked_name(message.get("mosaic")), message.get("build")
    if build_id is None:
        await built.scheduling.fire(mosaic, parse_moment(str(message.get("scheduled"))))
        return True
    outcome = await built.worker.run(mosaic, str(build_id), is_late=lambda: left() < reserve_s)
    log.info("build %s of %s: %s", build_id, mosaic, outcome, extra={"mosaic": mosaic, "build": build_id})
    if outcome is Outcome.AGAIN:
        await queue.send(mosaic=mosaic, build=str(build_id))
    return outcome is not Outcome.BUSY


def _body(record: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        message = json.loads(record["body"])
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("is no JSON", field="body") from error
    if not isinstance(message, dict):
        raise Invalid("must be an object", field="body")
    return _detail(message)


def _detail(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message inside an event of EventBridge, which says itself when it was; any other as it is."""
    detail = event.get("detail")
    return {"scheduled": event.get("time"), **detail} if isinstance(detail, dict) else event


@cache
def _assembled() -> tuple[Building, Queue, "asyncio.Runner"]:
    settings = Settings()
    logs.configure(settings.log_level)
    queue = bootstrap.sqs_queue(settings)
    outside = bootstrap.adapters(settings, any_source=False)
    return bootstrap.building(settings, outside, queue=queue), queue, asyncio.Runner()
