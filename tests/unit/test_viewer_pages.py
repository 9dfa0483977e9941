"""The viewer's pages: what they embed stays data, and they load nothing that was not named."""

import json
from html.parser import HTMLParser

import pytest

from quadmosaic.api.viewer_assets import ASSETS, check_vendor, vendor_file, viewer_scripts
from quadmosaic.api.viewer_pages import render_index, render_map
from quadmosaic.domain.errors import Invalid, NotFound

HOSTILE = "</script><script>alert('x')</script> \"quoted\" & 'single'"
ROOT = "https://tiles.example/stage"


class Page(HTMLParser):
    """Tags with their attributes, and the text of each script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.lasttag == "script":
            self.scripts[-1] += data
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def config(**changes: object) -> dict[str, object]:
    urls = {
        "index": f"{ROOT}/",
        "tiles": f"{ROOT}/mosaics/m/tiles/MarsMercatorSphere/{{z}}/{{x}}/{{y}}.png",
        "tilejson": f"{ROOT}/mosaics/m/MarsMercatorSphere/tilejson.json",
        "wmts": f"{ROOT}/mosaics/m/WMTSCapabilities.xml?tms=MarsMercatorSphere&a=1",
    }
    known = {
        "title": "Jezero",
        "label": "m@3",
        "attribution": "USGS",
        "body": "Mars",
        "crs": {"id": "IAU_2015:49990"},
        "urls": urls,
    }
    return known | changes


def card(**changes: object) -> dict[str, object]:
    urls = {name: f"{ROOT}/mosaics/m/{name}" for name in ("map", "preview", "info", "tilejson", "wmts")}
    known = {
        "name": "m",
        "title": "Jezero",
        "description": None,
        "body": "Mars",
        "granules": 45_123,
        "minzoom": 5,
        "maxzoom": 12,
        "assets": ["dtm"],
        "version": 4,
        "urls": urls,
    }
    return known | changes


def policy_of(page: Page) -> dict[str, list[str]]:
    text = next(meta["content"] for meta in page.named("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    return {rule.split()[0]: rule.split()[1:] for rule in text.split(";")}


def test_the_configuration_comes_back_as_it_was_whatever_it_holds():
    given = config(title=HOSTILE, attribution=HOSTILE, label=HOSTILE, body=HOSTILE)
    page = Page(render_map(given, local_assets=True))
    embedded = [script for script in page.scripts if script.strip()]
    assert [json.loads(script) for script in embedded] == [given]
    assert "<script>alert" not in render_map(given, local_assets=True)


def test_titles_on_the_list_are_text():
    html = render_index([card(title=HOSTILE, description=HOSTILE, assets=[HOSTILE])])
    page = Page(html)
    assert page.named("script") == []
    assert page.text.count(HOSTILE) == 4, "heading, name of the link, description, asset"


@pytest.mark.parametrize("local", [True, False])
def test_every_third_party_file_is_pinned_by_its_hash(local):
    page = Page(render_map(config(), local_assets=local))
    tags = [
        (attributes.get("src") or attributes.get("href"), attributes.get("integrity")) for _, attributes in page.tags
    ]
    pinned = [(url, integrity) for url, integrity in tags if integrity]
    assert pinned == [(tag.url, tag.integrity) for tag in viewer_scripts(local=local, base_url=f"{ROOT}/")]
    others = [url for url, integrity in tags if url and not integrity]
    assert all(url.startswith(f"{ROOT}/") for url in others)


def test_local_files_come_from_the_service_and_the_policy_allows_no_other():
    page = Page(render_map(config(), local_assets=True))
    assert all(tag.url.startswith(f"{ROOT}/viewer/vendor/") for tag in viewer_scripts(local=True, base_url=f"{ROOT}/"))
    allowed = {source for sources in policy_of(page).values() for source in sources}
    assert allowed == {"'none'", "'self'", "https://tiles.example", "data:", "blob:"}


def test_the_policy_allows_the_cdn_for_code_alone():
    policy = policy_of(Page(render_map(config(), local_assets=False)))
    assert {name for name, sources in policy.items() if "https://cdn.jsdelivr.net" in sources} == {
        "script-src",
        "style-src",
    }
    assert not any("unsafe" in source for sources in policy.values() for source in sources)


def test_the_service_may_live_below_a_path_with_or_without_a_final_slash():
    for root in (ROOT, f"{ROOT}/"):
        urls = {**config()["urls"], "index": root}
        html = render_map(config(urls=urls), local_assets=True)
        assert f'src="{ROOT}/viewer/map.js"' in html


def test_the_list_shows_what_a_mosaic_is():
    page = Page(render_index([card()]))
    facts = " ".join(page.text.split())
    assert "Mars Jezero" in facts
    assert all(fact in page.text for fact in ("45\u202f123", "5–12", "dtm"))
    assert {link["href"] for link in page.named("a")} >= {f"{ROOT}/mosaics/m/map", f"{ROOT}/mosaics/m/info"}
    assert f"{ROOT}/mosaics/m/preview" in {image["src"] for image in page.named("img")}


def test_an_empty_list_says_how_to_fill_it():
    text = Page(render_index([])).text
    assert "quadmosaic demo" in text
    assert "quadmosaic register" in text


def test_a_long_list_goes_on():
    assert Page(render_index([card()])).text.count("More mosaics") == 0
    page = Page(render_index([card()], next_page="a&b"))
    assert "/?after=a%26b" in {link["href"] for link in page.named("a")}


def test_pages_ask_for_nothing_from_the_earth_or_from_font_servers():
    html = render_map(config(), local_assets=True) + render_index([card()])
    assert "4326" not in html
    assert "fonts." not in html


def test_only_pinned_files_are_served_from_the_folder(tmp_path):
    for asset in ASSETS:
        (tmp_path / asset.local_path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / asset.local_path).write_text("x")
    (tmp_path / "ol" / "package.json").write_text("{}")
    check_vendor(tmp_path)
    assert vendor_file(tmp_path, "ol/dist/ol.js") == tmp_path / "ol/dist/ol.js"
    for path in ("ol/package.json", "../secret", "ol/dist/../dist/ol.js", ""):
        with pytest.raises(NotFound):
            vendor_file(tmp_path, path)


def test_a_folder_without_the_files_is_refused_by_name(tmp_path):
    with pytest.raises(Invalid, match=r"VIEWER_ASSETS.*ol/dist/ol\.js"):
        check_vendor(tmp_path)
    with pytest.raises(NotFound):
        vendor_file(tmp_path, "ol/dist/ol.js")
