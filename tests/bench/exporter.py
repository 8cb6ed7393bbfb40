"""The program `fleetmeter-exporter` in a process of its own, asked through a plain socket."""

import gzip
import os
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

from bench.processes import megabytes
from support.gateway import Programs
from support.store import StoreAddress

TEXT = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
_BUFFER = 1 << 20
_PATIENCE = 600.0


@dataclass(frozen=True)
class Answer:
    """One answer: seconds from the connection to its last byte, processor seconds of the exporter, what came."""

    seconds: float
    processor: float
    status: int
    body: bytes
    coded: bool

    @property
    def text(self) -> bytes:
        """The exposition, decoded."""
        return gzip.decompress(self.body) if self.coded else self.body


class Exporter:
    """The exporter of a namespace. Use it as a context manager."""

    def __init__(self, address: StoreAddress) -> None:
        self._address = address

    def first(self) -> Answer:
        """The first scrape that is answered with numbers; it waits until an exporter that just started gives them."""
        while (answer := self.scrape()).status == 503:
            time.sleep(0.2)
        return answer

    def scrape(self, accept: str = TEXT, coding: str = "identity") -> Answer:
        """One scrape on a connection of its own; the whole answer is read, and not looked at meanwhile."""
        request = (
            f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\nAccept-Encoding: {coding}\r\n"
            "Connection: close\r\n\r\n"
        ).encode()
        read, used = [], self._processor()
        started = perf_counter()
        with socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE) as connection:
            connection.sendall(request)
            while part := connection.recv(_BUFFER):
                read.append(part)
        seconds = perf_counter() - started
        used = self._processor() - used
        head, _, body = b"".join(read).partition(b"\r\n\r\n")
        return Answer(seconds, used, int(head.split(b" ", 2)[1]), body, b"content-encoding: gzip" in head.lower())

    def megabytes(self) -> tuple[float, float]:
        """Its resident memory now, and the most it ever was."""
        return megabytes(self._program.pid)

    def _processor(self) -> float:
        """Processor seconds that the process has used, in hundredths; a sum over many scrapes is finer."""
        numbers = Path(f"/proc/{self._program.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            programs = ends.enter_context(Programs())
            self._program = programs.exporter(self._address)
            self._port = int(self._program.address().rpartition(":")[2])
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()


def shown(body: bytes) -> int:
    """How many samples of the benchmark's own families an exposition has."""
    return sum(line.startswith(b"bench_") for line in body.splitlines())
