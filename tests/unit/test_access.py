"""One spelling per href."""

import pytest

from quadmosaic.domain.access import canonical_href

BUCKETS = {"astrogeo-ard"}


@pytest.mark.parametrize(
    "host",
    [
        "astrogeo-ard.s3-us-west-2.amazonaws.com",
        "astrogeo-ard.s3.us-west-2.amazonaws.com",
        "astrogeo-ard.s3.amazonaws.com",
        "Astrogeo-ARD.s3.us-gov-west-1.amazonaws.com",
    ],
)
def test_every_https_form_of_a_known_bucket_is_its_s3_href(host: str) -> None:
    assert canonical_href(f"https://{host}/mars/a%20b+c.tif", BUCKETS) == "s3://astrogeo-ard/mars/a b+c.tif"


@pytest.mark.parametrize(
    "href",
    [
        "https://other.s3.amazonaws.com/a.tif",
        "https://astrogeo-ard.s3.amazonaws.com.evil.example/a.tif",
        "https://astrogeo-ard.s3.evil.amazonaws.com/a.tif",
        "https://astrogeo-ard.s3.amazonaws.com/a.tif?X-Amz-Signature=1",
        "https://example.com/a%20b.tif",
        "relative/a.tif",
        "s3://astrogeo-ard/a b%20c#d?.tif",
    ],
)
def test_anything_else_stays_as_it_is(href: str) -> None:
    assert canonical_href(href, BUCKETS) == href


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("/folder/a b.tif", "file:///folder/a%20b.tif"),
        ("file:///folder/a%20b.tif", "file:///folder/a%20b.tif"),
        ("file://localhost/folder/a.tif", "file:///folder/a.tif"),
        ("S3://bucket/Key.tif", "s3://bucket/Key.tif"),
        ("HTTPS://Example.COM/Path.tif", "https://example.com/Path.tif"),
    ],
)
def test_local_paths_schemes_and_hosts_have_one_spelling(href: str, expected: str) -> None:
    assert canonical_href(href, BUCKETS) == expected
    assert canonical_href(expected, BUCKETS) == expected
