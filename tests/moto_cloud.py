"""An AWS account in this process: moto, with what the functions need, under the names that a deployment gave."""

import json
import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

REGION, ACCOUNT = "us-west-2", "123456789012"
TABLE, BUCKET, QUEUE, GROUP, SECRET = "quadmosaic", "quadmosaic-documents", "quadmosaic-builds", "quadmosaic", "tokens"
SCENES = "scenes"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """`environment` are the settings of the functions, `url` is where moto answers for every service."""

    url: str
    queue_url: str
    environment: Mapping[str, str]

    def client(self, service: str) -> Any:
        """A client of this account."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def messages(self) -> list[str]:
        """The bodies of what waits in the queue, taken out of it."""
        queue = self.client("sqs")
        bodies: list[str] = []
        while got := queue.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in got:
                queue.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
                bodies.append(message["Body"])
        return bodies


@contextmanager
def cloud(tokens: str) -> Generator[Cloud]:
    """An account with a table, buckets, a queue, a schedule group and a secret with the write tokens."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        account = Cloud(url=url, queue_url="", environment={})
        queue_url, secret_arn = _made(account, tokens)
        target = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}"
        environment = {
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": url,
            "QUADMOSAIC_STORE": f"dynamodb://{REGION}/{TABLE}?documents=s3://{BUCKET}/mosaics",
            "QUADMOSAIC_QUEUE_URL": queue_url,
            "QUADMOSAIC_SCHEDULES": f"{GROUP},{target},arn:aws:iam::{ACCOUNT}:role/schedules",
            "QUADMOSAIC_TOKENS": secret_arn,
            "QUADMOSAIC_ALLOWED_HOSTS": f"s3://{SCENES}",
            "QUADMOSAIC_BUCKETS": json.dumps({SCENES: {"region": REGION, "mode": "signed", "endpoint": url}}),
        }
        yield Cloud(url=url, queue_url=queue_url, environment=environment)
    finally:
        server.stop()


def _made(account: Cloud, tokens: str) -> tuple[str, str]:
    """The queue's URL and the secret's ARN."""
    for bucket in (BUCKET, SCENES):
        account.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    account.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )
    account.client("scheduler").create_schedule_group(Name=GROUP)
    secret = account.client("secretsmanager").create_secret(Name=SECRET, SecretString=tokens)
    queue = account.client("sqs").create_queue(QueueName=QUEUE)
    return str(queue["QueueUrl"]), str(secret["ARN"])
