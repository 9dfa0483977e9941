"""The access log of the HTTP API: one JSON object per request, without what a client says of itself in private."""

import json

import jsii
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_logs as logs

FIELDS = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "route": "$context.routeKey",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "milliseconds": "$context.responseLatency",
    "functionMilliseconds": "$context.integrationLatency",
    "functionStatus": "$context.integrationStatus",
    "fault": "$context.integrationErrorMessage",
    "refused": "$context.authorizer.error",
    "agent": "$context.identity.userAgent",
}


@jsii.implements(gateway.IAccessLogSettings)
class AccessLog:
    """Tokens and query strings are not written."""

    def __init__(self, group: logs.LogGroup) -> None:
        self._destination = gateway.LogGroupLogDestination(group)

    @property
    def destination(self) -> gateway.IAccessLogDestination:
        return self._destination

    @property
    def format(self) -> apigateway.AccessLogFormat:
        return apigateway.AccessLogFormat.custom(json.dumps(FIELDS))
