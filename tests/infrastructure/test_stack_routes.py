"""Routes of the HTTP API: all that the service answers, each to the function that answers it, writes protected."""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from http_api import route_of
from starlette.routing import BaseRoute, Match

from quadmosaic import bootstrap
from quadmosaic.config import Settings

if TYPE_CHECKING:
    from synthesis import Synthesis

SAMPLES = {
    "mosaic": "jezero@3",
    "tms": "MarsGeographicSphere",
    "z": "1",
    "x": "2",
    "y": "3@2x.png",
    "image_format": "png",
    "granule": "a/b c/d",
    "path": "ol/dist/ol.js",
}
READS, WRITES = ("GET", "HEAD"), ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def service() -> FastAPI:
    return bootstrap.http_app(Settings(store="memory://"), metrics=False)


@pytest.fixture(scope="module")
def registry() -> FastAPI:
    return bootstrap.registry_served(Settings(store="memory://", queue_url="https://sqs.example/q")).app


def declared(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of every route, those that the documentation leaves out included."""
    found = set(_walk(app.routes))
    told = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}
    assert {(method, re.sub(r":\w+}", "}", path)) for method, path in found} >= told
    return found


def _walk(routes: Any) -> Iterator[tuple[str, str]]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _walk(inner.routes)
        else:
            yield from ((method, route.path) for method in route.methods)


def sample(path: str) -> str:
    """A path as a client would send it."""
    return re.sub(r"{(\w+)(:\w+)?}", lambda match: SAMPLES.get(match[1], "1"), path)


def serving(stack: "Synthesis", key: str) -> str:
    """The function of a route: "Tiler" or "Registry"."""
    (route,) = (
        each["Properties"]
        for each in stack.of_type("AWS::ApiGatewayV2::Route").values()
        if each["Properties"]["RouteKey"] == key
    )
    integration = route["Target"]["Fn::Join"][1][1]["Ref"]
    alias = stack.template["Resources"][integration]["Properties"]["IntegrationUri"]["Ref"]
    function = stack.template["Resources"][alias]["Properties"]["FunctionName"]["Ref"]
    return str(re.sub(r"Function\w+$", "", function))


def keys(stack: "Synthesis") -> dict[str, dict[str, Any]]:
    """Properties of the routes by their keys."""
    routes = [each["Properties"] for each in stack.of_type("AWS::ApiGatewayV2::Route").values()]
    return {route["RouteKey"]: route for route in routes}


def test_every_route_of_the_service_reaches_the_function_that_answers_it(
    stack: "Synthesis", service: FastAPI, registry: FastAPI
) -> None:
    of_registry = {(method, path) for method, path in declared(registry) if path.startswith("/mosaics")}
    assert {("POST", "/mosaics"), ("GET", "/mosaics/{mosaic}/builds")} <= of_registry
    for method, path in declared(service):
        key = route_of(keys(stack), method, sample(path))
        assert key is not None, f"{method} {path} is not routed"
        expected = "Registry" if (method, path) in of_registry else "Tiler"
        assert serving(stack, key) == expected, f"{method} {path} -> {key}"


def test_whatever_can_be_read_can_be_asked_for_with_head(stack: "Synthesis") -> None:
    by_method = {method: {key.split(" ")[1] for key in keys(stack) if key.startswith(f"{method} ")} for method in READS}
    assert by_method["GET"] == by_method["HEAD"]
    assert all(serving(stack, f"GET {path}") == serving(stack, f"HEAD {path}") for path in by_method["GET"])


def test_no_route_leads_to_a_function_that_does_not_know_it(
    stack: "Synthesis", service: FastAPI, registry: FastAPI
) -> None:
    samples = {"preview": "preview.png", "box": "1,2,3,4.png", "size": "4x5.png", "place": "1,2"}
    for key in keys(stack):
        method, path = key.split(" ")
        if method == "OPTIONS":
            continue
        box = "1,2,3,4" if path.count("/") > 4 else samples["box"]
        filled = re.sub(r"{(\w+)\+?}", lambda m, box=box: {**samples, "box": box}.get(m[1], "a"), path)
        app = registry if serving(stack, key) == "Registry" else service
        scope = {"type": "http", "method": "GET" if method == "HEAD" else method, "path": filled, "root_path": ""}
        assert any(_matches(route, scope) for route in app.routes), f"{key}: {filled}"


def _matches(route: BaseRoute, scope: dict[str, Any]) -> bool:
    return route.matches({**scope, "headers": []})[0] is Match.FULL


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/mosaics/m/tiles/T/1/2/3@2x.png", "GET /mosaics/{mosaic}/tiles/{tms}/{z}/{x}/{y}"),
        ("HEAD", "/mosaics/m@1/tiles/T/1/2/3", "HEAD /mosaics/{mosaic}/tiles/{tms}/{z}/{x}/{y}"),
        ("GET", "/mosaics/m/preview.webp", "GET /mosaics/{mosaic}/{preview}"),
        ("GET", "/mosaics/m/info", "GET /mosaics/{mosaic}/info"),
        ("GET", "/mosaics/m/builds", "GET /mosaics/{mosaic}/builds"),
        ("GET", "/mosaics/m/bbox/-1.5,2,3,4/40x30.png", "GET /mosaics/{mosaic}/bbox/{box}/{size}"),
        ("GET", "/mosaics/m/bbox/-1.5,2,3,4/assets", "GET /mosaics/{mosaic}/bbox/{box}/assets"),
        ("DELETE", "/mosaics/m/granules/a/b", "DELETE /mosaics/{mosaic}/granules/{granule+}"),
        ("OPTIONS", "/mosaics/m/builds", "OPTIONS /{path+}"),
        ("POST", "/mosaics/m/statistics", None),
        ("GET", "/wp-login.php", None),
        ("PATCH", "/", None),
    ],
)
def test_a_request_finds_its_route_or_none(stack: "Synthesis", method: str, path: str, key: str | None) -> None:
    assert route_of(keys(stack), method, path) == key


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, "NONE"),
        ({"authority": "jwt", "jwt_issuer": "https://i.example", "jwt_audience": "maps"}, "JWT"),
        ({"authority": "iam"}, "AWS_IAM"),
    ],
)
def test_writes_have_the_chosen_authority_and_reads_none(synthesised: Any, options: Any, kind: str) -> None:
    routes = keys(synthesised(**options))
    kinds = {
        method: {r.get("AuthorizationType") for k, r in routes.items() if k.startswith(method)} for method in WRITES
    }
    assert set().union(*kinds.values()) == {kind}
    others = {route.get("AuthorizationType") for key, route in routes.items() if key.split(" ")[0] not in WRITES}
    assert others == {"NONE"}


@pytest.mark.parametrize(
    ("options", "authority"),
    [
        ({}, "tokens"),
        ({"authority": "jwt", "jwt_issuer": "https://i.example", "jwt_audience": "maps"}, "gateway"),
        ({"authority": "iam"}, "gateway"),
    ],
)
def test_the_registry_knows_who_decides(synthesised: Any, options: Any, authority: str) -> None:
    stack = synthesised(**options)
    told = stack.properties("AWS::Lambda::Function", starting="Registry")["Environment"]["Variables"]
    assert told["QUADMOSAIC_AUTHORITY"] == authority
    assert ("QUADMOSAIC_TOKENS" in told) is (authority == "tokens")
    assert bool(stack.of_type("AWS::SecretsManager::Secret")) is (authority == "tokens")


def test_a_jwt_must_have_one_of_the_scopes(synthesised: Any) -> None:
    told = {"authority": "jwt", "jwt_issuer": "https://i.example", "jwt_audience": "maps,other", "jwt_scopes": "write"}
    stack = synthesised(**told)
    authorizer = stack.properties("AWS::ApiGatewayV2::Authorizer")
    assert authorizer["JwtConfiguration"] == {"Audience": ["maps", "other"], "Issuer": "https://i.example"}
    routes = keys(stack)
    assert routes["POST /mosaics"]["AuthorizationScopes"] == ["write"]
    assert "AuthorizationScopes" not in routes["GET /mosaics"]


def test_writes_are_throttled_by_themselves_once_they_are_there(synthesised: Any) -> None:
    stack = synthesised(rate=50, burst=60, write_rate=3, write_burst=4)
    stage = stack.properties("AWS::ApiGatewayV2::Stage")
    everything = stage["DefaultRouteSettings"]
    assert (everything["ThrottlingRateLimit"], everything["ThrottlingBurstLimit"]) == (50, 60)
    writes = {key for key in keys(stack) if key.split(" ")[0] in WRITES}
    assert set(stage["RouteSettings"]) == writes
    assert {
        (each["ThrottlingRateLimit"], each["ThrottlingBurstLimit"]) for each in stage["RouteSettings"].values()
    } == {(3, 4)}
    (made,) = stack.of_type("AWS::ApiGatewayV2::Stage").values()
    first = {stack.template["Resources"][name]["Properties"].get("RouteKey") for name in made["DependsOn"]}
    assert writes <= first


def test_two_permissions_are_all_that_the_functions_policies_hold(stack: "Synthesis") -> None:
    permissions = stack.of_type("AWS::Lambda::Permission").values()
    assert sorted(each["Properties"]["FunctionName"]["Ref"][:5] for each in permissions) == ["Regis", "Tiler"]
    assert {each["Properties"]["Principal"] for each in permissions} == {"apigateway.amazonaws.com"}
    assert len(keys(stack)) <= 300


def test_requests_are_logged_as_json_without_what_is_private(stack: "Synthesis") -> None:
    stage = stack.properties("AWS::ApiGatewayV2::Stage")
    written = json.loads(stage["AccessLogSettings"]["Format"])
    assert {"requestId", "status", "path", "route", "milliseconds", "ip"} <= set(written)
    assert not re.search(r"authorization|header|querystring", json.dumps(written), re.IGNORECASE)


def test_the_api_bears_the_name_of_its_stack(synthesised: Any) -> None:
    assert synthesised(name="trial").properties("AWS::ApiGatewayV2::Api")["Name"] == "trial"
