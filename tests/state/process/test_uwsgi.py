"""A server that forks in C, behind an application that it has imported: workers notice that they are others."""

import signal
import sys
from pathlib import Path

import pytest

from support.load import Service, service
from support.processes import PATIENCE, PROGRAMS, eventually, fleet, value
from support.store import StoreAddress

UWSGI = (
    str(Path(sys.executable).with_name("pyuwsgi")), "--http-socket", "127.0.0.1:PORT", "--wsgi-file",
    str(PROGRAMS / "wsgi.py"), "--processes", "3", "--master", "--disable-logging",
)  # fmt: skip
REQUESTS = 60


def end(server: Service) -> None:
    """Have the workers end while they are idle."""
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
    with service([*UWSGI, *options], store, tmp_path, variables=variables) as server:
        assert server.ask(REQUESTS) == REQUESTS
        end(server)
        assert server.written == REQUESTS
    samples = fleet(store)
    assert value(samples, "answered_total") == REQUESTS
    assert value(samples, "imported_total") == bool(variables)


def test_a_hook_of_the_application_runs_as_well(store: StoreAddress, tmp_path: Path) -> None:
    """There is room for one `post_fork_hook`; one that is set after `install()` does not take our place."""
    called = tmp_path / "called"
    variables = {"COUNT_IMPORT": "both", "OWN_HOOK": str(called)}
    with service([*UWSGI, "--enable-threads"], store, tmp_path, variables=variables) as server:
        assert server.ask(REQUESTS) == REQUESTS
        assert eventually(called.exists)
        end(server)
    assert value(fleet(store), "answered_total") == REQUESTS
