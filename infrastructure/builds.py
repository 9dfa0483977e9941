"""The queue of builds, and the queue of messages that came to nothing."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.acknowledgements import DEAD_MESSAGES_STAY, acknowledge

BUILD_S = 900
"""The longest that Lambda lets a function run; a build that needs more goes on with another message."""
VISIBILITY_S = 6 * BUILD_S
"""As AWS advises for queues that a function reads: a message must not come back while it may still be worked on."""
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
