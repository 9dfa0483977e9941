"""Rebuilds of what is known: which files are asked again, which are read again, and which records are kept."""

import asyncio
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from quadmosaic import bootstrap
from quadmosaic.bootstrap import Building
from quadmosaic.domain.builds import Build, Status
from quadmosaic.domain.mosaic import MosaicRef
from quadmosaic.domain.registrations import parse_registration
from quadmosaic.services.jobs import Jobs
from quadmosaic.storage.opening import open_bucket
from range_server import RangeServer
from registries import Place, features
from toys import heights, item, write_tile

COUNT = 6


class Unsent:
    """The test calls the worker itself."""

    async def send(self, *, mosaic: str, build: str, delay_s: int = 0) -> None:
        """Nothing is sent."""


class Site:
    """A mosaic of files on a server, and how often the server was asked."""

    def __init__(self, folder: Path, server: RangeServer) -> None:
        self.folder, self.server = folder, server
        options = {"allowed_hosts": (server.url.removeprefix("http://"),), "allow_private": True}
        self.place = Place(folder=folder.parent, options=options)
        self.names = [self.file(f"g{number}", seed=number) for number in range(COUNT)]
        self.options: dict[str, Any] = {"assets": ["dtm"]}

    def file(self, name: str, *, seed: int, dtype: str = "float32") -> str:
        write_tile(self.folder / f"{name}.tif", heights(seed=seed, dtype=dtype))
        return name

    def items(self) -> list[dict[str, Any]]:
        return [item(name, {"dtm": f"{self.server.url}/{name}.tif"}) for name in self.names]

    def source(self) -> dict[str, Any]:
        return features(*self.items())

    def built(self, *, later: timedelta = timedelta(0)) -> Building:
        """A process of its own; `later` is by how much its calendar is ahead."""
        outside = bootstrap.adapters(self.place.settings)
        built = bootstrap.building(self.place.settings, outside, queue=Unsent(), wait_s=0)
        steps = replace(built.worker.steps, now=lambda: datetime.now(UTC) + later)
        return replace(built, worker=replace(built.worker, steps=steps))

    async def build(self, *, later: timedelta = timedelta(0), rescan: bool = False) -> Build:
        built = self.built(later=later)
        document = {"name": "m", "source": self.source(), "quadkey_zoom": 7, **self.options}
        registered = await built.registry.jobs.registered("m")
        recipe = parse_registration(document).recipe
        if registered is None or registered.registration.recipe != recipe:
            after = 0 if registered is None else registered.revision
            told = replace(parse_registration(document), created="2026-01-01T00:00:00+00:00")
            registered = await built.registry.jobs.register(told, after=after)
        self.server.asked.clear()
        begun = await built.rebuilds.start(registered, trigger="manual", rescan=rescan)
        await built.worker.run("m", begun.id)
        build = (await built.registry.jobs.build("m", begun.id)).build
        assert build.fault is None, build.fault
        return build

    def fetched(self) -> tuple[int, int]:
        """Ranges that were fetched, and their bytes."""
        spans = [each.span for each in self.server.asked if each.span is not None]
        return len(spans), sum(stop - start for start, stop in spans)

    def asked(self) -> dict[str, set[str]]:
        """Methods by file."""
        found: dict[str, set[str]] = {}
        for each in self.server.asked:
            found.setdefault(Path(each.key).stem, set()).add(each.method)
        return found


class SiteOfCogs(Site):
    """Its source is a plain list of files."""

    def source(self) -> dict[str, Any]:
        return {"type": "cogs", "hrefs": [f"{self.server.url}/{name}.tif" for name in self.names]}


class SiteOfUnplaced(Site):
    """Its items do not say where they lie."""

    def items(self) -> list[dict[str, Any]]:
        return [{**each, "geometry": None} for each in super().items()]


@pytest.fixture
def site(tmp_path: Path) -> Generator[Site]:
    folder = tmp_path / "files"
    folder.mkdir()
    with RangeServer(folder) as server:
        yield Site(folder, server)


@pytest.fixture(params=[SiteOfCogs, SiteOfUnplaced])
def looked_into(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Site]:
    """A mosaic whose source must be completed from its files."""
    folder = tmp_path / "files"
    folder.mkdir()
    with RangeServer(folder) as server:
        yield request.param(folder, server)


def counts(build: Build) -> tuple[Status, int, int, int]:
    """How it ended, and how many files were scanned, taken over, and changed."""
    assert build.report is not None
    return build.status, build.report.scanned, build.report.reused, build.report.changed


def told(build: Build) -> tuple[int, int]:
    """Requests and bytes of the report."""
    assert build.report is not None
    return build.report.requests, build.report.bytes


async def test_nothing_is_asked_about_what_is_known(site: Site) -> None:
    assert counts(await site.build())[:3] == ("succeeded", COUNT, 0)
    assert counts(await site.build()) == ("unchanged", 0, COUNT, 0)
    assert site.asked() == {}


async def test_only_new_files_are_read(site: Site) -> None:
    await site.build()
    site.names.append(site.file("new", seed=99))
    build = await site.build()
    assert counts(build) == ("succeeded", 1, COUNT, 0)
    assert build.report is not None
    assert build.report.added == 1
    assert site.asked()["new"] == {"GET"}
    assert "HEAD" not in set().union(*site.asked().values())


async def test_a_file_changed_in_place_is_noticed_within_the_days_of_a_recheck(site: Site) -> None:
    first = await site.build()
    site.file("g2", seed=77)
    assert counts(await site.build())[:3] == ("unchanged", 0, COUNT)
    later = await site.build(later=timedelta(days=site.place.settings.recheck_days + 1))
    assert counts(later) == ("succeeded", 1, COUNT - 1, 1)
    assert site.asked().keys() == set(site.names)
    assert later.digest != first.digest
    store = bootstrap.adapters(site.place.settings).store
    version = await store.version(MosaicRef("m"))
    (header,) = (await store.headers(version, ["g2"], "dtm")).values()
    assert header.etag == await bootstrap.adapters(site.place.settings).reader.etag(f"{site.server.url}/g2.tif")


async def test_each_day_asks_a_share_of_the_files(site: Site) -> None:
    await site.build()
    days = site.place.settings.recheck_days
    shares = []
    for day in range(1, days + 1):
        assert (await site.build(later=timedelta(days=day))).status is Status.UNCHANGED
        shares.append(set(site.asked()))
    # The builds' own records bear today's date, so each of these looks back further than the one before.
    assert all(before <= after for before, after in pairwise(shares))
    assert shares[-1] == set(site.names)
    assert len(shares[0]) < COUNT


async def test_a_rescan_asks_every_file_and_reads_the_changed_ones(site: Site) -> None:
    await site.build()
    site.file("g4", seed=78)
    assert counts(await site.build(rescan=True)) == ("succeeded", 1, COUNT - 1, 1)


async def test_a_file_that_does_not_answer_keeps_its_record(site: Site) -> None:
    first = await site.build()
    (site.folder / "g1.tif").unlink()
    again = await site.build(rescan=True)
    assert counts(again)[0] == "unchanged"
    assert again.digest == first.digest


async def test_what_the_files_took_is_told(site: Site) -> None:
    assert told(await site.build()) == site.fetched()
    assert told(await site.build(rescan=True)) == (COUNT, 0)


class TestSourcesThatAreLookedInto:
    async def test_nothing_is_asked_about_what_is_known(self, looked_into: Site) -> None:
        first = await looked_into.build()
        assert counts(first)[:3] == ("succeeded", COUNT, 0)
        assert told(first) == looked_into.fetched()
        assert counts(await looked_into.build()) == ("unchanged", 0, COUNT, 0)
        assert looked_into.asked() == {}

    async def test_only_new_files_are_read(self, looked_into: Site) -> None:
        await looked_into.build()
        looked_into.names.append(looked_into.file("new", seed=99))
        build = await looked_into.build()
        assert counts(build) == ("succeeded", 1, COUNT, 0)
        assert "new" in looked_into.asked()

    async def test_a_file_changed_in_place_is_noticed_by_a_recheck(self, looked_into: Site) -> None:
        await looked_into.build()
        looked_into.file("g2", seed=77)
        days = looked_into.place.settings.recheck_days
        later = await looked_into.build(later=timedelta(days=days + 1))
        assert counts(later) == ("succeeded", 1, COUNT - 1, 1)
        assert looked_into.asked().keys() == set(looked_into.names)


async def test_files_that_were_grouped_are_known_again(site: Site) -> None:
    site.file("g3", seed=3, dtype="uint8")
    site.options["compatibility"] = "group"
    assert counts(await site.build())[:3] == ("succeeded", COUNT, 0)
    assert counts(await site.build()) == ("unchanged", 0, COUNT, 0)
    assert site.asked() == {}
    site.file("g3", seed=4, dtype="uint8")
    assert counts(await site.build(rescan=True)) == ("succeeded", 1, COUNT - 1, 1)


@pytest.mark.parametrize("site_of", [Site, SiteOfCogs, SiteOfUnplaced])
async def test_files_that_were_skipped_are_known_again(tmp_path: Path, site_of: type[Site]) -> None:
    (tmp_path / "files").mkdir()
    with RangeServer(tmp_path / "files") as server:
        site = site_of(tmp_path / "files", server)
        site.file("g3", seed=3, dtype="uint8")
        assert counts(await site.build())[:3] == ("succeeded", COUNT, 0)
        for _ in range(2):
            assert counts(await site.build()) == ("unchanged", 0, COUNT, 0)
            assert site.asked() == {}
        site.file("g3", seed=3)
        mended = await site.build(rescan=True)
        assert counts(mended)[:3] == ("succeeded", 1, COUNT - 1)
        assert mended.report is not None
        assert mended.report.added == 1
        bucket = open_bucket(site.place.settings.store)
        assert len([entry async for entry in bucket.entries("registry/skipped")]) == 3
        await site.built().registry.delete("m", expected=None)
        assert not [entry async for entry in bucket.entries("registry/skipped")]


async def test_builds_beyond_the_last_few_are_forgotten_with_all_they_left(site: Site) -> None:
    await site.build()
    jobs = Jobs(ledger=site.built().registry.jobs.ledger, keep_builds=5)
    registered = await jobs.registered("m")
    assert registered is not None
    built = site.built()
    built = replace(built, worker=replace(built.worker, jobs=jobs, steps=replace(built.worker.steps, jobs=jobs)))
    held = Build(name="m", id="running", revision=1, trigger="manual", leased_until="2999-01-01T00:00:00+00:00")
    ids = []
    for number in range(12):
        if number == 9:
            await jobs.begin(held)
        begun = await built.rebuilds.start(registered, trigger="manual", build_id=f"b{number:02d}")
        await built.worker.run("m", begun.id)
        ids.append(begun.id)
    page = await jobs.builds("m")
    assert [build.id for build in page.items] == ["b11", "b10", "b09", "running", "b08"]
    assert page.next is None or not (await jobs.builds("m", after=page.next)).items
    paths = [entry.path async for entry in open_bucket(site.place.settings.store).entries("registry")]
    assert not [path for path in paths if "/crawl/" in path or "/scan/" in path]
    assert {path.split("/")[3] for path in paths if path.startswith("registry/build/")} == {
        "b11", "b10", "b09", "running", "b08",
    }  # fmt: skip


async def test_a_build_that_is_not_over_is_never_forgotten(site: Site) -> None:
    await site.build()
    jobs = Jobs(ledger=site.built().registry.jobs.ledger, keep_builds=2)
    await jobs.begin(Build(name="m", id="running", revision=1, trigger="manual"))
    for number in range(4):
        over = Build(name="m", id=f"b{number}", revision=1, trigger="manual", status=Status.FAILED)
        await jobs.tidy((await jobs.begin(over)).build)
    assert [build.id for build in (await jobs.builds("m")).items] == ["b3", "b2", "b1", "b0", "running"]


async def test_a_worker_that_was_killed_before_it_tidied_up_is_tidied_up_after(site: Site) -> None:
    await site.build()
    built = site.built()
    registered = await built.registry.jobs.registered("m")
    assert registered is not None
    begun = await built.rebuilds.start(registered, trigger="manual", build_id="killed")
    stopped = asyncio.Event()

    class Stopping(Jobs):
        async def tidy(self, build: Build) -> None:  # noqa: ARG002
            stopped.set()
            await asyncio.Event().wait()

    dying = replace(built.worker, jobs=Stopping(ledger=built.registry.jobs.ledger))
    run = asyncio.create_task(dying.run("m", begun.id))
    await stopped.wait()
    run.cancel()
    bucket = open_bucket(site.place.settings.store)
    assert [entry.path async for entry in bucket.entries("registry/crawl/m/killed")]
    await site.built().worker.run("m", begun.id)
    assert not [entry.path async for entry in bucket.entries("registry/crawl/m/killed")]
