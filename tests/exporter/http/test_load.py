"""The exporter as a program under clients that mean it badly: nothing changes for a scrape."""

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest

from fleetmeter.schema.definition import Definition
from support.exposition import parse
from support.gateway import Program, Programs, eventually
from support.proxy import Fault, FaultProxy
from support.scraping import FixedState
from support.store import StoreAddress
from support.web import PATIENCE, connect, get, read_all

SERIES, LABEL = 2_000, "x" * 1_000
"""Their text, 2 MB, is more than loopback keeps for a reader with a small buffer."""
IDLE, HALF, SLOW = 200, 50, 50


@pytest.fixture
def big(store: StoreAddress) -> Iterator[Program]:
    """An exporter with much to tell."""
    with FixedState(store) as fixed, Programs() as programs:
        numbers: dict[tuple[str, ...], object] = {(f"{LABEL}{n}",): n for n in range(SERIES)}
        fixed.family(Definition.of("requests", "counter", "Requests.", "", ["who"], [], ""), numbers)
        program = programs.exporter(store)
        program.get("/metrics")  # past its first seconds
        yield program


def place(program: Program) -> tuple[str, int]:
    """Where it listens."""
    return "127.0.0.1", int(program.address().rpartition(":")[2])


def crowd(address: tuple[str, int], stack: ExitStack) -> list[socket.socket]:
    """Readers that take no more than the first line, idle connections, and half headers; the readers."""
    slow = [stack.enter_context(connect(address, 4096)) for _ in range(SLOW)]
    for client in slow:
        client.sendall(get("/metrics"))
    for client in slow:
        assert client.recv(15) == b"HTTP/1.1 200 OK"
    for _ in range(IDLE):
        stack.enter_context(connect(address))
    for _ in range(HALF):
        stack.enter_context(connect(address)).sendall(b"GET /metrics HTTP/1.1\r\nHost: te")
    return slow


def refuses(address: tuple[str, int]) -> bool:
    """Whether nobody listens there any more."""
    try:
        connect(address).close()
    except ConnectionError:
        return True
    return False


def test_a_crowd_changes_nothing_for_a_scrape(big: Program) -> None:
    """200 idle connections, 50 half-sent headers and 50 slow readers: each scrape is whole, gzip or not, and right."""
    with ExitStack() as stack:
        crowd(place(big), stack)
        for coding in ("identity", "gzip"):
            headers = {"accept-encoding": coding}
            response = httpx.get(big.address() + "/metrics", headers=headers, timeout=PATIENCE).raise_for_status()
            samples = parse(response.text)
            found = {labels: value for (name, labels), value in samples.items() if name == "requests_total"}
            assert len(found) == SERIES
            assert sum(found.values()) == sum(range(SERIES))
            assert samples["fleetmeter_up", frozenset()] == 1
        assert big.process.poll() is None
    assert "Traceback" not in big.output()


def test_an_end_under_a_crowd(big: Program) -> None:
    """Idle connections and half headers do not hold up the end; a second signal does not wait for slow readers."""
    with ExitStack() as stack:
        slow = crowd(place(big), stack)
        big.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: refuses(place(big)))
        big.process.send_signal(signal.SIGTERM)
        assert big.process.wait(PATIENCE) == 0
        assert len(read_all(slow[0])) < 1_000_000
    assert "Traceback" not in big.output()


def test_the_end_lets_a_slow_scrape_finish(store: StoreAddress) -> None:
    """A scrape that waits for a slow store when SIGTERM comes is answered in full, and the exit status is 0."""
    with (
        FixedState(store) as fixed,
        FaultProxy(store.url) as proxy,
        Programs() as programs,
        ThreadPoolExecutor() as pool,
    ):
        fixed.family(Definition.of("requests", "counter", "Requests.", "", [], [], ""), {(): 7})
        slow = replace(store, url=proxy.url("socket_timeout=10"))
        program = programs.exporter(slow)
        program.get("/metrics")  # past its first seconds
        proxy.arm(Fault.DELAY_REPLY, b"EXEC", 2.0)
        scrape = pool.submit(program.get, "/metrics")
        assert eventually(lambda: bool(proxy.fired))
        program.process.send_signal(signal.SIGTERM)
        response = scrape.result(PATIENCE)
        assert response.status_code == 200
        assert "requests_total 7\n" in response.text
        assert response.headers["connection"] == "close"
        assert program.process.wait(PATIENCE) == 0
