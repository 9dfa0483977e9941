"""Rights: statements of policies written out one by one, and no wildcard among them without its reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import IConstruct

from infrastructure.acknowledgements import WILDCARDS_HAVE_REASONS, Finding, acknowledge


@dataclass(frozen=True, kw_only=True)
class Right:
    """One statement; `wildcard` says why resources with an asterisk cannot be named."""

    sid: str
    actions: Sequence[str]
    resources: Sequence[str]
    wildcard: str = ""
    conditions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any("*" in action for action in self.actions):
            raise ValueError(f"{self.sid}: actions are written out")
        if any("*" in resource for resource in self.resources) != bool(self.wildcard):
            raise ValueError(f"{self.sid}: a wildcard needs a reason, and nothing else does")

    def statement(self) -> iam.PolicyStatement:
        """The statement for a policy."""
        return iam.PolicyStatement(
            sid=self.sid, actions=list(self.actions), resources=list(self.resources), conditions=dict(self.conditions)
        )


def policy(rights: Iterable[Right]) -> iam.PolicyDocument:
    """A policy of these and no other."""
    return iam.PolicyDocument(statements=[right.statement() for right in rights])


def state_reasons(holder: IConstruct, rights: Iterable[Right]) -> None:
    """Acknowledge the wildcards of a role or policy, each resource by itself."""
    stack = Stack.of(holder)
    wild = [right for right in rights if right.wildcard]
    for right in wild:
        for resource in right.resources:
            if "*" in resource:
                found = f"AwsSolutions-IAM5[Resource::{_written(stack.resolve(resource))}]"
                acknowledge(holder, Finding(id=found, reason=right.wildcard))
    if wild:
        acknowledge(holder, WILDCARDS_HAVE_REASONS)


def _written(resolved: Any) -> str:
    """A resource as cdk-nag writes it: `<Bucket.Arn>/folder/*`."""
    match resolved:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_written, parts))
        case {"Fn::GetAtt": [resource, attribute]}:
            return f"<{resource}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
        case _:
            return str(resolved)
