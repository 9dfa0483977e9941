"""Every operation of the OpenAPI document, asked with whatever fits its schema: no answer is a fault of the server."""

from collections import Counter
from collections.abc import Generator

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings

from fixtures_server import serving
from quadmosaic import bootstrap
from registries import AUTH, Place, registration

EXAMPLES = 6


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(folder=tmp_path_factory.mktemp("openapi"), options={"build_wait_s": 2.0})


@pytest.fixture(scope="module")
def service(place: Place) -> Generator[tuple[FastAPI, str]]:
    app = bootstrap.http_app(place.settings, metrics=True)
    with serving(app) as url:
        reply = httpx.post(f"{url}/mosaics", json=registration("m", place.item("a")), headers=AUTH, timeout=30)
        assert reply.status_code == 201
        yield app, url


def test_no_answer_is_a_fault_of_the_server(service: tuple[FastAPI, str]) -> None:
    app, url = service
    schema = schemathesis.openapi.from_dict(app.openapi())
    faults: list[tuple[object, ...]] = []
    asked: Counter[str] = Counter()
    with httpx.Client(base_url=url, headers=AUTH, timeout=30) as client:
        for found in schema.get_all_operations():
            operation = found.ok()

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
            @given(case=operation.as_strategy())
            def ask(case: schemathesis.Case) -> None:
                reply = case.call(base_url=url, headers=AUTH, timeout=30)
                asked[f"{case.method} {case.path}"] += 1
                if reply.status_code == 500 or reply.status_code > 503:
                    faults.append((case.method, case.formatted_path, case.body, reply.status_code, reply.text[:300]))

            ask()
        assert client.get("/healthz").status_code == 200
    assert not faults, "\n".join(map(str, faults[:20]))
    assert len(asked) > 40
