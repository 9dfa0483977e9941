"""Options of a deployment: read from context and environment, refused with the option's name and what to write."""

import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from infrastructure.option_values import PREFIX, parse_options
from infrastructure.options import Options, SourceBucket

from quadmosaic.domain.errors import Invalid

PAGE = Path(__file__).parents[2] / "infrastructure" / "README.md"
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/c"


def documented() -> dict[str, tuple[str, str]]:
    return {name: (default, meaning) for name, default, meaning in ROW.findall(PAGE.read_text())}


def test_every_option_is_documented_with_its_meaning() -> None:
    assert {name: meaning for name, (_, meaning) in documented().items()} == {
        option.name: option.metadata["help"] for option in fields(Options)
    }


@pytest.mark.parametrize("option", fields(Options), ids=lambda option: option.name)
def test_the_documented_default_is_the_default(option: Any) -> None:
    text = documented()[option.name][0].strip("`")
    match option.default:
        case bool():
            assert text == str(option.default).lower()
        case tuple():
            assert text == (",".join(option.default) or "none")
        case "":
            assert text == "none"
        case default if default is MISSING:
            assert f"{option.name}: {text}" == "buckets: astrogeo-ard`: us-west-2, anonymous"
        case default:
            assert text == str(default)


def test_nothing_said_gives_the_defaults() -> None:
    assert parse_options({}, {}) == Options()


def test_context_counts_before_the_environment() -> None:
    environment = {f"{PREFIX}RATE": "7", f"{PREFIX}BURST": "9"}
    options = parse_options({"rate": "8"}, environment)
    assert (options.rate, options.burst) == (8, 9)


def test_values_of_cdk_json_need_not_be_texts() -> None:
    told = {"cdn": False, "rate": 8, "cors_origins": ["https://a.example"], "buckets": {"a-b": {"mode": "signed"}}}
    options = parse_options({**told, "allowed_hosts": ["s3://a-b"]}, {})
    assert (options.cdn, options.rate, options.cors_origins) == (False, 8, ("https://a.example",))
    assert options.buckets == {"a-b": SourceBucket(mode="signed")}


@pytest.mark.parametrize(
    ("told", "field", "words"),
    [
        ({"architecture": "arm"}, "architecture", "arm64 or x86_64"),
        ({"authority": "none"}, "authority", "tokens or jwt or iam"),
        ({"bundles": "no"}, "bundles", "build or skip"),
        ({"snapstart": "perhaps"}, "snapstart", "true or false"),
        ({"rate": "many"}, "rate", "a whole number"),
        ({"rate": 0}, "rate", "1 to 10000"),
        ({"builds": 1}, "builds", "2 to 1000"),
        ({"memory_mb": 128}, "memory_mb", "512 to 10240"),
        ({"log_days": 2}, "log_days", "1, 3, 7"),
        ({"log_level": "LOUD"}, "log_level", "INFO"),
        ({"log_level": "CRITICAL"}, "log_level", "or ERROR"),
        ({"name": "a_b"}, "name", "letters, digits and hyphens"),
        ({"name": ""}, "name", "empty"),
        ({"cors_origins": ""}, "cors_origins", "use *"),
        ({"alarm_email": "me"}, "alarm_email", "an e-mail address"),
        ({"authority": "jwt"}, "jwt_issuer", "is needed"),
        ({"authority": "jwt", "jwt_issuer": "https://i.example"}, "jwt_audience", "is needed"),
        ({"authority": "jwt", "jwt_issuer": "i.example", "jwt_audience": "a"}, "jwt_issuer", "an https address"),
        ({"jwt_scopes": "write"}, "jwt_scopes", "means nothing with authority=tokens"),
        ({"domain": "maps.example.com"}, "certificate", "go together"),
        ({"certificate": CERTIFICATE}, "domain", "go together"),
        ({"domain": "maps", "certificate": CERTIFICATE}, "domain", "a domain like"),
        ({"domain": "a.example", "certificate": CERTIFICATE.replace("east", "west")}, "certificate", "us-east-1"),
        ({"web_acl": "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/a/b"}, "web_acl", "us-east-1"),
        ({"domain": "a.example", "certificate": CERTIFICATE, "cdn": False}, "domain", "needs CloudFront"),
        ({"buckets": "{"}, "buckets", "no JSON"),
        ({"buckets": "[]"}, "buckets", "an object"),
        ({"buckets": '{"A_B": {}}'}, "buckets.A_B", "no name of a bucket"),
        ({"buckets": '{"a-b": {"zone": 1}}'}, "buckets.a-b", "region, mode, endpoint"),
        ({"buckets": '{"a-b": {"mode": "free"}}'}, "buckets.a-b.mode", "anonymous or signed"),
        ({"buckets": '{"a-b": {}}'}, "allowed_hosts", "buckets says nothing"),
        ({"buckets": '{"a-b": {}}', "allowed_hosts": "a.example"}, "buckets.a-b", "add s3://a-b"),
        ({"allowed_hosts": "s3://astrogeo-ard,file:///data"}, "allowed_hosts", "has no files"),
        ({"allowed_hosts": "s3://astrogeo-ard,not a host"}, "ALLOWED_HOSTS", "is no host"),
        ({"architectur": "arm64"}, "architectur", "did you mean architecture?"),
        ({"alarm-email": "a@b.example"}, "alarm-email", "did you mean alarm_email?"),
    ],
)
def test_what_cannot_be_is_refused_in_words(told: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_options(told, {})
    assert caught.value.field == field
    assert words in caught.value.message


def test_an_unknown_variable_of_ours_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        parse_options({}, {f"{PREFIX}REGION": "us-west-2"})
    assert caught.value.field == f"{PREFIX}REGION"


def test_context_of_the_cdk_itself_is_left_alone() -> None:
    context = {"aws:cdk:bundling-stacks": [], "@aws-cdk/core:x": True, "tags": {}}
    assert parse_options(context, {"PATH": "", "QUADMOSAIC_STORE": "memory://"}) == Options()


@pytest.mark.parametrize(
    ("bucket", "needs"),
    [
        (SourceBucket(), False),
        (SourceBucket(mode="signed"), True),
        (SourceBucket(mode="requester-pays"), True),
        (SourceBucket(mode="signed", endpoint="https://s3.example.com"), False),
    ],
)
def test_only_buckets_of_aws_that_ask_who_reads_need_a_right(bucket: SourceBucket, needs: bool) -> None:
    assert bucket.needs_right is needs
