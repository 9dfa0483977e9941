"""The HTTP API: every route of the service to the function that answers it, writes behind the chosen authority."""

from typing import cast

from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from constructs import Construct

from infrastructure.access_log import AccessLog
from infrastructure.acknowledgements import READS_ARE_PUBLIC, WRITES_ARE_CHECKED_BY_THE_SERVICE, acknowledge
from infrastructure.function import Function
from infrastructure.log_groups import log_group
from infrastructure.options import Options
from infrastructure.routes import Route, Serving, all_routes


class Gateway(Construct):
    """Made before the functions, which are told its address; `serve` adds the routes."""

    def __init__(self, scope: Construct, construct_id: str, *, options: Options) -> None:
        super().__init__(scope, construct_id)
        self._options = options
        self.api = gateway.HttpApi(
            self,
            "Api",
            api_name=options.name,
            description="quadmosaic: maps and their registry",
            create_default_stage=False,
        )
        self.stage = gateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=gateway.ThrottleSettings(rate_limit=options.rate, burst_limit=options.burst),
            access_log_settings=AccessLog(log_group(self, "AccessLog", options)),
        )

    def serve(self, *, tiler: Function, registry: Function) -> None:
        """Send each route to its function."""
        # A permission per route would be too long for a function's policy.
        serving: dict[Serving, gateway.HttpRouteIntegration] = {
            "tiler": integrations.HttpLambdaIntegration("Tiler", tiler.alias, scope_permission_to_route=False),
            "registry": integrations.HttpLambdaIntegration("Registry", registry.alias, scope_permission_to_route=False),
        }
        authorizer = _authorizer(self._options)
        routes = {route: self._route(route, serving[route.serving], authorizer) for route in all_routes()}
        self._throttle({route: made for route, made in routes.items() if route.writes})

    def _route(
        self,
        route: Route,
        integration: gateway.HttpRouteIntegration,
        authorizer: gateway.IHttpRouteAuthorizer | None,
    ) -> gateway.HttpRoute:
        made = gateway.HttpRoute(
            self,
            route.key,
            http_api=self.api,
            integration=integration,
            route_key=gateway.HttpRouteKey.with_(route.path, gateway.HttpMethod[route.method]),
            authorizer=authorizer if route.writes else None,
            authorization_scopes=list(self._options.jwt_scopes) or None if route.writes else None,
        )
        if not route.writes:
            acknowledge(made, READS_ARE_PUBLIC)
        elif authorizer is None:
            acknowledge(made, WRITES_ARE_CHECKED_BY_THE_SERVICE)
        return made

    def _throttle(self, writes: dict[Route, gateway.HttpRoute]) -> None:
        stage = cast(gateway.CfnStage, self.stage.node.default_child)
        stage.route_settings = {
            route.key: {
                "ThrottlingRateLimit": self._options.write_rate,
                "ThrottlingBurstLimit": self._options.write_burst,
            }
            for route in writes
        }
        # CloudFormation refuses the settings of a route that is not there yet.
        for made in writes.values():
            stage.node.add_dependency(made)


def _authorizer(options: Options) -> gateway.IHttpRouteAuthorizer | None:
    match options.authority:
        case "tokens":
            return None
        case "jwt":
            return authorizers.HttpJwtAuthorizer("Writers", options.jwt_issuer, jwt_audience=list(options.jwt_audience))
        case "iam":
            return authorizers.HttpIamAuthorizer()
