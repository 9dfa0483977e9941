"""CloudFront: what is kept for how long, what tells replies apart, and what is said to browsers."""

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest
from infrastructure.cdn import ALLOWED_HEADERS

from quadmosaic.api.app import EXPOSED_HEADERS

if TYPE_CHECKING:
    from synthesis import Synthesis

YEAR_S = 31_536_000
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/c"
WEB_ACL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/b"


def config(stack: "Synthesis") -> dict[str, Any]:
    found: dict[str, Any] = stack.properties("AWS::CloudFront::Distribution")["DistributionConfig"]
    return found


def behaviour(stack: "Synthesis", path: str) -> dict[str, Any]:
    """The first whose pattern fits, as CloudFront chooses; `*` stands for slashes too."""
    for each in config(stack).get("CacheBehaviors", []):
        if fnmatchcase(path, each["PathPattern"]):
            return dict(each)
    return dict(config(stack)["DefaultCacheBehavior"])


def cache(stack: "Synthesis", path: str) -> dict[str, Any]:
    policy = stack.template["Resources"][behaviour(stack, path)["CachePolicyId"]["Ref"]]
    return dict(policy["Properties"]["CachePolicyConfig"])


@pytest.mark.parametrize(
    ("path", "longest"),
    [
        ("/mosaics/jezero@3/tiles/MarsGeographicSphere/5/1/2.png", YEAR_S),
        ("/mosaics/jezero@3/tiles/MarsGeographicSphere/5/1/2@2x.png", YEAR_S),
        ("/mosaics/jezero@3/info", YEAR_S),
        ("/mosaics/jezero/tiles/MarsGeographicSphere/5/1/2.png", 60),
        ("/mosaics/jezero/tiles/MarsGeographicSphere/5/1/2@2x.png", 60),
        ("/mosaics/jezero", 60),
        ("/mosaics", 60),
        ("/", 60),
    ],
)
def test_only_what_is_of_one_version_may_be_kept_for_a_year(stack: "Synthesis", path: str, longest: int) -> None:
    assert cache(stack, path)["MaxTTL"] == longest


def test_the_service_may_always_say_less(stack: "Synthesis") -> None:
    """A partial image is kept for seconds, and what has no Cache-Control not at all."""
    for each in stack.of_type("AWS::CloudFront::CachePolicy").values():
        policy = each["Properties"]["CachePolicyConfig"]
        assert (policy["MinTTL"], policy["DefaultTTL"]) == (0, 0)


def test_heads_are_kept_for_as_long_as_the_options_say(synthesised: Any) -> None:
    assert cache(synthesised(head_seconds=5), "/mosaics/jezero/info")["MaxTTL"] == 5


def test_replies_differ_by_path_query_and_encoding_alone(stack: "Synthesis") -> None:
    for each in stack.of_type("AWS::CloudFront::CachePolicy").values():
        key = each["Properties"]["CachePolicyConfig"]["ParametersInCacheKeyAndForwardedToOrigin"]
        assert key["QueryStringsConfig"] == {"QueryStringBehavior": "all"}
        assert key["HeadersConfig"] == {"HeaderBehavior": "none"}
        assert key["CookiesConfig"] == {"CookieBehavior": "none"}
        assert key["EnableAcceptEncodingGzip"]
        assert key["EnableAcceptEncodingBrotli"]


@pytest.mark.parametrize("path", ["/", "/mosaics/m@1/x"])
def test_everything_is_encrypted_compressed_and_may_be_written_to(stack: "Synthesis", path: str) -> None:
    found = behaviour(stack, path)
    assert found["ViewerProtocolPolicy"] == "redirect-to-https"
    assert found["Compress"] is True
    assert {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"} == set(found["AllowedMethods"])
    (origin,) = config(stack)["Origins"]
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert origin["DomainName"]["Fn::Select"][0] == 2


def test_faults_are_not_remembered(stack: "Synthesis") -> None:
    """Nor that a mosaic did not exist, which may be there now."""
    faults = {each["ErrorCode"]: each["ErrorCachingMinTTL"] for each in config(stack)["CustomErrorResponses"]}
    assert faults == dict.fromkeys((400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504), 0)


def test_policies_have_names_that_another_region_does_not_take(stack: "Synthesis") -> None:
    policies = [
        stack.properties("AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"],
        *(each["Properties"]["CachePolicyConfig"] for each in stack.of_type("AWS::CloudFront::CachePolicy").values()),
    ]
    assert all({"Ref": "AWS::Region"} in policy["Name"]["Fn::Join"][1] for policy in policies)


@pytest.mark.parametrize("origins", ["*", "https://a.example,https://b.example"])
def test_cors_is_said_by_the_cdn_whoever_asked_first(synthesised: Any, origins: str) -> None:
    stack = synthesised() if origins == "*" else synthesised(cors_origins=origins)
    policy = stack.properties("AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]
    cors = policy["CorsConfig"]
    assert cors["AccessControlAllowOrigins"]["Items"] == origins.split(",")
    assert cors["AccessControlAllowHeaders"]["Items"] == list(ALLOWED_HEADERS)
    assert "Authorization" in ALLOWED_HEADERS
    assert cors["AccessControlExposeHeaders"]["Items"] == list(EXPOSED_HEADERS)
    assert cors["OriginOverride"] is True


def test_browsers_are_told_to_be_careful(stack: "Synthesis") -> None:
    policy = stack.properties("AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]
    security = policy["SecurityHeadersConfig"]
    assert security["StrictTransportSecurity"]["AccessControlMaxAgeSec"] == YEAR_S
    assert {"ContentTypeOptions", "ReferrerPolicy"} <= set(security)


def test_requests_are_logged(stack: "Synthesis") -> None:
    logs = stack.name("AWS::S3::Bucket", starting="StorageAccessLogs")
    assert config(stack)["Logging"]["Bucket"]["Fn::GetAtt"][0] == logs
    assert config(stack)["Logging"]["Prefix"] == "cloudfront/"
    ownership = stack.properties("AWS::S3::Bucket", starting="StorageAccessLogs")["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerPreferred"}], "CloudFront writes with an ACL"


def test_a_domain_has_its_certificate_and_is_the_address_that_links_lead_to(synthesised: Any) -> None:
    stack = synthesised(domain="maps.example.com", certificate=CERTIFICATE, web_acl=WEB_ACL, price_class="all")
    found = config(stack)
    assert found["Aliases"] == ["maps.example.com"]
    assert found["ViewerCertificate"]["AcmCertificateArn"] == CERTIFICATE
    assert found["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert found["WebACLId"] == WEB_ACL
    assert found["PriceClass"] == "PriceClass_All"
    for name in ("Tiler", "Registry"):
        told = stack.properties("AWS::Lambda::Function", starting=name)["Environment"]["Variables"]
        assert told["QUADMOSAIC_PUBLIC_URL"] == "https://maps.example.com"


def test_without_a_domain_links_lead_to_the_distribution(stack: "Synthesis") -> None:
    told = stack.properties("AWS::Lambda::Function", starting="Tiler")["Environment"]["Variables"]
    distribution = stack.name("AWS::CloudFront::Distribution")
    assert told["QUADMOSAIC_PUBLIC_URL"]["Fn::Join"][1] == ["https://", {"Fn::GetAtt": [distribution, "DomainName"]}]
    assert "WebACLId" not in config(stack)
