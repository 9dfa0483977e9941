"""Lambda's runtime API on this machine, and a function's process on it that has its bundle and Lambda's runtime client.

The process is a plain Python: neither this project's environment nor its checkout is on its path.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from shutil import copyfile, which
from types import TracebackType
from typing import Any, Self

BASE = "/2018-06-01/runtime"
CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
START = "import sys; sys.path += sys.argv.pop(1).split(':'); from awslambdaric.__main__ import main; main(sys.argv)"
INIT_S, CALL_S = 60.0, 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a function gave back; `failed` where it raised, and `seconds` from the event to the answer."""

    value: Any
    failed: bool
    seconds: float


@dataclass(kw_only=True)
class RuntimeApi:
    """What the runtime client calls: the next event, its result, and the restoring of a snapshot."""

    events: "queue.Queue[tuple[str, bytes, int]]" = field(default_factory=queue.Queue)
    answers: "queue.Queue[tuple[bool, bytes]]" = field(default_factory=queue.Queue)
    initialised: threading.Event = field(default_factory=threading.Event)
    snapshot_taken: threading.Event = field(default_factory=threading.Event)
    restored: threading.Event = field(default_factory=threading.Event)

    def serve(self) -> ThreadingHTTPServer:
        """A server on a free port of this machine."""
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self) -> None:
                if self.path == f"{BASE}/restore/next":
                    api.snapshot_taken.set()
                    api.restored.wait()
                    return self._reply(200, b"")
                api.initialised.set()
                request_id, event, deadline_ms = api.events.get()
                headers = {
                    "Lambda-Runtime-Aws-Request-Id": request_id,
                    "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-west-2:123456789012:function:test",
                    "Content-Type": "application/json",
                }
                return self._reply(200, event, headers)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = self._chunks()
                self._reply(202, b"")
                api.answers.put((not self.path.endswith("/response"), body))

            def _chunks(self) -> bytes:
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def _reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


class Function:
    """A function's process, from its start to its end; `bundle` is an unpacked zip."""

    def __init__(
        self, handler: str, bundle: Path, *, client: Path, environment: Mapping[str, str], log: Path, snapstart: bool
    ) -> None:
        self._api = RuntimeApi()
        self._server = self._api.serve()
        self.log = log
        started = time.perf_counter()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [python(), "-I", "-S", "-B", "-c", START, f"{bundle}:{client}", handler],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=bundle,
                env={
                    "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
                    "AWS_LAMBDA_LOG_FORMAT": "JSON",
                    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
                    "AWS_LAMBDA_FUNCTION_NAME": "test",
                    "LAMBDA_TASK_ROOT": str(bundle),
                    "LD_LIBRARY_PATH": str(bundle / "lib"),
                    "PATH": os.defpath,
                    "TZ": ":UTC",
                    **({"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"} if snapstart else {}),
                    **environment,
                },
            )
        self._await(self._api.snapshot_taken if snapstart else self._api.initialised)
        self.init_s = time.perf_counter() - started
        self.restore_s = 0.0

    def restore(self) -> None:
        """Wake the function from its snapshot."""
        started = time.perf_counter()
        self._api.restored.set()
        self._await(self._api.initialised)
        self.restore_s = time.perf_counter() - started

    def call(self, event: Any, *, within_s: float = 29.0) -> Answer:
        """Hand over an event, and wait for what comes of it."""
        deadline_ms = int((time.time() + within_s) * 1000)
        started = time.perf_counter()
        self._api.events.put((str(uuid.uuid4()), json.dumps(event).encode(), deadline_ms))
        failed, body = self._api.answers.get(timeout=CALL_S)
        return Answer(value=json.loads(body), failed=failed, seconds=time.perf_counter() - started)

    @property
    def peak_mb(self) -> float:
        """Resident memory at its largest."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    @property
    def mapped(self) -> set[str]:
        """Files that the process has mapped, libraries among them."""
        lines = Path(f"/proc/{self._process.pid}/maps").read_text().splitlines()
        return {line.split(maxsplit=5)[5] for line in lines if line.count("/")}

    @property
    def records(self) -> list[dict[str, Any]]:
        """The log so far."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._server.shutdown()
        self._server.server_close()

    def _await(self, moment: threading.Event) -> None:
        end = time.monotonic() + INIT_S
        while not moment.wait(0.005):
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the function did not start:\n{self.log.read_text()[-4000:]}")


def python() -> str:
    """A Python of this version that belongs to no project."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return which(f"python{version}", path=f"{sys.base_prefix}/bin") or sys.executable


def runtime_client(folder: Path) -> Path:
    """Lambda's runtime client alone, as its managed runtime has it beside the function's bundle."""
    for name in CLIENT:
        for file in distribution(name).files or ():
            source = Path(str(file.locate()))
            if ".." not in file.parts and source.is_file():
                target = folder / str(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                copyfile(source, target)
    return folder
