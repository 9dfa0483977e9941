"""The allow-list: where sources may live, and which addresses are of the open internet."""

import pytest

from quadmosaic.domain.access import public_href
from quadmosaic.domain.allowlist import is_public, parse_allow_list
from quadmosaic.domain.errors import Invalid

ALLOWED = parse_allow_list(
    [
        "s3://astrogeo-ard",
        "s3://shared/mars",
        "stac.example.com",
        "dev.example.com:8080",
        "any.example.com:*",
        "*.tiles.example.com",
        "[2001:db8::1]:80",
        "file:///data/cogs",
    ]
)


@pytest.mark.parametrize(
    "href",
    [
        "s3://astrogeo-ard/mars/a.tif",
        "https://astrogeo-ard.s3.amazonaws.com/a.tif",
        "https://astrogeo-ard.s3.us-west-2.amazonaws.com/a.tif",
        "https://astrogeo-ard.s3-us-west-2.amazonaws.com/a.tif?X-Amz-Signature=1",
        "s3://shared/mars/a.tif",
        "https://stac.example.com/api",
        "HTTPS://STAC.example.com:443/api",
        "http://stac.example.com./api",
        "http://dev.example.com:8080/",
        "http://any.example.com:999/",
        "https://a.b.tiles.example.com/",
        "http://[2001:db8::1]/",
        "file:///data/cogs/a.tif",
        "/data/cogs/a.tif",
    ],
)
def test_allowed(href: str) -> None:
    assert ALLOWED.refusal(href) is None


@pytest.mark.parametrize(
    "href",
    [
        "s3://astrogeo-ard-2/a.tif",
        "s3://other/a.tif",
        "s3://shared/moon/a.tif",
        "s3://shared/mars/../moon/a.tif",
        "https://evil.s3.amazonaws.com/a.tif",
        "https://astrogeo-ard.s3.amazonaws.com.evil.com/a.tif",
        "https://astrogeo-ard.s3.amazonaws.com:8443/a.tif",
        "https://evil.com/?stac.example.com",
        "https://stac.example.com@evil.com/",
        "https://user:secret@stac.example.com/",
        "https://stac.example.com\\@evil.com/",
        "https://stac.example.com:8080/",
        "https://stac.example.com.evil.com/",
        "https://evilstac.example.com/",
        "https://tiles.example.com/",
        "http://dev.example.com/",
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "file:///data/cogs/../../etc/passwd",
        "file://evil.com/data/cogs/a.tif",
        "/etc/passwd",
        "a.tif",
        "../a.tif",
        "/vsicurl/https://evil.com/a.tif",
        "ftp://stac.example.com/a.tif",
        "gopher://stac.example.com/",
        "data:image/tiff;base64,AAAA",
        "https://stac.example.com:99999/",
        "https://[::1/",
        "https://",
        " https://stac.example.com/",
        "",
    ],
)
def test_refused_with_a_reason(href: str) -> None:
    assert ALLOWED.refusal(href)


@pytest.mark.parametrize("entry", ["http://stac.example.com", "s3://", "file://data", "a b", "host/path", ""])
def test_an_entry_that_means_nothing_is_refused(entry: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_allow_list([entry])
    assert raised.value.field == "ALLOWED_HOSTS"


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "ff02::1",
    ],
)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("href", "public"),
    [
        ("https://h/a.tif", "https://h/a.tif"),
        ("https://h/a.tif?X-Amz-Signature=abc&X-Amz-Date=1&v=2", "https://h/a.tif"),
        ("https://h/a.tif?x-api-key=abc&client_secret=abc", "https://h/a.tif"),
        ("https://h/a.tif#token=abc", "https://h/a.tif"),
        ("see https://h/a b?key=abc", "see https://h/a b"),
        ("https://[h/a.tif?token=abc", "https://[h/a.tif"),
        ("https://h/@2x/a.tif", "https://h/@2x/a.tif"),
        ("/data/a?b.tif", "/data/a?b.tif"),
        ("s3://b/a#1.tif", "s3://b/a#1.tif"),
        ("https://h/a.tif?sv=1&sig=abc&se=2", "https://h/a.tif"),
        ("https://h/a.tif?token=abc", "https://h/a.tif"),
        ("https://user:secret@h/a.tif", "https://h/a.tif"),
        ("s3://b/a.tif", "s3://b/a.tif"),
    ],
)
def test_what_replies_and_logs_show_of_an_href(href: str, public: str) -> None:
    assert public_href(href) == public
