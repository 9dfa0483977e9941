"""The right to write where IAM decides: a policy for whoever shall register mosaics."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infrastructure.gateway import Gateway
from infrastructure.rights import Right, policy, state_reasons
from infrastructure.routes import all_routes


def writers_policy(scope: Construct, construct_id: str, *, gateway: Gateway) -> iam.ManagedPolicy:
    """Attach it to users, groups or roles; it allows the routes that write, and no others."""
    stack = Stack.of(scope)
    methods = sorted({route.method for route in all_routes() if route.writes})
    resources = [
        f"arn:{stack.partition}:execute-api:{stack.region}:{stack.account}:{gateway.api.api_id}/$default/{method}/{path}"
        for method in methods
        for path in (("mosaics", "mosaics/*") if method == "POST" else ("mosaics/*",))
    ]
    right = Right(
        sid="Write",
        actions=("execute-api:Invoke",),
        resources=resources,
        wildcard="The routes hold names of mosaics, which nobody knows before they are registered.",
    )
    made = iam.ManagedPolicy(
        scope,
        construct_id,
        description="Register, build, publish and delete mosaics of quadmosaic",
        document=policy([right]),
    )
    state_reasons(made, [right])
    return made
