"""The queue of builds, and the queue of messages that came to nothing."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.acknowledgements import DEAD_MESSAGES_STAY, acknowledge

BUILD_S = 900
"""The longest that Lambda lets a function run; a build that needs more goes on with another message."""
VISIBILITY_S = BUILD_S + 60
"""A message that failed, or whose builder was killed, comes back so long after it was taken, and no sooner than a
builder may run. AWS advises six times as long for batches that wait while calls are throttled; here a call has one
message, no more are taken than may be worked on, and of two workers the lease of the build sends one away.
"""
ATTEMPTS = 5
SEND = ("sqs:SendMessage",)
RECEIVE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_KEPT = Duration.days(14)


class Builds(Construct):
    """`queue` holds `{"mosaic", "build"}` or `{"mosaic", "scheduled"}`; `dead` what was given up."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.dead = sqs.Queue(
            self,
            "Dead",
            retention_period=_KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        acknowledge(self.dead, DEAD_MESSAGES_STAY)
        self.queue = sqs.Queue(
            self,
            "Queue",
            visibility_timeout=Duration.seconds(VISIBILITY_S),
            retention_period=_KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead, max_receive_count=ATTEMPTS),
        )
