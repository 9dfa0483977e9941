"""The registry over HTTP: mosaics registered, rebuilt, changed and deleted by those who may."""

import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from registries import Place, features, finished, registration
from toys import url

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path)


@pytest.fixture
def client(place: Place) -> Generator[httpx.Client]:
    with place.served() as client:
        yield client


def ids(client: httpx.Client, mosaic: str) -> set[str]:
    collection = client.get(f"/mosaics/{mosaic}/granules").json()
    return {feature["id"] for feature in collection["features"]}


class TestRegistering:
    def test_a_small_mosaic_is_there_at_once_with_all_its_assets(self, place: Place, client: httpx.Client) -> None:
        keys = ["dtm", "image", "orthoimage"]
        items = [place.item(name, assets=keys) for name in ("a", "b")]
        reply = client.post("/mosaics", json=registration("jezero", *items, assets=keys, title="Jezero"))
        assert reply.status_code == 201, reply.text
        mosaic = reply.json()
        assert (mosaic["name"], mosaic["version"], mosaic["title"]) == ("jezero", 1, "Jezero")
        assert [asset["key"] for asset in mosaic["assets"]] == keys
        assert mosaic["last_build"]["status"] == "succeeded"
        for name in ("preview", "tilejson", "self", "granules", "mosaicjson"):
            assert client.get(mosaic["urls"][name]).status_code == 200, name
        for key in keys:
            assert client.get(url("jezero") + f"?assets={key}").status_code == 200

    def test_the_report_says_what_was_found_added_and_read(self, place: Place, client: httpx.Client) -> None:
        one, other = place.item("a"), place.item("b")
        twice = features(one, other, one)
        client.post("/mosaics", json={"name": "m", "source": twice, "assets": ["dtm"]})
        report = client.get("/mosaics/m").json()["last_build"]["report"]
        assert (report["found"], report["used"], report["added"], report["scanned"]) == (3, 2, 2, 2)
        assert report["skipped"] == [{"granule": "a", "reason": "duplicate id: an earlier granule has it"}]
        assert report["cells_changed"] == report["cells"] > 0
        assert report["cost_usd"] > 0

    def test_a_granule_on_another_body_takes_none_of_its_id_along(self, place: Place, client: httpx.Client) -> None:
        here, there = place.item("a"), place.item("a")
        there["properties"]["ssys:targets"] = ["Moon"]
        reply = client.post("/mosaics", json=registration("m", place.item("b"), there, here))
        assert reply.status_code == 201, reply.text
        assert ids(client, "m") == {"a", "b"}

    def test_the_same_post_twice_is_one_mosaic(self, place: Place, client: httpx.Client) -> None:
        body = registration("jezero", place.item("a"))
        assert client.post("/mosaics", json=body).status_code == 201
        again = client.post("/mosaics", json=body)
        assert (again.status_code, again.json()["version"]) == (200, 1)
        other = client.post("/mosaics", json=registration("jezero", place.item("b")))
        assert (other.status_code, other.json()["status"]) == (409, 409)
        assert len(client.get("/mosaics/jezero/builds").json()["builds"]) == 1

    @pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k1"}])
    def test_the_same_post_many_times_at_once_is_one_mosaic(
        self, place: Place, client: httpx.Client, headers: dict[str, str]
    ) -> None:
        bodies = [registration(f"m{number}", place.item("a")) for number in range(6)]
        with ThreadPoolExecutor(4) as pool:
            for number, body in enumerate(bodies):
                told = {key: f"{value}-{number}" for key, value in headers.items()}
                replies = list(pool.map(lambda _: client.post("/mosaics", json=body, headers=told), range(4)))  # noqa: B023
                assert {reply.status_code for reply in replies} <= {200, 201}, [reply.text for reply in replies]
                assert [v["version"] for v in client.get(f"/mosaics/m{number}/versions").json()["versions"]] == [1]

    def test_a_dry_run_reports_and_changes_nothing(self, place: Place, client: httpx.Client) -> None:
        body = registration("jezero", place.item("a"))
        before = sorted((place.folder / "store").rglob("*"))
        reply = client.post("/mosaics?dry_run=true", json=body)
        assert reply.status_code == 200
        assert reply.json()["report"]["added"] == 1
        assert client.get("/mosaics/jezero").status_code == 404
        assert sorted((place.folder / "store").rglob("*")) == before

    def test_a_dry_run_is_refused_as_the_request_would_be(self, place: Place, client: httpx.Client) -> None:
        tag = client.post("/mosaics", json=registration("m", place.item("a"))).headers["etag"]
        other = registration("m", place.item("b"))
        assert client.post("/mosaics?dry_run=true", json=other).status_code == 409
        assert client.put("/mosaics/m?dry_run=true", json=other, headers={"If-Match": tag}).status_code == 200
        client.patch("/mosaics/m", json={"title": "M"})
        assert client.put("/mosaics/m?dry_run=true", json=other, headers={"If-Match": tag}).status_code == 412

    def test_a_dry_run_says_that_the_build_would_be_held(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", *(place.item(name) for name in "abc")))
        report = client.put("/mosaics/m?dry_run=true", json=registration("m", place.item("a"))).json()["report"]
        assert "2 of 3 granules would go" in report["held"]

    def test_a_dry_run_takes_no_longer_than_a_request_waits(self, place: Place) -> None:
        with replace(place, options={"build_wait_s": 0}).served() as client:
            reply = client.post("/mosaics?dry_run=true", json=registration("m", place.item("a")))
            assert (reply.status_code, "a dry run may take 0 s" in reply.json()["detail"]) == (413, True)

    def test_a_key_makes_a_repeated_request_one(self, place: Place, client: httpx.Client) -> None:
        body, key = registration("jezero", place.item("a")), {"Idempotency-Key": "k1"}
        assert client.post("/mosaics", json=body, headers=key).status_code == 201
        assert client.post("/mosaics", json=body, headers=key).status_code == 200
        other = client.post("/mosaics", json=registration("other", place.item("a")), headers=key)
        assert other.status_code == 409
        assert client.get("/mosaics/other").status_code == 404

    def test_a_client_that_does_not_wait_gets_a_build_to_poll(self, place: Place, client: httpx.Client) -> None:
        body = registration("jezero", place.item("a"))
        reply = client.post("/mosaics", json=body, headers={"Prefer": "respond-async"})
        assert reply.status_code == 202
        assert reply.headers["location"] == reply.json()["urls"]["self"]
        build = finished(client, reply)
        assert (build["status"], build["version"]) == ("succeeded", 1)
        assert client.get("/mosaics/jezero").json()["version"] == 1

    def test_a_bare_mosaicjson_document_is_accepted(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("jezero", place.item("a"), assets=["dtm"]))
        document = client.get("/mosaics/jezero/mosaic.json").json() | {"name": "Jezero Copy"}
        reply = client.post("/mosaics", json=document)
        assert reply.status_code == 201, reply.text
        assert reply.json()["name"] == "jezero-copy"
        assert client.get(url("jezero-copy")).content == client.get(url("jezero")).content

    def test_cogs_are_enough(self, place: Place, client: httpx.Client) -> None:
        source = {"type": "cogs", "hrefs": [place.file("a"), place.file("b")]}
        reply = client.post("/mosaics", json={"name": "cogs", "source": source})
        assert reply.status_code == 201, reply.text
        assert ids(client, "cogs") == {"a", "b"}

    def test_an_item_without_geometry_has_the_outline_of_its_raster(self, place: Place, client: httpx.Client) -> None:
        here, nowhere = place.item("a"), place.item("b") | {"geometry": None}
        reply = client.post("/mosaics", json=registration("m", here, nowhere, assets=["dtm"]))
        assert reply.status_code == 201, reply.text
        assert reply.json()["last_build"]["report"]["normalised"] == {"outline of the raster": 1}
        outlines = [f["geometry"]["coordinates"][0] for f in client.get("/mosaics/m/granules").json()["features"]]
        corners = [sorted((round(x, 6), round(y, 6)) for x, y in outline[:-1]) for outline in outlines]
        assert corners[0] == corners[1]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": "Not A Name"}, "name"),
            ({"source": {"type": "wms"}}, "source.type"),
            ({"source": None}, "source"),
            ({"tms": "NoSuchGrid"}, "tms"),
            ({"quadkey_zoom": "deep"}, "quadkey_zoom"),
            ({"schedule": 5}, "schedule"),
            ({"defaults": {"rescale": [1, 2]}}, "defaults.rescale"),
            ({"excludes": ["a", 5]}, "excludes.1"),
            ({"tms": {"id": "Mine"}}, "tms"),
            ({"maxzoom": 1000}, "maxzoom"),
            ({"minzoom": 9, "maxzoom": 8}, "minzoom"),
            ({"title": "\ud800"}, "title"),
            ({"defaults": {"colormap_name": "\ud800"}}, "defaults.colormap_name"),
            ({"assets": ["\ud800"]}, "assets"),
            ({"order": "no:such:property"}, "order"),
            ({"compatibility": "maybe"}, "compatibility"),
            ({"limits": {"max_shrink": 3}}, "limits.max_shrink"),
            ({"schedule": "rate(0 days)"}, "schedule.expression"),
            ({"schedule": {"expression": "rate(1 day)", "timezone": "Mars/Jezero"}}, "schedule.timezone"),
            ({"colour": "red"}, "colour"),
            ({"assets": ["nowhere"]}, "source"),
        ],
    )
    def test_a_fault_is_named_and_nothing_is_kept(
        self, place: Place, client: httpx.Client, change: dict[str, Any], field: str
    ) -> None:
        body = registration("m", place.item("a")) | change
        reply = client.post("/mosaics", content=json.dumps(body), headers=JSON)
        assert reply.status_code == 400, reply.text
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["field"] == field, reply.json()
        assert client.get("/mosaics/m").status_code == 404

    @pytest.mark.parametrize("content", ["", "[]", "null", '{"name":', '{"name": NaN}', "[" * 100_000, b"\xff\xfe{"])
    def test_a_body_that_is_none_is_named(self, client: httpx.Client, content: str | bytes) -> None:
        reply = client.post("/mosaics", content=content, headers=JSON)
        assert (reply.status_code, reply.json()["field"]) in ((400, "body"), (400, "source")), reply.text

    def test_a_body_that_is_too_large_is_named(self, place: Place) -> None:
        with replace(place, options={"max_body_mb": 1}).served() as client:
            reply = client.post("/mosaics", content=b"{" + b" " * 2_000_000)
            assert (reply.status_code, reply.json()["field"]) == (413, "body")

    def test_a_name_is_free_again_after_a_registration_that_failed(self, place: Place, client: httpx.Client) -> None:
        assert client.post("/mosaics", json=registration("m", place.item("a"), assets=["x"])).status_code == 400
        assert client.post("/mosaics", json=registration("m", place.item("a"))).status_code == 201

    def test_a_registration_whose_build_failed_can_be_posted_again_as_it_should_be(
        self, place: Place, client: httpx.Client
    ) -> None:
        wrong = registration("m", place.item("a"), assets=["x"])
        reply = client.post("/mosaics", json=wrong, headers={"Prefer": "respond-async"})
        assert finished(client, reply)["status"] == "failed"
        reply = client.post("/mosaics", json=registration("m", place.item("a"), assets=["dtm"]))
        assert (reply.status_code, reply.json()["version"]) == (201, 1), reply.text
        assert client.post("/mosaics", json=wrong).status_code == 409

    def test_limits_hold(self, place: Place, client: httpx.Client) -> None:
        items = [place.item("a"), place.item("b")]
        reply = client.post("/mosaics", json=registration("m", *items, limits={"max_granules": 1}))
        assert (reply.status_code, "limits.max_granules" in reply.json()["detail"]) == (413, True)


def long_list(place: Place, count: int) -> list[dict[str, Any]]:
    """Items of more than 100 kB together."""
    item = place.item("b")
    properties = {**item["properties"], "note": "x" * (120_000 // count)}
    return [{**item, "id": f"g{number}", "properties": properties} for number in range(count)]


class TestReading:
    def test_a_long_list_of_the_registration_is_told_by_its_length(self, place: Place, client: httpx.Client) -> None:
        made = long_list(place, 40)
        client.post("/mosaics", json=registration("m", *made, scan=False))
        source = client.get("/mosaics/m").json()["registration"]["source"]
        assert source == {"type": "features", "count": 40}
        reply = client.put("/mosaics/m", json={"source": source})
        assert (reply.status_code, reply.json()["field"]) == (400, "source.count")
        assert len(client.get("/mosaics/m/granules", params={"limit": 1000}).json()["features"]) == 40

    def test_a_long_list_of_what_was_added_by_hand_is_told_by_its_length(
        self, place: Place, client: httpx.Client
    ) -> None:
        client.post("/mosaics", json=registration("m", place.item("a"), scan=False))
        made = long_list(place, 40)
        client.post("/mosaics/m/granules", json={"type": "FeatureCollection", "features": made})
        told = client.get("/mosaics/m").json()["registration"]
        assert told["includes"] == {"type": "FeatureCollection", "count": 40}
        assert told["source"]["features"]["features"][0]["id"] == "a"

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({"bbox": "70,10,80,20"}, {"a", "b", "c"}),
            ({"bbox": "170,-90,-170,90"}, set()),
            ({"datetime": "2024-01-01T00:00:00Z/.."}, {"b", "c"}),
            ({"filter": "gsd < 10"}, {"a", "b"}),
            ({"filter": "id LIKE 'a%' OR gsd > 10"}, {"a", "c"}),
            ({"bbox": "70,10,80,20", "datetime": "2024-01-01T00:00:00Z/..", "filter": "gsd < 10"}, {"b"}),
        ],
    )
    def test_granules_are_searched_page_by_page(
        self, place: Place, client: httpx.Client, asked: dict[str, str], expected: set[str]
    ) -> None:
        made = [place.item(name) for name in "abc"]
        for each, gsd, year in zip(made, (5, 6, 50), (2023, 2024, 2025), strict=True):
            each["properties"] |= {"gsd": gsd, "datetime": f"{year}-01-01T00:00:00Z"}
        client.post("/mosaics", json=registration("m", *made, scan=False))
        document = client.get("/mosaics/m/granules", params={**asked, "limit": 1}).json()
        found = [*document["features"]]
        while document["links"]:
            document = client.get(document["links"][0]["href"]).json()
            found += document["features"]
        assert sorted(feature["id"] for feature in found) == sorted(expected)

    def test_a_filter_sees_no_signature(self, place: Place, client: httpx.Client) -> None:
        made = place.item("a")
        made["properties"]["thumbnail"] = "https://a.test/a.png?X-Amz-Signature=abc"
        client.post("/mosaics", json=registration("m", made, scan=False))
        for condition, count in (("thumbnail LIKE '%a.png%'", 1), ("thumbnail LIKE '%abc%'", 0)):
            reply = client.get("/mosaics/m/granules", params={"filter": condition})
            assert len(reply.json()["features"]) == count


class TestChanging:
    def test_put_gives_another_recipe_and_another_version(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        body = registration("m", place.item("a"), place.item("b"))
        del body["name"]
        reply = client.put("/mosaics/m", json=body)
        assert (reply.status_code, reply.json()["version"]) == (200, 2)
        assert ids(client, "m") == {"a", "b"}
        assert ids(client, "m@1") == {"a"}

    def test_put_of_a_recipe_that_cannot_be_built_changes_nothing(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        reply = client.put("/mosaics/m", json={"source": features(place.item("b")), "assets": ["x"]})
        assert reply.status_code == 400
        mosaic = client.get("/mosaics/m").json()
        assert (mosaic["version"], mosaic["registration"]["source"]["features"]["features"][0]["id"]) == (1, "a")

    def test_patch_publishes_a_version_that_shares_the_index(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        reply = client.patch("/mosaics/m", json={"title": "Heights", "defaults": {"colormap_name": "viridis"}})
        assert reply.status_code == 200, reply.text
        assert (reply.json()["version"], reply.json()["title"]) == (2, "Heights")
        assert client.get(url("m", ".png")).content != client.get(url("m@1", ".png")).content
        assert client.get(url("m")).content == client.get(url("m@1")).content

    def test_a_patch_that_is_refused_is_not_what_the_next_build_is_made_of(
        self, place: Place, client: httpx.Client
    ) -> None:
        client.post("/mosaics", json=registration("m", place.item("a"), assets=["dtm"]))
        before = client.get("/mosaics/m").json()
        reply = client.patch("/mosaics/m", json={"defaults": {"asset": "nope"}})
        assert (reply.status_code, reply.json()["field"]) == (400, "defaults.asset")
        assert client.get("/mosaics/m").json() == before

    def test_a_default_asset_that_no_granule_has_is_refused(self, place: Place, client: httpx.Client) -> None:
        body = registration("m", place.item("a"), assets=["dtm"], defaults={"asset": "nope"})
        reply = client.post("/mosaics", json=body)
        assert (reply.status_code, reply.json()["field"]) == (400, "defaults.asset")

    @pytest.mark.parametrize(
        ("defaults", "field"),
        [
            ({"assets": "nope"}, "defaults.assets"),
            ({"bidx": "1,7"}, "defaults.bidx"),
            ({"expression": "b1+b9"}, "defaults.expression"),
        ],
    )
    def test_defaults_that_the_files_have_no_bands_for_are_refused(
        self, place: Place, client: httpx.Client, defaults: dict[str, str], field: str
    ) -> None:
        body = registration("m", place.item("a"), assets=["dtm"])
        reply = client.post("/mosaics", json={**body, "defaults": defaults})
        assert (reply.status_code, reply.json()["field"]) == (400, field)
        client.post("/mosaics", json=body)
        document = client.get("/mosaics/m/mosaic.json").json()
        source = {"type": "mosaicjson", "document": document}
        for reply in (
            client.patch("/mosaics/m", json={"defaults": defaults}),
            client.post("/mosaics", json={"name": "doc", "source": source, "defaults": defaults}),
        ):
            assert (reply.status_code, reply.json()["field"]) == (400, field)
        assert client.get("/mosaics/m").json()["version"] == 1

    @pytest.mark.parametrize(
        ("style", "field"),
        [
            ({"rescale": "10,5"}, "defaults.rescale"),
            ({"rescale": "low,high"}, "defaults.rescale"),
            ({"colormap_name": "viridiss"}, "defaults.colormap_name"),
            ({"colormap": "{nonsense"}, "defaults.colormap"),
            ({"color_formula": "sepia"}, "defaults.color_formula"),
            ({"expression": "b1+("}, "defaults.expression"),
            ({"bidx": "0"}, "defaults.bidx"),
            ({"bidx": "one"}, "defaults.bidx"),
            ({"nodata": "none"}, "defaults.nodata"),
            ({"resampling": "best"}, "defaults.resampling"),
            ({"pixel_selection": "prettiest"}, "defaults.pixel_selection"),
            ({"colourmap": "viridis"}, "defaults.colourmap"),
        ],
    )
    def test_a_style_that_nothing_can_be_drawn_with_is_refused_by_its_name(
        self, place: Place, client: httpx.Client, style: dict[str, str], field: str
    ) -> None:
        good = registration("m", place.item("a"))
        bad = {**good, "defaults": style}
        assert client.post("/mosaics", json=good).status_code == 201
        for reply in (
            client.post("/mosaics", json={**bad, "name": "other"}),
            client.post("/mosaics?dry_run=true", json={**bad, "name": "other"}),
            client.put("/mosaics/m", json=bad),
            client.patch("/mosaics/m", json={"defaults": style}),
        ):
            assert reply.status_code == 400, reply.text
            assert reply.json()["field"] == field
        assert client.get("/mosaics/other").status_code == 404
        mosaic = client.get("/mosaics/m").json()
        assert (mosaic["version"], mosaic["revision"]) == (1, 1)

    def test_if_match_guards_against_a_lost_update(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        seen = {"If-Match": client.get("/mosaics/m").headers["etag"]}
        assert client.patch("/mosaics/m", json={"title": "One"}, headers=seen).status_code == 200
        for reply in (
            client.patch("/mosaics/m", json={"title": "Two"}, headers=seen),
            client.put("/mosaics/m", json={"source": features(place.item("b"))}, headers=seen),
            client.delete("/mosaics/m", headers=seen),
            client.post("/mosaics/m/versions/1/publish", headers=seen),
            client.delete("/mosaics/m/granules/a", headers=seen),
        ):
            assert reply.status_code == 412
        assert client.get("/mosaics/m").json()["title"] == "One"

    def test_if_match_takes_strong_tags_of_what_is_there(self, place: Place, client: httpx.Client) -> None:
        body = registration("m", place.item("a"))
        assert client.put("/mosaics/m", json=body, headers={"If-Match": "*"}).status_code == 412
        assert client.get("/mosaics/m").status_code == 404
        tag = client.post("/mosaics", json=body).headers["etag"]
        for name in ("title", "description"):
            weak = client.patch("/mosaics/m", json={name: "x"}, headers={"If-Match": f"W/{tag}"})
            assert weak.status_code == 412
        listed = {"If-Match": f'"other", {tag}'}
        assert client.patch("/mosaics/m", json={"title": "One"}, headers=listed).status_code == 200
        assert client.patch("/mosaics/m", json={"title": "Two"}, headers={"If-Match": "*"}).status_code == 200

    def test_granules_are_changed_only_in_the_mosaic_that_was_seen(self, place: Place, client: httpx.Client) -> None:
        tag = client.post("/mosaics", json=registration("m", *(place.item(n) for n in "abcdef"))).headers["etag"]
        seen = {"If-Match": tag}
        hrefs = {"hrefs": [place.file("extra")]}
        with ThreadPoolExecutor(2) as pool:
            replies = [
                pool.submit(client.post, "/mosaics/m/granules", json=hrefs, headers=seen),
                pool.submit(client.delete, "/mosaics/m/granules/a", headers=seen),
            ]
        statuses = sorted(reply.result().status_code for reply in replies)
        assert statuses[0] in (200, 201)
        assert statuses[1] in (409, 412)

    def test_a_patch_that_changes_nothing_is_no_revision(self, place: Place, client: httpx.Client) -> None:
        tag = client.post("/mosaics", json=registration("m", place.item("a"), title="M")).headers["etag"]
        for same in ({}, {"title": "M"}, {"schedule": None}):
            reply = client.patch("/mosaics/m", json=same)
            assert (reply.status_code, reply.headers["etag"]) == (200, tag)

    def test_an_unchanged_mosaic_answers_304(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        tag = client.get("/mosaics/m").headers["etag"]
        assert client.get("/mosaics/m", headers={"If-None-Match": tag}).status_code == 304

    def test_delete_removes_mosaic_and_builds_and_frees_the_name(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        assert client.delete("/mosaics/m").status_code == 204
        assert client.get("/mosaics/m").status_code == 404
        assert client.get("/mosaics/m/builds").status_code == 404
        assert client.delete("/mosaics/m").status_code == 404
        assert client.post("/mosaics", json=registration("m", place.item("b"))).status_code == 201
        assert len(client.get("/mosaics/m/builds").json()["builds"]) == 1

    def test_going_back_to_an_earlier_version(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        client.put("/mosaics/m", json=registration("m", place.item("b")) | {"limits": {"max_shrink": 1}})
        reply = client.post("/mosaics/m/versions/1/publish")
        assert (reply.status_code, reply.json()["version"]) == (200, 1)
        assert client.post("/mosaics/m/versions/9/publish").status_code == 404


class TestBuilding:
    def test_an_unchanged_source_makes_no_version(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        reply = client.post("/mosaics/m/builds")
        assert (reply.status_code, reply.json()["status"], reply.json()["version"]) == (201, "unchanged", 1)
        assert reply.json()["report"]["reused"] == 1
        assert reply.json()["report"]["scanned"] == 0
        assert len(client.get("/mosaics/m/versions").json()["versions"]) == 1

    def test_a_file_that_changed_is_found_by_a_rescan(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a"), place.item("b")))
        place.file("a_dtm", seed=9)
        build = client.post("/mosaics/m/builds?rescan=true").json()
        assert (build["status"], build["report"]["scanned"], build["report"]["changed"]) == ("succeeded", 1, 1)

    def test_a_dry_run_of_a_rebuild_tells_the_difference(self, place: Place, client: httpx.Client) -> None:
        listing = place.folder / "files" / "items.json"
        client.post("/mosaics", json=registration("m", place.item("a")))
        assert not listing.exists()
        reply = client.post("/mosaics/m/builds?dry_run=true")
        assert (reply.status_code, reply.json()["report"]["added"]) == (200, 0)
        assert len(client.get("/mosaics/m/builds").json()["builds"]) == 1

    def test_a_build_that_would_shrink_the_mosaic_is_held_until_someone_confirms(
        self, place: Place, client: httpx.Client
    ) -> None:
        client.post("/mosaics", json=registration("m", *(place.item(name) for name in "abc")))
        client.put("/mosaics/m", json={"source": features(place.item("a")), "quadkey_zoom": 7})
        held = client.get("/mosaics/m/builds").json()["builds"][0]
        assert (held["status"], held["report"]["removed"]) == ("held", 2)
        assert "2 of 3 granules would go" in held["report"]["held"]
        assert ids(client, "m") == {"a", "b", "c"}
        confirmed = client.post(held["urls"]["confirm"])
        assert (confirmed.status_code, confirmed.json()["status"]) == (200, "succeeded")
        assert "held" not in confirmed.json()["report"]
        assert ids(client, "m") == {"a"}
        assert client.post(held["urls"]["self"] + "/confirm").status_code == 409

    def test_a_held_build_is_published_with_the_defaults_of_today(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", *(place.item(name) for name in "abc"), title="Old"))
        client.put("/mosaics/m", json=registration("m", place.item("a"), title="Old"))
        held = client.get("/mosaics/m/builds").json()["builds"][0]
        assert client.patch("/mosaics/m", json={"title": "New"}).json()["title"] == "New"
        confirmed = finished(client, client.post(held["urls"]["confirm"]))
        assert confirmed["status"] == "succeeded", confirmed
        assert (client.get("/mosaics/m").json()["title"], ids(client, "m")) == ("New", {"a"})

    def test_a_held_build_of_a_recipe_that_was_replaced_cannot_be_confirmed(
        self, place: Place, client: httpx.Client
    ) -> None:
        client.post("/mosaics", json=registration("m", *(place.item(name) for name in "abc")))
        client.put("/mosaics/m", json=registration("m", place.item("a")))
        first = client.get("/mosaics/m/builds").json()["builds"][0]
        client.put("/mosaics/m", json=registration("m", place.item("b")))
        assert client.post(first["urls"]["confirm"]).status_code == 409
        assert ids(client, "m") == {"a", "b", "c"}
        second = client.get("/mosaics/m/builds").json()["builds"][0]
        assert client.post(second["urls"]["confirm"]).status_code == 200
        assert ids(client, "m") == {"b"}

    def test_builds_are_paged_newest_first(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        for _ in range(3):
            client.post("/mosaics/m/builds")
        first = client.get("/mosaics/m/builds?limit=3").json()
        second = client.get(first["links"][0]["href"]).json()
        listed = [build["id"] for build in first["builds"] + second["builds"]]
        assert len(listed) == len(set(listed)) == 4
        assert second["links"] == []
        reply = client.get("/mosaics/m/builds?after=abc")
        assert (reply.status_code, reply.json()["field"]) == (400, "after")

    def test_a_mosaic_that_a_command_built_can_be_rebuilt(self, place: Place) -> None:
        from toys import Toys

        place.file("a")
        Toys(folder=place.folder).publish("m", [place.folder / "files" / "a.tif"])
        with place.served() as client:
            assert client.get("/mosaics/m").json()["revision"] == 0
            reply = client.post("/mosaics/m/builds")
            assert reply.json()["status"] == "unchanged", reply.text


class TestGranules:
    def test_added_and_removed_granules_stay_so_in_every_build(self, place: Place, client: httpx.Client) -> None:
        body = registration("m", *(place.item(name) for name in "abcdef"), assets=["dtm"])
        client.post("/mosaics", json=body)
        added = client.post("/mosaics/m/granules", json={"hrefs": [place.file("extra")]})
        assert (added.status_code, added.json()["report"]["added"]) == (201, 1), added.text
        removed = client.delete("/mosaics/m/granules/a")
        assert (removed.status_code, removed.json()["report"]["removed"]) == (200, 1)
        expected = {"b", "c", "d", "e", "f", "extra"}
        assert ids(client, "m") == expected
        assert client.post("/mosaics/m/builds").json()["status"] == "unchanged"
        client.put("/mosaics/m", json={key: body[key] for key in ("source", "assets", "quadkey_zoom")})
        assert ids(client, "m") == expected
        assert client.post("/mosaics/m/granules", json=place.item("a")).status_code == 201
        assert ids(client, "m") == expected | {"a"}

    def test_a_removal_that_a_person_asked_for_is_not_held(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", *(place.item(name) for name in "ab")))
        reply = client.delete("/mosaics/m/granules/a")
        assert (reply.status_code, reply.json()["status"]) == (200, "succeeded")
        assert ids(client, "m") == {"b"}

    def test_a_granule_that_the_source_has_cannot_be_added(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a"), assets=["dtm"]))
        tag = client.get("/mosaics/m").headers["etag"]
        reply = client.post("/mosaics/m/granules", json=place.item("a", seed=2))
        assert (reply.status_code, "'a'" in reply.json()["detail"]) == (409, True)
        assert client.get("/mosaics/m").headers["etag"] == tag

    def test_a_granule_that_cannot_be_used_is_refused_and_not_kept(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a"), assets=["dtm"]))
        missing = place.file("missing")
        (place.folder / "files" / "missing.tif").unlink()
        reply = client.post("/mosaics/m/granules", json={"hrefs": [missing, place.file("b")]})
        assert (reply.status_code, reply.json()["field"]) == (400, "hrefs"), reply.text
        assert reply.json()["detail"].startswith("missing was not added: ")
        assert ids(client, "m") == {"a", "b"}
        included = client.get("/mosaics/m").json()["registration"]["includes"]["features"]
        assert [feature["id"] for feature in included] == ["b"]
        assert client.post("/mosaics/m/granules", json={"hrefs": [place.file("b")]}).status_code == 201

    def test_granules_of_a_document_can_be_edited_too(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", *(place.item(name) for name in "abcdef"), assets=["dtm"]))
        document = client.get("/mosaics/m/mosaic.json").json()
        assert client.post("/mosaics?name=doc", json=document).status_code == 201
        first = sorted(ids(client, "doc"))[0]
        assert client.delete(f"/mosaics/doc/granules/{first}").status_code == 200
        assert client.post("/mosaics/doc/granules", json={"hrefs": [place.file("extra")]}).status_code == 201
        assert ids(client, "doc") >= {"extra"}
        assert first not in ids(client, "doc")

    @pytest.mark.parametrize("body", [{}, {"hrefs": []}, {"type": "Feature"}, {"features": [{"id": "x"}]}])
    def test_a_body_without_a_file_is_refused(self, place: Place, client: httpx.Client, body: dict[str, Any]) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        assert client.post("/mosaics/m/granules", json=body).status_code == 400

    def test_a_granule_that_is_not_there_cannot_be_removed(self, place: Place, client: httpx.Client) -> None:
        client.post("/mosaics", json=registration("m", place.item("a")))
        assert client.delete("/mosaics/m/granules/nobody").status_code == 404


class TestCompatibility:
    def unlike(self, place: Place) -> list[dict[str, Any]]:
        odd = place.item("odd")
        place.file("odd_dtm", dtype="uint8", bands=3)
        return [place.item("a"), place.item("b"), odd]

    def test_skip_leaves_out_what_is_unlike_most(self, place: Place, client: httpx.Client) -> None:
        reply = client.post("/mosaics", json=registration("m", *self.unlike(place)))
        assert ids(client, "m") == {"a", "b"}
        skipped = reply.json()["last_build"]["report"]["skipped"]
        assert skipped == [
            {"granule": "odd", "reason": "asset 'dtm' has 3 bands of uint8, and most have 1 band of float32"}
        ]

    def test_refuse_fails_the_build(self, place: Place, client: httpx.Client) -> None:
        reply = client.post("/mosaics", json=registration("m", *self.unlike(place), compatibility="refuse"))
        assert (reply.status_code, reply.json()["field"]) == (400, "compatibility")

    def test_group_gives_them_an_asset_of_their_own(self, place: Place, client: httpx.Client) -> None:
        reply = client.post("/mosaics", json=registration("m", *self.unlike(place), compatibility="group"))
        assert [asset["key"] for asset in reply.json()["assets"]] == ["dtm", "dtm-uint8x3"], reply.text
        for key in ("dtm", "dtm-uint8x3"):
            tile = client.get(url("m") + f"?assets={key}")
            assert (tile.status_code, "x-assets-skipped" in tile.headers) == (200, False)


class TestSchedules:
    def test_the_next_run_is_told(self, place: Place, client: httpx.Client) -> None:
        schedule = {"expression": "cron(0 10 ? * MON-FRI *)", "timezone": "Europe/Berlin"}
        mosaic = client.post("/mosaics", json=registration("m", place.item("a"), schedule=schedule)).json()
        assert mosaic["schedule"]["timezone"] == "Europe/Berlin"
        assert mosaic["schedule"]["next_run"].endswith("+00:00")
        gone = client.patch("/mosaics/m", json={"schedule": None}).json()
        assert (gone["schedule"], gone["version"]) == (None, 1)
