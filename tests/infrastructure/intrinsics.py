"""CloudFormation's functions in a template: resolved with what was made, and found as dependencies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ACCOUNT, REGION = "123456789012", "us-west-2"
PSEUDO = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A resource that exists: what `Ref` gives, and `Fn::GetAtt`."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def resolve(value: Any, made: Mapping[str, Made]) -> Any:
    """The value with every function replaced. Raises KeyError for a resource that was not made."""
    if isinstance(value, list):
        return [resolve(each, made) for each in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Ref": str(name), **rest} if not rest:
            return PSEUDO[name] if name in PSEUDO else made[name].ref
        case {"Fn::GetAtt": [name, attribute]}:
            return made[name].attributes[attribute]
        case {"Fn::Join": [separator, parts]}:
            return separator.join(resolve(parts, made))
        case {"Fn::Select": [index, parts]}:
            return resolve(parts, made)[int(index)]
        case {"Fn::Split": [separator, text]}:
            return resolve(text, made).split(separator)
        case {"Fn::Sub": str(text)}:
            for name, known in PSEUDO.items():
                text = text.replace(f"${{{name}}}", known)
            return text
    return {key: resolve(each, made) for key, each in value.items()}


def in_order(resources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Logical ids, each after all that it needs. Raises ValueError for a circle."""
    done: dict[str, None] = {}
    left = dict(resources)
    while left:
        ready = [name for name, each in left.items() if set(_needs(each)) & set(resources) <= set(done)]
        if not ready:
            raise ValueError(f"a circle among {', '.join(sorted(left))}")
        for name in ready:
            done[name] = None
            del left[name]
    return list(done)


def _needs(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _needs(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "Ref":
                yield each
            elif key == "Fn::GetAtt":
                yield each[0]
            elif key == "DependsOn":
                yield from [each] if isinstance(each, str) else each
            else:
                yield from _needs(each)
