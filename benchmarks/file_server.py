"""A server of byte ranges for benchmarks: nginx on a folder, with a log of what it sent, to either of two askers."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

SIDES = ("ours", "peer")

_CONF = """worker_processes 2; daemon {daemon}; pid {log}.pid; error_log {log}.errors;
events {{ worker_connections 1024; }}
http {{ log_format bytes '$uri $request_method $bytes_sent'; access_log {log} bytes; keepalive_requests 100000;
server {{ listen {port}; {places} }} }}
"""


def conf(folder: Path, log: Path, port: int, *, daemon: bool = True) -> str:
    """nginx's configuration: the folder is the bucket of each side, so that the log tells them apart."""
    places = " ".join(f"location /{side}/ {{ alias {folder.resolve()}/; }}" for side in SIDES)
    return _CONF.format(daemon="on" if daemon else "off", log=log.resolve(), port=port, places=places)


@contextmanager
def ranges(folder: Path, files: str | None) -> Iterator[str]:
    """The address of the files: `files` where such a server runs already, else a fresh nginx on this machine."""
    if files is not None:
        yield files.rstrip("/")
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "nginx.conf"
        path.write_text("user root; " + conf(folder, Path(place) / "access.log", port, daemon=False))
        process = subprocess.Popen(["nginx", "-c", path], stderr=subprocess.DEVNULL)
        try:
            base = f"http://127.0.0.1:{port}"
            if not answers(base, process):
                raise SystemExit("nginx does not start")
            yield base
        finally:
            process.terminate()
            process.wait()


def answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether something answers at a URL in the end, whatever it answers; the process may take a while to start."""
    for _ in range(300):
        try:
            httpx.get(url)
            return True
        except httpx.TransportError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    return False


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
