"""Clients of AWS: none keeps a function waiting for longer than it may run."""

import pytest
from infrastructure.registry import TIMEOUT_S

from quadmosaic.aws import aws_client


@pytest.mark.parametrize("service", ["dynamodb", "scheduler", "secretsmanager", "sqs"])
def test_a_service_that_hangs_is_asked_again_while_the_function_runs(service: str) -> None:
    config = aws_client(service, region="us-west-2").meta.config
    assert config.connect_timeout + config.read_timeout < TIMEOUT_S / 2
    assert config.retries["total_max_attempts"] > 1
