"""The secret with the digests of write tokens, empty until `quadmosaic tokens` fills it."""

from aws_cdk import RemovalPolicy, SecretValue
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infrastructure.acknowledgements import TOKENS_ARE_ROTATED_BY_HAND, acknowledge


def tokens_secret(scope: Construct, construct_id: str) -> secretsmanager.Secret:
    """`[]` lets nobody write; the stack never touches the text again."""
    secret = secretsmanager.Secret(
        scope,
        construct_id,
        description="Digests of the write tokens of quadmosaic, as `quadmosaic tokens` prints them",
        secret_string_value=SecretValue.unsafe_plain_text("[]"),
        removal_policy=RemovalPolicy.DESTROY,
    )
    acknowledge(secret, TOKENS_ARE_ROTATED_BY_HAND)
    return secret
