"""The program `fleetmeter-exporter` in a process of its own, asked through a plain socket."""

import os
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

from support.gateway import Programs
from support.store import StoreAddress

TEXT = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
_BUFFER = 1 << 20


@dataclass(frozen=True)
class Answer:
    """One answer: seconds from the connection to its last byte, processor seconds of the exporter, what came."""

    seconds: float
    processor: float
    status: int
    body: bytes


class Exporter:
    """The exporter of a namespace. Use it as a context manager."""

    def __init__(self, address: StoreAddress) -> None:
        self._programs = Programs()
        self._program = self._programs.exporter(address)
        self._port = int(self._program.address().rpartition(":")[2])

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
        with socket.create_connection(("127.0.0.1", self._port), timeout=120) as connection:
            connection.sendall(request)
            while part := connection.recv(_BUFFER):
                read.append(part)
        seconds = perf_counter() - started
        used = self._processor() - used
        head, _, body = b"".join(read).partition(b"\r\n\r\n")
        return Answer(seconds, used, int(head.split(b" ", 2)[1]), body)

    def megabytes(self) -> tuple[float, float]:
        """Resident memory now, and the most it ever was."""
        status = Path(f"/proc/{self._program.pid}/status").read_text()
        found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status, re.MULTILINE))
        return int(found["VmRSS"]) / 1024, int(found["VmHWM"]) / 1024

    def _processor(self) -> float:
        """Processor seconds that the process has used, in hundredths; a sum over many scrapes is finer."""
        numbers = Path(f"/proc/{self._program.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        self._programs.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._programs.__exit__(kind, error, trace)


def shown(body: bytes) -> int:
    """How many samples of the benchmark's own families an exposition has."""
    return sum(line.startswith(b"bench_") for line in body.splitlines())
