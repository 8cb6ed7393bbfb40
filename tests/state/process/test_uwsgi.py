"""A server that forks in C, behind an application that it has imported: workers notice that they are others."""

import json
import signal
import socket
import sys
from pathlib import Path

import pytest

from support.load import Service, service
from support.processes import PATIENCE, PROGRAMS, eventually, fleet, value
from support.store import StoreAddress

WORKERS = 3
UWSGI = (
    str(Path(sys.executable).with_name("pyuwsgi")), "--http-socket", "127.0.0.1:PORT", "--wsgi-file",
    str(PROGRAMS / "wsgi.py"), "--processes", str(WORKERS), "--master", "--disable-logging",
    "--hook-accepting", "print:worker is ready", "--hook-master-start", "print:master is ready",
)  # fmt: skip
REQUESTS = 60


def uwsgi(folder: Path, *options: str) -> list[str]:
    """The server's command; it tells in `folder` what its workers do."""
    return [*UWSGI, "--stats", str(folder / "stats"), *options]


def idle(folder: Path) -> bool:
    """Whether no worker is in the midst of a request, as the server itself says.

    A client has its answer a moment before. A worker that is asked to end in that moment runs no exit function, and
    without threads it then loses all that it counted.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "stats"))
        told = json.loads(b"".join(iter(lambda: client.recv(65_536), b"")))
    return all(worker["status"] == "idle" for worker in told["workers"])


def end(server: Service, output: Path) -> None:
    """Have the workers end while they are idle, once all have started.

    uWSGI's master sends one SIGINT to each worker, and takes the signal itself late. Neither it nor a worker has a
    handler until it is ready. What comes earlier is Python's, whose handler only notes it while C code runs: nobody
    ends then, for 60 s (`--worker-reload-mercy`).
    """

    def ready() -> bool:
        lines = output.read_text().splitlines()
        return lines.count("worker is ready") >= WORKERS and "master is ready" in lines

    assert eventually(ready), output.read_text()
    assert eventually(lambda: idle(output.parent))
    server.process.send_signal(signal.SIGINT)
    server.process.wait(PATIENCE)


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (("--enable-threads",), {}),
        (("--enable-threads",), {"COUNT_IMPORT": "1"}),
        ((), {"COUNT_IMPORT": "both"}),
        (("--enable-threads", "--py-call-osafterfork"), {"COUNT_IMPORT": "both"}),
        (("--enable-threads", "--py-call-uwsgi-fork-hooks"), {"COUNT_IMPORT": "both"}),
    ],
)
def test_workers_count_whatever_the_master_recorded(
    options: tuple[str, ...], variables: dict[str, str], store: StoreAddress, tmp_path: Path
) -> None:
    """The fleet has the workers' records exactly, and what was recorded at import once; each worker is a writer."""
    with service(uwsgi(tmp_path, *options), store, tmp_path, variables=variables) as server:
        assert server.ask(REQUESTS) == REQUESTS
        end(server, tmp_path / "output")
        assert server.written == REQUESTS
    samples = fleet(store)
    assert value(samples, "answered_total") == REQUESTS
    assert value(samples, "imported_total") == bool(variables)


def test_a_hook_of_the_application_runs_as_well(store: StoreAddress, tmp_path: Path) -> None:
    """There is room for one `post_fork_hook`; one that is set after `install()` does not take our place."""
    called = tmp_path / "called"
    variables = {"COUNT_IMPORT": "both", "OWN_HOOK": str(called)}
    with service(uwsgi(tmp_path, "--enable-threads"), store, tmp_path, variables=variables) as server:
        assert server.ask(REQUESTS) == REQUESTS
        assert eventually(called.exists)
        end(server, tmp_path / "output")
    assert value(fleet(store), "answered_total") == REQUESTS


@pytest.mark.parametrize("options", [(), ("--py-call-osafterfork",)])
def test_a_worker_that_is_interrupted_while_it_starts_ends(
    options: tuple[str, ...], store: StoreAddress, tmp_path: Path
) -> None:
    """A SIGINT in the midst of our hook ends that worker, which uWSGI would let live; another takes its place."""
    variables = {"COUNT_IMPORT": "both", "INTERRUPT_ONE": str(tmp_path / "interrupted")}
    output = tmp_path / "output"
    with service(uwsgi(tmp_path, "--enable-threads", *options), store, tmp_path, variables=variables) as server:
        assert eventually(lambda: "killed by signal 2" in output.read_text()), output.read_text()
        assert server.ask(REQUESTS) == REQUESTS
        end(server, output)
    samples = fleet(store)
    assert value(samples, "answered_total") == REQUESTS
    assert value(samples, "imported_total") == 1
