"""What starts builds, and who may: the queue, the scheduler and the write tokens that settings name."""

import time
from functools import partial

from quadmosaic.api.writes import CurrentTokens
from quadmosaic.config import Settings
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.tokens import Token, parse_tokens
from quadmosaic.ports import Queue, Scheduler
from quadmosaic.triggers.aws import EventBridgeScheduler, SqsQueue, read_secret
from quadmosaic.triggers.local import LocalScheduler
from quadmosaic.triggers.secret_tokens import SecretTokens


def sqs_queue(settings: Settings) -> Queue:
    """The queue of builds on AWS. Raises Invalid (field "QUEUE_URL") where none is named."""
    if settings.queue_url is None:
        raise Invalid("is needed where builds run in a process of their own", field="QUEUE_URL")
    return SqsQueue(url=settings.queue_url)


def scheduler(settings: Settings) -> Scheduler:
    """EventBridge's, or the process's own. Raises Invalid (field "SCHEDULES")."""
    if settings.schedules is None:
        return LocalScheduler()
    parts = [part.strip() for part in settings.schedules.split(",")]
    if len(parts) != 3 or not all(parts):
        raise Invalid("must be group,target ARN,role ARN", field="SCHEDULES")
    group, target, role = parts
    return EventBridgeScheduler(group=group, target=target, role=role)


def write_tokens(settings: Settings) -> CurrentTokens:
    """Those of the settings, or of the secret they name, which is not read yet; none where a gateway decides.

    Raises Invalid (field "TOKENS").
    """
    text = "" if settings.tokens is None else settings.tokens.get_secret_value().strip()
    if settings.authority == "gateway" or not text:
        return _always(())
    if text.startswith("arn:"):
        # Wall time goes on while a function sleeps in a snapshot; monotonic time does not.
        return SecretTokens(partial(read_secret, text), clock=time.time).current
    return _always(parse_tokens(text))


def _always(tokens: tuple[Token, ...]) -> CurrentTokens:
    async def current() -> tuple[Token, ...]:
        return tokens

    return current
