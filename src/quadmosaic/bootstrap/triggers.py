"""What starts builds, and who may: the queue, the scheduler and the write tokens that settings name."""

from quadmosaic.config import Settings
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.tokens import Token, parse_tokens
from quadmosaic.ports import Queue, Scheduler
from quadmosaic.triggers.aws import EventBridgeScheduler, SqsQueue, read_secret
from quadmosaic.triggers.local import LocalScheduler


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


def write_tokens(settings: Settings) -> tuple[Token, ...]:
    """Those of the settings, or of the secret they name; none where a gateway decides. Raises Invalid ("TOKENS")."""
    if settings.authority == "gateway":
        return ()
    text = "" if settings.tokens is None else settings.tokens.get_secret_value().strip()
    if not text:
        return ()
    return parse_tokens(read_secret(text) if text.startswith("arn:") else text)
