"""The viewer's pages as HTML: the map of one mosaic, and the list of all."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from quadmosaic.api.viewer_assets import CDN, viewer_scripts

if TYPE_CHECKING:
    from jinja2 import Environment


def render_map(config: Mapping[str, object], *, local_assets: bool) -> str:
    """The map page. `config` is embedded as JSON; its urls["index"] is the service's root and says where files are."""
    urls = config["urls"]
    if not isinstance(urls, Mapping):
        raise TypeError("config['urls'] is a mapping of URLs")
    base_url = f"{str(urls.get('index', '/')).rstrip('/')}/"
    return (
        _environment()
        .get_template("map.html.jinja")
        .render(
            config=config,
            base_url=base_url,
            tags=viewer_scripts(local=local_assets, base_url=base_url),
            policy=_content_policy(map(str, urls.values()), local_assets=local_assets),
        )
    )


def render_index(mosaics: Sequence[Mapping[str, object]], *, next_page: str | None = None, base_url: str = "/") -> str:
    """The list of mosaics; `next_page` is the name after which the next page begins, None on the last one."""
    previews = [str(urls["preview"]) for card in mosaics if isinstance(urls := card.get("urls"), Mapping)]
    return (
        _environment()
        .get_template("index.html.jinja")
        .render(
            mosaics=mosaics,
            base_url=base_url,
            next_url=None if next_page is None else f"{base_url}?{urlencode({'after': next_page})}",
            policy=_content_policy(previews, local_assets=True),
        )
    )


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("quadmosaic.api", "viewer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _grouped
    return environment


def _grouped(value: int) -> str:
    """12345 with a thin space, as SI writes it."""
    return f"{value:,}".replace(",", "\u202f")


def _content_policy(urls: Iterable[str], *, local_assets: bool) -> str:
    """The Content-Security-Policy: own files, the CDN where it is used, and the hosts that the page's URLs name."""
    origins = sorted({f"{parts.scheme}://{parts.netloc}" for url in urls if (parts := urlsplit(url)).netloc})
    own = " ".join(["'self'", *origins])
    code = own if local_assets else f"{own} {CDN}"
    rules = {
        "default-src": "'none'",
        "script-src": code,
        "style-src": code,
        "img-src": f"{own} data: blob:",
        "connect-src": own,
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
