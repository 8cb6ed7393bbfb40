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

from support.exposition import total
from support.processes import PATIENCE, PROGRAMS, environment, eventually, fleet, value
from support.store import StoreAddress

UVICORN = ("uvicorn", "--app-dir", str(PROGRAMS), "--log-level", "warning", "--uds")
GUNICORN = ("gunicorn", "--chdir", str(PROGRAMS), "--log-level", "warning", "--no-control-socket", "--workers", "4")
ASGI = ("--worker-class", "asgi")
SERVERS: dict[str, tuple[str, ...]] = {
    "uvicorn": (*UVICORN, "SOCKET", "web:app"),
    "uvicorn, instrumented": (*UVICORN, "SOCKET", "web:instrumented"),
    "uvicorn, 4 workers": (*UVICORN, "SOCKET", "--workers", "4", "web:app"),
    "uvicorn, 4 workers, instrumented": (*UVICORN, "SOCKET", "--workers", "4", "web:instrumented"),
    "gunicorn": (*GUNICORN, "--bind", "unix:SOCKET", "wsgi:app"),
    "gunicorn, preloaded": (*GUNICORN, "--preload", "--bind", "unix:SOCKET", "wsgi:app"),
    "gunicorn, ASGI": (*GUNICORN, *ASGI, "--bind", "unix:SOCKET", "web:app"),
    "gunicorn, ASGI, preloaded": (*GUNICORN, *ASGI, "--preload", "--bind", "unix:SOCKET", "web:instrumented"),
}
QUICK, SLOW = 40, 12
WAIT = 0.6
"""Seconds that a slow request is asked to take: half of them are enough for the first ones to be under way."""


@contextmanager
def serving(command: tuple[str, ...], path: Path, store: StoreAddress) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers on a unix socket; all of its processes are gone at the end."""
    words = [word.replace("SOCKET", str(path)) for word in command]
    with subprocess.Popen([sys.executable, "-m", *words], env=environment(store)) as process:
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
    with serving(SERVERS[name], path, store) as process, ThreadPoolExecutor(SLOW) as threads:
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
    if "instrumented" in SERVERS[name][-1]:
        assert total(samples, "http_requests_total", endpoint="/work", status="200") == answered
