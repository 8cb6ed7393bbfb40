"""Servers of web applications: every request that was answered is counted once, through their restarts and ends."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from support.examples import EXAMPLES, unaware
from support.exposition import total
from support.processes import LAUNCHER, PATIENCE, PROGRAMS, environment, eventually, fleet, value
from support.store import StoreAddress

UVICORN = ("uvicorn", "--log-level", "warning", "--uds", "SOCKET")
GUNICORN = ("gunicorn", "--log-level", "warning", "--no-control-socket", "--workers", "2", "--bind", "unix:SOCKET")
GEVENT = ("--worker-class", "gevent")
BARE = ("--app-dir", str(PROGRAMS), "web:app")
SERVERS: dict[str, tuple[str, ...]] = {
    "uvicorn": (*UVICORN, "asgi_app:app"),
    "uvicorn, bare": (*UVICORN, *BARE),
    "uvicorn, 2 workers": (*UVICORN, "--workers", "2", "asgi_app:app"),
    "uvicorn, 4 workers, bare": (*UVICORN, "--workers", "4", *BARE),
    "gunicorn": (*GUNICORN, "wsgi_app:app"),
    "gunicorn, preloaded": (*GUNICORN, "--preload", "wsgi_app:app"),
    "gunicorn, gevent": (*GUNICORN, *GEVENT, "wsgi_app:app"),
    "gunicorn, gevent, preloaded": (*GUNICORN, *GEVENT, "--preload", "wsgi_app:app"),
    "gunicorn, ASGI": (*GUNICORN, "--worker-class", "asgi", "asgi_app:app"),
    "gunicorn, ASGI, preloaded, bare": (
        *GUNICORN, "--worker-class", "asgi", "--preload", "--chdir", str(PROGRAMS), "web:app"
    ),
    "gunicorn, uvicorn": (*GUNICORN, "--worker-class", "uvicorn.workers.UvicornWorker", "asgi_app:app"),
    "uvicorn, 2 workers, launched": (*UVICORN, "--workers", "2", "asgi_app:app"),
    "gunicorn, preloaded, launched": (*GUNICORN, "--preload", "wsgi_app:app"),
    "gunicorn, gevent, preloaded, launched": (*GUNICORN, *GEVENT, "--preload", "wsgi_app:app"),
}  # fmt: skip
"""How each server is started. `fleetmeter run` launches an application whose lines of fleetmeter's are taken out."""
QUICK, SLOW = 40, 12
WAIT = 0.6
"""Seconds that a slow request is asked to take: half of them are enough for the first ones to be under way."""


@contextmanager
def serving(name: str, path: Path, store: StoreAddress) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers on a unix socket; all of its processes are gone at the end."""
    words = [word.replace("SOCKET", str(path)) for word in SERVERS[name]]
    if "launched" in name:
        console_script = str(Path(sys.executable).with_name(words[0]))
        command = [*LAUNCHER, console_script, *words[1:]]
        folder = unaware(f"{words[-1].partition(':')[0]}.py", path.parent).parent
    else:
        command = [sys.executable, "-m", *words]
        folder = EXAMPLES
    with subprocess.Popen(command, cwd=folder, env=environment(store)) as process:
        try:
            assert eventually(lambda: process.poll() is None and answer(path, "/") == 404)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def answer(path: Path, target: str) -> int | None:
    """The status of the answer on a connection of its own, so that all workers get some; None where there was none."""
    connection = HTTPConnection("server")
    with socket.socket(socket.AF_UNIX) as connection.sock:
        try:
            connection.sock.settimeout(PATIENCE)
            connection.sock.connect(str(path))
            connection.request("GET", target, headers={"Connection": "close"})
            response = connection.getresponse()
            response.read()
        except (OSError, HTTPException):
            return None
        return response.status


@pytest.mark.parametrize("name", SERVERS)
def test_every_answered_request_is_counted_once(name: str, store: StoreAddress, tmp_path: Path) -> None:
    """In normal work after a flush interval, and to the last one when SIGTERM finds slow requests under way."""
    path = tmp_path / "s"
    with serving(name, path, store) as process, ThreadPoolExecutor(SLOW) as threads:
        assert list(threads.map(lambda _: answer(path, "/work"), range(QUICK))) == [200] * QUICK
        assert eventually(lambda: total(fleet(store), "requests_total") == QUICK)

        slow = [threads.submit(answer, path, f"/work?wait={WAIT}") for _ in range(SLOW)]
        time.sleep(WAIT / 2)
        process.terminate()
        process.wait(PATIENCE)
        answered = QUICK + [request.result() for request in slow].count(200)

    assert answered > QUICK
    samples = fleet(store)
    assert value(samples, "requests_total") == answered
    assert value(samples, "request_seconds_count") == answered
    # what they were asked to take, 0 or WAIT, and not what this machine made of it
    assert value(samples, "request_seconds_bucket", le="0.1") == QUICK
    if SERVERS[name][-1] == "asgi_app:app" and "launched" not in name:
        assert total(samples, "http_requests_total", endpoint="/work", status="200") == answered
