"""The commands at a running service: with a token, without one, and where the service is not what it should be."""

import json
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fixtures_command import Command, Ended, assert_said_in_one_line
from fixtures_server import serving
from quadmosaic import bootstrap
from quadmosaic.domain.tokens import Token
from registries import SECRET, TOKEN, Place, features, registration, tokens_setting


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path)


@pytest.fixture
def endpoint(place: Place) -> Generator[str]:
    with place.served() as client:
        yield str(client.base_url)


type At = Callable[..., Ended]


@pytest.fixture
def at(quadmosaic: Command, endpoint: str) -> At:
    """Runs a command at the service, with the token that may do everything unless another is given."""

    def run(*arguments: str | Path, token: str | None = SECRET) -> Ended:
        said = ["--endpoint", endpoint, *([] if token is None else ["--token", token])]
        return quadmosaic(*arguments, *said)

    return run


@pytest.fixture
def body(place: Place, tmp_path: Path) -> Path:
    """The body of a POST, in a file."""
    path = tmp_path / "body.json"
    path.write_text(json.dumps(registration("m", place.item("a"), place.item("b"), title="Two [tiles]")))
    return path


@pytest.fixture
def registered(at: At, body: Path) -> None:
    ended = at("register", body)
    assert ended.code == 0, ended.err
    assert ended.document["name"] == "m"


def ids(at: At, mosaic: str = "m") -> list[str]:
    ended = at("granules", "list", mosaic, token=None)
    assert ended.code == 0, ended.err
    return sorted(ended.out.splitlines())


def heads(at: At) -> list[tuple[int, bool]]:
    listed = json.loads(at("versions", "m", "--json", token=None).out)
    return [(one["version"], one["head"]) for one in listed]


@pytest.mark.usefixtures("registered")
def test_what_is_registered_is_listed_and_shown_to_anyone(at: At) -> None:
    (listed,) = json.loads(at("list", "--json", token=None).out)
    assert (listed["name"], listed["version"], listed["body"], listed["granules"]) == ("m", 1, "Mars", 2)
    table = at("list", token=None).out
    assert "Two [tiles]" in table
    shown = at("show", "m", token=None).document
    assert (shown["title"], shown["registration"]["assets"], shown["revision"]) == ("Two [tiles]", [], 1)
    assert at("show", "m@1", token=None).document["version"] == 1
    assert "Two [tiles]" in at("versions", "m", token=None).out
    assert heads(at) == [(1, True)]
    (build,) = at("builds", "m", token=None).document["builds"]
    assert (build["status"], build["trigger"]) == ("succeeded", "register")


@pytest.mark.usefixtures("registered")
def test_a_mosaic_is_built_again_and_rehearsed(at: At) -> None:
    assert at("build", "m", "--dry-run").document["report"]["added"] == 0
    assert at("build", "m", "--rescan").document["status"] == "unchanged"
    assert len(at("builds", "m").document["builds"]) == 2


@pytest.mark.usefixtures("registered")
def test_granules_come_and_go_and_an_older_version_is_served_again(at: At, place: Place, tmp_path: Path) -> None:
    (tmp_path / "more.json").write_text(json.dumps(place.item("c (new) & ü")))
    assert at("granules", "add", "m", tmp_path / "more.json").document["status"] == "succeeded"
    assert at("granules", "add", "m", place.file("d")).code == 0
    assert ids(at) == ["a", "b", "c (new) & ü", "d"]
    assert at("granules", "remove", "m", "c (new) & ü").document["status"] == "succeeded"
    assert ids(at) == ["a", "b", "d"]
    moved = at("publish", "m@1", "--json")
    assert moved.document == {"name": "m", "version": 1, "before": 4}
    assert heads(at) == [(4, False), (3, False), (2, False), (1, True)]
    assert ids(at) == ["a", "b"]


@pytest.mark.usefixtures("registered")
def test_granules_are_searched_at_a_service_and_on_a_store(
    at: At, quadmosaic: Command, body: Path, tmp_path: Path
) -> None:
    def on_store(*arguments: str | Path) -> Ended:
        return quadmosaic(*arguments, "--store", tmp_path / "own")

    assert on_store("register", body).code == 0
    search = ("--bbox", "-10,0,100,20", "--datetime", "../2030-01-01T00:00:00Z", "--filter", "id = 'a' OR id > 'x'")
    for run in (at, on_store):
        assert run("granules", "list", "m", *search).out.split() == ["a"]
        assert "filter" in run("granules", "list", "m", "--filter", "id =").err


@pytest.mark.usefixtures("registered")
def test_a_granule_is_removed_by_the_same_id_from_a_store_of_ones_own(
    quadmosaic: Command, place: Place, body: Path, tmp_path: Path
) -> None:
    own = ("--store", tmp_path / "own")
    (tmp_path / "more.json").write_text(json.dumps(place.item("c (new) & ü")))
    for command in (("register", body), ("granules", "add", "m", tmp_path / "more.json")):
        ended = quadmosaic(*command, *own)
        assert ended.code == 0, ended.err
    assert quadmosaic("granules", "remove", "m", "c (new) & ü", *own).code == 0
    assert sorted(quadmosaic("granules", "list", "m", *own).out.splitlines()) == ["a", "b"]


@pytest.mark.usefixtures("registered")
def test_a_schedule_is_set_shown_and_taken_away(at: At) -> None:
    set_ = at("schedule", "m", "cron(0 10 * * ? *)", "--timezone", "Europe/Berlin")
    assert set_.document["schedule"]["timezone"] == "Europe/Berlin"
    assert at("schedule", "m", token=None).document == set_.document
    assert at("schedule", "m", "--off").document["schedule"] is None
    assert_said_in_one_line(at("schedule", "m", "rate(1 fortnight)"), "schedule")


@pytest.mark.usefixtures("registered")
def test_a_deleted_mosaic_is_gone(at: At) -> None:
    assert at("delete", "m", "--yes").out == "m is deleted\n"
    assert json.loads(at("list", "--json").out) == []
    assert_said_in_one_line(at("show", "m"), "m", code=1)
    assert_said_in_one_line(at("delete", "m", "--yes"), "m", code=1)


def let_through(command: Callable[..., Ended], held: Ended, *more: str | Path) -> None:
    """Confirm a build that is held, as standard error says."""
    assert held.code == 1
    confirm = held.err.rpartition("quadmosaic ")[2].split()
    assert confirm == ["build", "m", "--confirm", held.document["id"]]
    assert command(*confirm, *more).document["status"] == "succeeded"


WRITES = [
    ("register", "body.json", "--name", "other"),
    ("build", "m"),
    ("build", "m", "--confirm", "x"),
    ("schedule", "m", "rate(1 day)"),
    ("granules", "add", "m", "s3://astrogeo-ard/a.tif"),
    ("granules", "remove", "m", "a"),
    ("publish", "m@1"),
    ("delete", "m", "--yes"),
]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("arguments", WRITES, ids=lambda arguments: "-".join(arguments[:2]))
def test_nothing_is_written_without_a_token_that_the_service_knows(
    at: At, tmp_path: Path, place: Place, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "body.json").write_text(json.dumps(registration("other", place.item("z"))))
    for token in (None, "qm_" + "0" * 64):
        assert_said_in_one_line(at(*arguments, token=token), "token")
    assert [one["name"] for one in json.loads(at("list", "--json").out)] == ["m"]
    assert heads(at) == [(1, True)]
    assert at("schedule", "m").document["schedule"] is None
    assert len(at("builds", "m").document["builds"]) == 1


def test_a_token_that_the_command_made_may_do_what_it_says(
    quadmosaic: Command, place: Place, body: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = quadmosaic("tokens", "ci", "--name", "m*", "--verb", "register", "--verb", "build")
    (document,) = json.loads(made.out)
    secret = made.err.split()[-1]
    assert secret not in made.out
    token = Token(id="ci", digest=document["hash"], names=("m*",), verbs=("register", "build"))
    limited = Place(folder=place.folder, options={"tokens": tokens_setting(token, TOKEN)})
    with limited.served() as client:
        monkeypatch.setenv("QUADMOSAIC_ENDPOINT", str(client.base_url))
        monkeypatch.setenv("QUADMOSAIC_TOKEN", secret)
        assert quadmosaic("register", body).code == 0
        assert quadmosaic("build", "m").document["status"] == "unchanged"
        assert_said_in_one_line(quadmosaic("delete", "m", "--yes"), "token", "'ci'", "delete")
        assert_said_in_one_line(quadmosaic("publish", "m@1"), "token", "'ci'", "publish")
        assert_said_in_one_line(quadmosaic("build", "other"), "token", "'ci'", "build")


def test_a_document_is_registered_with_what_the_options_say(at: At, place: Place, tmp_path: Path) -> None:
    document = tmp_path / "mosaic.json"
    with place.served() as client:
        client.post("/mosaics", json=registration("first", place.item("a")))
        document.write_bytes(client.get("/mosaics/first/mosaic.json").content)
    plain = at("register", document, "--name", "plain")
    assert plain.code == 0, plain.err
    assert [asset["key"] for asset in plain.document["assets"]] == ["data"]
    named = at("register", document, "--name", "named", "--title", "Named", "--asset", "dtm", "--no-scan", "-q")
    assert (named.code, named.err) == (0, "")
    assert (named.document["title"], named.document["default_asset"]) == ("Named", "dtm")
    assert named.document["registration"]["scan"] is False
    assert_said_in_one_line(at("register", document, "--title", "Nameless"), "name")


def test_the_options_change_the_body_of_a_post(at: At, body: Path) -> None:
    ended = at("register", body, "--title", "Other", "--no-scan")
    assert (ended.document["title"], ended.document["registration"]["scan"]) == ("Other", False)
    assert_said_in_one_line(at("register", body, "--asset", "dtm"), "asset")
    assert_said_in_one_line(at("register", body, "--name", "other"), "name")


def test_what_the_service_refuses_is_said_in_one_line(at: At, tmp_path: Path) -> None:
    (tmp_path / "far.json").write_text(json.dumps({"name": "far", "source": {"type": "stac", "href": "http://a.test"}}))
    assert_said_in_one_line(at("register", "far.json"), "source.href", "ALLOWED_HOSTS")
    assert_said_in_one_line(at("show", "nothing"), "nothing", code=1)
    assert_said_in_one_line(at("show", "Nothing!"), "name")
    assert_said_in_one_line(at("versions", "../m"), "name")
    assert_said_in_one_line(at("publish", "m"), "version")
    assert_said_in_one_line(at("builds", "nothing"), "nothing", code=1)


def test_a_build_that_takes_long_is_followed_and_one_that_is_held_is_let_through(
    quadmosaic: Command, place: Place, body: Path
) -> None:
    slow = Place(folder=place.folder, options={"build_wait_s": 0})
    with slow.served() as client:
        said = ("--endpoint", str(client.base_url), "--token", SECRET)
        built = quadmosaic("register", body, *said)
        assert (built.code, built.document["status"]) == (0, "succeeded"), built.err
        assert "queued" in built.err
        replaced = client.put("/mosaics/m", json={"source": features(place.item("a")), "quadkey_zoom": 7})
        assert replaced.status_code == 202
        again = quadmosaic("build", "m", *said)
        let_through(quadmosaic, again, *said)
        assert quadmosaic("granules", "list", "m", *said).out == "a\n"


def test_a_service_may_live_below_a_path(quadmosaic: Command, place: Place, body: Path) -> None:
    slow = Place(folder=place.folder, options={"build_wait_s": 0})
    app = bootstrap.http_app(slow.settings, metrics=False)
    app.root_path = "/prod"
    with serving(app) as base:
        said = ("--endpoint", f"{base}/prod/", "--token", SECRET)
        built = quadmosaic("register", body, *said)
        assert (built.code, built.document["status"]) == (0, "succeeded"), built.err
        assert quadmosaic("granules", "list", "m", *said).out == "a\nb\n"


@pytest.mark.parametrize(
    "address", ["service.test", "ftp://service.test", "http://", "http://[", "http://a:b", "http://u:p@a"]
)
def test_an_endpoint_is_an_address(quadmosaic: Command, address: str) -> None:
    ended = quadmosaic("list", "--endpoint", address)
    assert_said_in_one_line(ended, "endpoint")
    assert "u:p" not in ended.err


@pytest.mark.usefixtures("registered")
def test_a_store_that_is_named_is_not_mistaken_for_the_environments_endpoint(
    quadmosaic: Command, at: At, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMOSAIC_ENDPOINT", endpoint)
    monkeypatch.setenv("QUADMOSAIC_TOKEN", SECRET)
    assert_said_in_one_line(quadmosaic("delete", "m", "--yes", "--store", "own"), "m", code=1)
    assert json.loads(quadmosaic("list", "--json", "--store", "own").out) == []
    for both in (("--store", "own", "--endpoint", endpoint), ("--endpoint", endpoint, "--store", "own")):
        assert_said_in_one_line(quadmosaic("delete", "m", "--yes", *both), "endpoint", "--store")
    monkeypatch.setenv("QUADMOSAIC_STORE", "own")
    assert ids(at) == ["a", "b"]
    assert quadmosaic("granules", "list", "m").out.split() != []


def test_a_token_is_one_line_of_text(at: At) -> None:
    for token in ("a\nb", "ü", " "):
        assert_said_in_one_line(at("build", "m", token=token), "token")


class Stranger(ThreadingHTTPServer):
    """Answers every request alike, and notes what came."""

    daemon_threads = True

    def __init__(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status, self.content, self.headers = status, content, headers
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Stranger

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.headers.get("Authorization", "")))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.content)

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def stranger(status: int = 200, content: bytes = b"", **headers: str) -> Iterator[Stranger]:
    server = Stranger(status, content, headers)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_token_does_not_follow_a_redirect(quadmosaic: Command, status: int) -> None:
    with stranger(content=b"{}") as other, stranger(status, Location=f"{other.url}/mosaics?token=secret") as first:
        for command in (("list",), ("build", "m"), ("delete", "m", "--yes")):
            ended = quadmosaic(*command, "--endpoint", first.url, "--token", SECRET)
            assert_said_in_one_line(ended, "endpoint", other.url)
            assert "secret" not in ended.err
        assert len(first.asked) == 3
        assert other.asked == []


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"message": "hello"}'),
        (502, b"<html>bad gateway"),
        (429, b""),
        (404, b"{}"),
    ],
)
def test_what_is_no_quadmosaic_is_said_in_one_line(quadmosaic: Command, status: int, content: bytes) -> None:
    with stranger(status, content) as server:
        assert_said_in_one_line(quadmosaic("list", "--endpoint", server.url), code=1)


@pytest.mark.parametrize("status", [200, 500])
def test_a_reply_that_is_cut_short_is_said_in_one_line(quadmosaic: Command, status: int) -> None:
    with stranger(status, b'{"detail": "it', **{"Content-Length": "100"}) as server:
        assert_said_in_one_line(quadmosaic("list", "--endpoint", server.url), code=1)


def test_a_service_that_does_not_answer_is_said_in_one_line(quadmosaic: Command) -> None:
    for command in (("list",), ("show", "m"), ("build", "m")):
        assert_said_in_one_line(quadmosaic(*command, "--endpoint", "http://127.0.0.1:9"), "127.0.0.1:9", code=1)
