"""The checks that others wrote: cdk-nag and cfn-lint find nothing, whatever the options, and would if there were."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

if TYPE_CHECKING:
    from synthesis import Synthesis

SIGNED = '{"mine":{"mode":"signed"},"theirs":{"mode":"requester-pays"},"open":{}}'
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/c"
WEB_ACL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/b"
JWT = {"authority": "jwt", "jwt_issuer": "https://i.example", "jwt_audience": "maps", "jwt_scopes": "write"}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "x86_64": {"architecture": "x86_64"},
    "jwt": JWT,
    "iam": {"authority": "iam"},
    "no CDN": {"cdn": False},
    "domain": {"domain": "maps.example.com", "certificate": CERTIFICATE},
    "jwt, domain, WAF, mail": {
        **JWT,
        "domain": "maps.example.com",
        "certificate": CERTIFICATE,
        "web_acl": WEB_ACL,
        "alarm_email": "me@example.com",
    },
    "WAF": {"web_acl": WEB_ACL},
    "signed sources": {"buckets": SIGNED, "allowed_hosts": "s3://mine/ctx,s3://theirs,s3://open"},
    "mail": {"alarm_email": "me@example.com"},
    "no traces, no snapshot, no stop": {"xray": False, "snapstart": False, "concurrency": 0},
    "throw-away": {"keep_data": False, "name": "trial", "log_days": 1},
    "iam, no CDN, x86_64, signed": {
        "authority": "iam",
        "cdn": False,
        "architecture": "x86_64",
        "buckets": SIGNED,
        "allowed_hosts": "s3://mine,s3://theirs,s3://open",
    },
}
LINTED = ("default", "jwt, domain, WAF, mail", "iam, no CDN, x86_64, signed")
MEANT = {"W3005"}
"""A function depends on its role twice over: once by the CDK's own doing."""


@pytest.mark.parametrize("variant", VARIANTS)
def test_cdk_nag_finds_nothing_that_is_not_acknowledged(synthesised: Any, variant: str) -> None:
    assert synthesised(**VARIANTS[variant]).findings == []


@pytest.mark.parametrize("variant", LINTED)
def test_cfn_lint_finds_nothing(synthesised: Any, variant: str) -> None:
    stack = synthesised(**VARIANTS[variant])
    found = lint(stack.file.read_text(), config=ManualArgs(regions=["us-east-1", "us-west-2", "eu-central-1"]))
    assert {match.rule.id for match in found} <= MEANT, [str(match) for match in found]


def test_cfn_lint_would_find_what_is_wrong(stack: "Synthesis") -> None:
    template = json.loads(stack.file.read_text())
    template["Resources"][stack.name("AWS::DynamoDB::Table")]["Properties"]["BillingMode"] = "FREE"
    assert any(match.rule.id.startswith("E") for match in lint(json.dumps(template)))


def test_cdk_nag_would_find_what_is_wrong(synthesised: Any, tmp_path: Path) -> None:
    synthesised()
    from aws_cdk import App
    from aws_cdk import aws_sqs as sqs
    from infrastructure.app import FLAGS, build
    from synthesis import SKIP, finished

    app = App(context={**FLAGS, **SKIP}, outdir=str(tmp_path))
    sqs.Queue(build(app, {}), "Open")
    findings = finished(app, tmp_path, "quadmosaic").findings
    assert {finding.split()[0] for finding in findings} >= {"AwsSolutions-SQS4", "Serverless-SQSRedrivePolicy"}


def test_every_acknowledgement_says_why(stack: "Synthesis") -> None:
    written = json.loads((stack.file.parent / "quadmosaic.metadata.json").read_text())
    acknowledged = [
        reason
        for entries in written.values()
        for each in entries
        if each["type"] == "aws:cdk:acknowledged-rules"
        for reason in each["data"].values()
    ]
    assert len(acknowledged) > 20
    assert all(len(reason) > 40 for reason in acknowledged)


def test_a_stack_is_far_from_what_cloudformation_takes(stack: "Synthesis") -> None:
    assert len(stack.template["Resources"]) < 300 < 500
    assert stack.file.stat().st_size < 900_000
    assert Counter(each["Type"] for each in stack.template["Resources"].values()).most_common(1)[0][1] <= 100


def test_a_stack_without_code_says_so(stack: "Synthesis") -> None:
    written = json.loads((stack.file.parent / "quadmosaic.metadata.json").read_text())
    warned = {
        path for path, entries in written.items() if any("has no code" in str(each.get("data")) for each in entries)
    }
    assert warned == {f"/quadmosaic/{name}" for name in ("Tiler", "Registry", "Builder")}


def test_the_command_refuses_an_option_in_words(synthesised: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    synthesised()
    from infrastructure.app import main

    monkeypatch.setenv("QUADMOSAIC_DEPLOY_RATE", "many")
    with pytest.raises(SystemExit, match="option rate: is 'many'; use a whole number"):
        main()
