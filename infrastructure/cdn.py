"""CloudFront: versions kept for a year, all else for a minute, whatever the service says for less."""

from aws_cdk import Duration, Fn, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from constructs import Construct

from infrastructure.acknowledgements import CERTIFICATE_OF_CLOUDFRONT, MAPS_ARE_FOR_ALL, NO_WEB_ACL, acknowledge
from infrastructure.gateway import Gateway
from infrastructure.options import Options
from infrastructure.storage import Storage
from quadmosaic.api.app import EXPOSED_HEADERS

VERSIONED = "/mosaics/*@*/*"
"""`name@version` and something below it; a scale like `@2x` has nothing below."""
ALLOWED_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "Range")
"""All that a request may bring: for browsers `*` does not contain Authorization."""
PREFIX = "cloudfront/"
_YEAR = Duration.days(365)
_NOTHING = Duration.seconds(0)
_ORIGIN_S = 30
_FAULTS = (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)
"""All that CloudFront would keep for ten seconds by itself, whatever the service says."""
_CLASSES = {
    "100": cloudfront.PriceClass.PRICE_CLASS_100,
    "200": cloudfront.PriceClass.PRICE_CLASS_200,
    "all": cloudfront.PriceClass.PRICE_CLASS_ALL,
}


class Cdn(Construct):
    """The distribution; `url` is what people and maps use."""

    def __init__(
        self, scope: Construct, construct_id: str, *, options: Options, gateway: Gateway, storage: Storage
    ) -> None:
        super().__init__(scope, construct_id)
        origin = origins.HttpOrigin(
            Fn.select(2, Fn.split("/", gateway.api.api_endpoint)),
            protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
            read_timeout=Duration.seconds(_ORIGIN_S),
        )
        headers = _headers(self, options)
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=options.name,
            default_behavior=_behavior(
                origin, headers, _cache(self, "Heads", longest=Duration.seconds(options.head_seconds))
            ),
            additional_behaviors={VERSIONED: _behavior(origin, headers, _cache(self, "Versions", longest=_YEAR))},
            domain_names=[options.domain] if options.domain else None,
            certificate=acm.Certificate.from_certificate_arn(self, "Certificate", options.certificate)
            if options.certificate
            else None,
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021 if options.domain else None,
            web_acl_id=options.web_acl or None,
            price_class=_CLASSES[options.price_class],
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            enable_logging=True,
            log_bucket=storage.logs,
            log_file_prefix=PREFIX,
            # What went wrong must not be remembered.
            error_responses=[cloudfront.ErrorResponse(http_status=code, ttl=_NOTHING) for code in _FAULTS],
        )
        self.url = f"https://{options.domain or self.distribution.distribution_domain_name}"
        acknowledge(self.distribution, MAPS_ARE_FOR_ALL)
        if not options.domain:
            acknowledge(self.distribution, CERTIFICATE_OF_CLOUDFRONT)
        if not options.web_acl:
            acknowledge(self.distribution, NO_WEB_ACL)


def _behavior(
    origin: cloudfront.IOrigin,
    headers: cloudfront.ResponseHeadersPolicy,
    cache: cloudfront.CachePolicy,
) -> cloudfront.BehaviorOptions:
    """The service sees all that the client sent but its Host, by which API Gateway would look for another API."""
    return cloudfront.BehaviorOptions(
        origin=origin,
        cache_policy=cache,
        response_headers_policy=headers,
        origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
        compress=True,
    )


def _cache(scope: Construct, construct_id: str, *, longest: Duration) -> cloudfront.CachePolicy:
    """The service's Cache-Control counts, up to `longest`; what it says nothing of is not kept."""
    return cloudfront.CachePolicy(
        scope,
        construct_id,
        min_ttl=_NOTHING,
        default_ttl=_NOTHING,
        max_ttl=longest,
        query_string_behavior=cloudfront.CacheQueryStringBehavior.all(),
        header_behavior=cloudfront.CacheHeaderBehavior.none(),
        cookie_behavior=cloudfront.CacheCookieBehavior.none(),
        enable_accept_encoding_gzip=True,
        enable_accept_encoding_brotli=True,
    )


def _headers(scope: Construct, options: Options) -> cloudfront.ResponseHeadersPolicy:
    """CORS is said here, for a reply that was kept for one site is given to others."""
    stack = Stack.of(scope)
    return cloudfront.ResponseHeadersPolicy(
        scope,
        "Headers",
        # An account has one of each name, and may have a stack of this name in several regions.
        response_headers_policy_name=f"{stack.stack_name}-{stack.region}",
        cors_behavior=cloudfront.ResponseHeadersCorsBehavior(
            access_control_allow_origins=list(options.cors_origins),
            access_control_allow_methods=["ALL"],
            access_control_allow_headers=list(ALLOWED_HEADERS),
            access_control_expose_headers=list(EXPOSED_HEADERS),
            access_control_allow_credentials=False,
            origin_override=True,
        ),
        security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
            content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
            referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                referrer_policy=cloudfront.HeadersReferrerPolicy.STRICT_ORIGIN_WHEN_CROSS_ORIGIN, override=True
            ),
            strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                access_control_max_age=_YEAR, include_subdomains=False, override=True
            ),
        ),
    )
