"""Options from CDK context and environment: texts parsed, checked against each other, and refused in words."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from difflib import get_close_matches
from typing import Any, get_args, get_origin, get_type_hints

from infrastructure.options import Options, SourceBucket
from quadmosaic.domain.allowlist import parse_allow_list
from quadmosaic.domain.errors import Invalid

PREFIX = "QUADMOSAIC_DEPLOY_"
LOG_DAYS = (1, 3, 7, 14, 30, 60, 90, 180, 365, 731, 1827)

_BETWEEN = {
    "memory_mb": (512, 10_240),
    "concurrency": (0, 10_000),
    "registry_concurrency": (0, 10_000),
    "builds": (2, 1000),
    "rate": (1, 10_000),
    "burst": (1, 5_000),
    "write_rate": (1, 10_000),
    "write_burst": (1, 5_000),
    "head_seconds": (1, 86_400),
    "noncurrent_days": (1, 3_650),
    "p95_ms": (1, 30_000),
    "queue_minutes": (1, 20_160),
    "daily_cost": (1, 1_000_000),
}
_LIKE = {
    "name": (re.compile(r"[A-Za-z][A-Za-z0-9-]{0,99}"), "letters, digits and hyphens, a letter first"),
    "jwt_issuer": (re.compile(r"https://[^\s]+"), "an https address"),
    "domain": (re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}"), "a domain like maps.example.com"),
    "certificate": (
        re.compile(r"arn:aws[a-z-]*:acm:us-east-1:\d{12}:certificate/.+"),
        "the ARN of a certificate in us-east-1, where CloudFront looks for it",
    ),
    "web_acl": (
        re.compile(r"arn:aws[a-z-]*:wafv2:us-east-1:\d{12}:global/webacl/.+"),
        "the ARN of a global web ACL in us-east-1, where CloudFront looks for it",
    ),
    "alarm_email": (re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "an e-mail address"),
}
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SWITCH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse_options(context: Mapping[str, Any], environment: Mapping[str, str]) -> Options:
    """Context counts before the environment. Raises Invalid, with the option as its field.

    Context keys are the options' names; environment variables are QUADMOSAIC_DEPLOY_ and the name in capitals.
    """
    known = {option.name: option for option in fields(Options)}
    _refuse_misspelt(context, environment, known)
    hints = get_type_hints(Options)
    told = {
        name: _parsed(name, hints[name], _value(name, context, environment))
        for name in known
        if _value(name, context, environment) is not None
    }
    options = Options(**told)
    _check(options)
    return options


def _value(name: str, context: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    return context.get(name, environment.get(f"{PREFIX}{name.upper()}"))


def _refuse_misspelt(
    context: Mapping[str, Any], environment: Mapping[str, str], known: Mapping[str, Field[Any]]
) -> None:
    """Any of our variables must be known; context has the CDK's own keys as well, so there only what comes close."""
    for variable in environment:
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and name not in known:
            raise Invalid("is no option" + _meant(name, known), field=variable)
    for key in context:
        if ":" not in key and "/" not in key and key not in known and _meant(key, known):
            raise Invalid("is no option" + _meant(key, known), field=key)


def _meant(name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name.replace("-", "_"), known, n=1, cutoff=0.8)
    return f"; did you mean {close[0]}?" if close else ""


def _parsed(name: str, kind: Any, value: Any) -> Any:
    parser = _PARSERS.get(name) or _PARSERS.get(get_origin(kind) or kind)
    if parser is not None:
        return parser(name, value)
    allowed = get_args(getattr(kind, "__value__", kind))
    if str(value) not in allowed:
        raise Invalid(f"is {str(value)!r}; use {' or '.join(allowed)}", field=name)
    return str(value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid("must be a text", field=name)
    return value.strip()


def _switch(name: str, value: Any) -> bool:
    found = _SWITCH.get(str(value).lower())
    if found is None:
        raise Invalid(f"is {value!r}; use true or false", field=name)
    return found


def _number(name: str, value: Any) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise Invalid(f"is {value!r}; use a whole number", field=name) from None


def _list(name: str, value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise Invalid("must be a list, separated by commas", field=name)
    return tuple(part.strip() for part in parts if part.strip())


def _buckets(name: str, value: Any) -> dict[str, SourceBucket]:
    try:
        document = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise Invalid("is no JSON", field=name) from None
    if not isinstance(document, dict):
        raise Invalid('must be an object of buckets, each with {"region", "mode", "endpoint"}', field=name)
    return {bucket: _bucket(f"{name}.{bucket}", bucket, told) for bucket, told in document.items()}


def _bucket(at: str, bucket: str, told: Any) -> SourceBucket:
    if not _BUCKET_NAME.fullmatch(bucket):
        raise Invalid("is no name of a bucket", field=at)
    hints = get_type_hints(SourceBucket)
    if not isinstance(told, dict) or not set(told) <= set(hints):
        raise Invalid(f"must be an object of {', '.join(hints)}", field=at)
    if "mode" in told:
        _parsed(f"{at}.mode", hints["mode"], told["mode"])
    for key in ("region", "endpoint"):
        if key in told:
            _text(f"{at}.{key}", told[key])
    return SourceBucket(**told)


_PARSERS: Mapping[Any, Callable[[str, Any], Any]] = {
    str: _text,
    bool: _switch,
    int: _number,
    tuple: _list,
    "buckets": _buckets,
}


def _check(options: Options) -> None:
    for name, (least, most) in _BETWEEN.items():
        value = getattr(options, name)
        if not least <= value <= most:
            raise Invalid(f"is {value}; use {least} to {most}", field=name)
    for name, (pattern, what) in _LIKE.items():
        value = getattr(options, name)
        if value and not pattern.fullmatch(value):
            raise Invalid(f"is {value!r}; use {what}", field=name)
    if not options.name:
        raise Invalid("is empty", field="name")
    if options.log_days not in LOG_DAYS:
        raise Invalid(f"is {options.log_days}; use {', '.join(map(str, LOG_DAYS))}", field="log_days")
    if not options.cors_origins:
        raise Invalid("is empty; use * for all origins", field="cors_origins")
    _check_sources(options)
    _check_jwt(options)
    _check_cdn(options)


def _check_jwt(options: Options) -> None:
    for name in ("jwt_issuer", "jwt_audience"):
        if options.authority == "jwt" and not getattr(options, name):
            raise Invalid("is needed with authority=jwt", field=name)
    for name in ("jwt_issuer", "jwt_audience", "jwt_scopes"):
        if options.authority != "jwt" and getattr(options, name):
            raise Invalid(f"means nothing with authority={options.authority}", field=name)


def _check_cdn(options: Options) -> None:
    for name in ("domain", "certificate", "web_acl"):
        if getattr(options, name) and not options.cdn:
            raise Invalid("needs CloudFront (cdn=true)", field=name)
    if bool(options.domain) != bool(options.certificate):
        missing = "certificate" if options.domain else "domain"
        raise Invalid("is needed: a domain and its certificate go together", field=missing)


def _check_sources(options: Options) -> None:
    parse_allow_list(options.allowed_hosts)
    known = {host.removeprefix("s3://").partition("/")[0] for host in options.allowed_hosts if host.startswith("s3://")}
    for host in options.allowed_hosts:
        if host.startswith("file:"):
            raise Invalid(f"names {host}, and a function has no files", field="allowed_hosts")
    for bucket in sorted(known - set(options.buckets)):
        raise Invalid(f"allows s3://{bucket}, of which buckets says nothing", field="allowed_hosts")
    for bucket in sorted(set(options.buckets) - known):
        raise Invalid(f"is not among allowed_hosts; add s3://{bucket}", field=f"buckets.{bucket}")
