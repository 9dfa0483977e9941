"""The documentation is true: commands, options, settings and names exist, links lead somewhere, sums are right."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer

from quadmosaic.api.timing import server_timing
from quadmosaic.cli import app
from quadmosaic.config import Settings
from quadmosaic.domain.costs import estimate, next_million
from quadmosaic.domain.prices import own_prices
from quadmosaic.domain.trace import Step, Tally, Trace
from quadmosaic.domain.usage import Drawing, Holdings, Traffic, Usage, Watching

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "infrastructure" / "README.md"],
    key=lambda page: page.relative_to(ROOT).as_posix(),
)
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
PLACES = list(zip(PAGES, NAMES, strict=True))
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SPOKEN = re.compile(r"(?<![\w/.-])(?:/\S+/bin/)?quadmosaic ((?!serves|cost:|COMMAND)[a-z][^|>;`#)]*)")
CELL = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)


def commands() -> dict[tuple[str, ...], Any]:
    """Every command by the words that call it."""

    def below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        inner_commands = getattr(command, "commands", None)
        if inner_commands is not None:
            for name, inner in inner_commands.items():
                yield from below(inner, (*path, name))
        else:
            yield path, command

    return dict(below(typer.main.get_command(app), ()))


COMMANDS = commands()


def options_of(command: Any) -> set[str]:
    return {"--help"} | {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }


def code_of(text: str) -> Iterator[str]:
    """Lines of shell, continuations joined, and what is set as code between words."""
    for language, block in FENCE.findall(text):
        if language in ("sh", "", "ini"):
            yield from re.sub(r"\\\n\s*", " ", block).splitlines()
    yield from CODE.findall(FENCE.sub("", text))


def spoken() -> Iterator[tuple[str, str]]:
    """Each call of the command in any page: where, and its words."""
    for page, name in PLACES:
        for line in code_of(page.read_text()):
            for words in SPOKEN.findall(line):
                yield name, words.strip()


CALLS = sorted(set(spoken()))


def test_there_are_calls_to_check() -> None:
    assert len(CALLS) > 30


@pytest.mark.parametrize(("page", "words"), CALLS)
def test_every_command_and_option_that_is_named_exists(page: str, words: str) -> None:
    try:
        parts = shlex.split(words)
    except ValueError:
        parts = words.split()
    path = next((path for path in (tuple(parts[:2]), tuple(parts[:1])) if path in COMMANDS), None)
    assert path is not None, f"{page}: there is no command {words!r}"
    named = {part.partition("=")[0] for part in parts if re.match(r"--?[a-z]", part)}
    assert named <= options_of(COMMANDS[path]), f"{page}: {words!r}"


def test_every_command_is_in_the_reference_with_what_it_says_of_itself() -> None:
    rows = re.findall(r"^\| `quadmosaic ([a-z -]+)` \| (.*?) \|$", (DOCS / "reference/commands.md").read_text(), re.M)
    told = {" ".join(path): (command.help or "").split("\n\n")[0] for path, command in COMMANDS.items()}
    assert dict(rows) == {words: " ".join(text.split()) for words, text in told.items()}


def test_options_in_the_page_on_costs_are_those_of_the_command() -> None:
    named = {
        found for code in CODE.findall((DOCS / "costs.md").read_text()) for found in re.findall(r"--[a-z-]+", code)
    }
    assert named - {"--files"} <= options_of(COMMANDS["cost",])


def settings() -> set[str]:
    """Names that the environment may say to this product."""
    of_commands = {
        parameter.envvar
        for command in COMMANDS.values()
        for parameter in command.params
        if isinstance(parameter.envvar, str)
    }
    return {f"QUADMOSAIC_{name.upper()}" for name in Settings.model_fields} | of_commands


@pytest.mark.parametrize(("page", "name"), PLACES, ids=NAMES)
def test_every_variable_that_is_named_is_a_setting(page: Path, name: str) -> None:
    options = pytest.importorskip("infrastructure.options")
    of_deployments = {f"QUADMOSAIC_DEPLOY_{option.name.upper()}" for option in fields(options.Options)}
    named = set(re.findall(r"QUADMOSAIC_[A-Z_]*[A-Z]", page.read_text()))
    assert named <= settings() | of_deployments | {"QUADMOSAIC_DEPLOY"}, name


@pytest.mark.parametrize(("page", "name"), PLACES, ids=NAMES)
def test_every_option_of_a_deployment_that_is_named_exists(page: Path, name: str) -> None:
    options = pytest.importorskip("infrastructure.options")
    named = {
        found for line in code_of(page.read_text()) for found in re.findall(r"(?:^|\s)-c ([a-z_]+)=", line)
    }  # fmt: skip
    assert named - {"name"} <= {option.name for option in fields(options.Options)}, name


@pytest.mark.parametrize(("page", "name"), PLACES, ids=NAMES)
def test_links_within_the_documentation_lead_somewhere(page: Path, name: str) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" in target:
            continue
        path, _, anchor = unquote(target).partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{name}: {target}"
        if anchor:
            assert anchor in anchors(found), f"{name}: {target}"


def anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings."""
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_page_is_in_the_list_of_pages() -> None:
    listed = {(DOCS / target.partition("#")[0]).resolve() for target in LINK.findall((DOCS / "README.md").read_text())}
    pages = {page for page in DOCS.rglob("*.md") if page.parent.name != "adr" and page != DOCS / "README.md"}
    assert pages <= listed


def test_the_names_of_server_timing_are_those_of_the_header() -> None:
    text = (DOCS / "reference/http.md").read_text()
    section = text.split("## Server-Timing")[1].split("\n## ")[0]
    counts = {field.name: 1 for field in fields(Tally) if field.name != "fallbacks"}
    tally = Tally(**counts, fallbacks=Counter(odd=1))
    header = server_timing(Trace(seconds=dict.fromkeys(Step, 0.001), tally=tally))
    assert CELL.findall(section) == re.findall(r"(\w+);", header)


def test_dollars_in_the_page_on_costs_are_what_the_command_says() -> None:
    prices, usage = own_prices(), Usage()
    found = estimate(usage, prices)
    lines = {line.what: line.dollars for line in found.monthly}
    watching = sum(lines[what] for what in ("alarms", "metrics", "dashboards", "secrets"))
    drawing = sum(line.dollars for line in found.monthly if line.group == "drawing") - lines["its snapshots, kept"]
    small = Usage(traffic=Traffic(reply_kb=10))
    bare = Usage(traffic=Traffic(cdn=False))
    expected = {
        f"{dollars:.2f}"
        for dollars in (
            lines["its snapshots, kept"],
            lines["data out of the CDN"],
            lines["requests to the CDN"],
            lines["queue"],
            lines["traces"],
            watching,
            drawing,
            next_million(usage, prices),
            next_million(small, prices),
            next_million(bare, prices),
            estimate(usage, prices, free_tier=True).total,
        )
    }
    text = (DOCS / "costs.md").read_text()
    told = set(re.findall(r"(?:\$|\| )(\d+\.\d\d)\b", text))
    assert told == expected
    assert f"about ${found.total:.0f}" in text
    assert f"saves ${found.total - estimate(Usage(drawing=Drawing(snapstart=False)), prices).total:.0f} " in text


def test_defaults_in_the_page_on_costs_are_those_of_the_command() -> None:
    rows = re.findall(r"^\| (`--.*?) \| (.*?) \| ", (DOCS / "costs.md").read_text(), re.MULTILINE)
    parameters = {option: parameter for parameter in COMMANDS["cost",].params for option in parameter.opts}
    checked = 0
    for named, told in rows:
        for option, value in zip(re.findall(r"--[a-z-]+", named), told.split(", "), strict=True):
            default = parameters[option].default
            if default is None:
                assert value == f"{Holdings(granules=1).cells_each:g} a granule"
            else:
                assert float(value) == default, option
            checked += 1
    assert checked >= len(fields(Watching))
