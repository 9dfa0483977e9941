"""The `quadmosaic` command, run as a shell would, for tests of what it prints, where, and how it ends."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from quadmosaic.cli import main


@dataclass(frozen=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict:
        return json.loads(self.out)


type Command = Callable[..., Ended]


@pytest.fixture
def quadmosaic(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> Command:
    """Runs the command as a shell would, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("STORE", "ENDPOINT", "TOKEN"):
        monkeypatch.delenv(f"QUADMOSAIC_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path, stdin: str | bytes = b"") -> Ended:
        content = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "argv", ["quadmosaic", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        capfdbinary.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Ended(code=code, out=out.decode(), err=err.decode())

    return run


def assert_said_in_one_line(ended: Ended, *words: str, code: int = 2) -> None:
    assert ended.code == code, ended.err
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert lines[-1].startswith("quadmosaic: ")
    assert len([line for line in lines if line.strip()]) == 1, ended.err
    assert "Traceback" not in ended.err
    assert all(word in lines[-1] for word in words), lines[-1]
