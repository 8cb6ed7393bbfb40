"""A thousand replicas in a few processes: each one's whole machinery but the hooks and the flush thread.

A replica here has a real accumulator, writer, exchange and connection. In the place of its flush thread, a schedule
calls it when its next flush is due, by the rule of the flush thread: after the interval, or after so many times the
duration of its last call.
"""

import heapq
import logging
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from time import monotonic, process_time, sleep
from typing import Any

from bench.shape import packs
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import Keys
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.cells import cell_of
from fleetmeter.writer.exchange import Exchange
from fleetmeter.writer.pace import STRETCH
from fleetmeter.writer.protocol import Writer
from fleetmeter.writer.store import Store
from fleetmeter.writer.telemetry import Telemetry

NAMESPACE = "fleet"
COUNTERS, HISTOGRAMS = 14, 6
SERIES = COUNTERS + HISTOGRAMS
"""Dirty series of each flush, the same ones in all replicas; a histogram has two numbers of each observation."""

BOUNDS = ("0.1", "0.5", "1.0", "5.0", "+Inf")
OWN: tuple[tuple[str, str, tuple[str, ...], str | None], ...] = (
    ("fleetmeter_flushes", "counter", (), None),
    ("fleetmeter_flush_duration", "histogram", BOUNDS, "sum"),
    ("fleetmeter_flush_duration", "histogram", BOUNDS, "0.5"),
)
"""What the machinery's own metrics add to each flush; in the place of its real ones, which need the hooks."""

PROCESSES = 2


@dataclass(frozen=True)
class Order:
    """What the processes shall do: flush for so many seconds, every `interval` seconds, or `rounds` times each."""

    seconds: float = 0.0
    interval: float = 0.0
    rounds: int = 0
    catch_up: bool = False
    """Call each replica until the store has what it lost, and record nothing."""


@dataclass(frozen=True)
class Report:
    """What the processes did: flushes, the seconds that each call took, processor seconds, and wall time in all."""

    durations: list[float]
    processor_seconds: float
    seconds: float


class Replica:
    """One emulated replica."""

    def __init__(self, url: str, number: int) -> None:
        self._accumulator = Accumulator(lambda: None, lambda definition, amount: None)
        self._cells: list[Any] = []
        define = partial(Definition.of, packed=packs())
        for index in range(COUNTERS):
            name = f"bench_{index % 4}"
            definition = define(name, "counter", "Calls.", "", ["method", "route"], (), "")
            self._add(definition, ("GET", f"/v1/route/{index}"), None)
        for index in range(HISTOGRAMS):
            definition = define("bench_size", "histogram", "Sizes.", "", ["route"], BOUNDS, "")
            for part in ("sum", "0.5"):
                self._add(definition, (f"/v1/route/{index}",), part)
        for name, kind, bounds, own_part in OWN:
            self._add(define(name, kind, "Our own.", "", (), bounds, ""), (), own_part)
        self._writer = Writer()
        identity = {"replica": f"replica-{number}", "pid": "1", "version": "0", "started": "0"}
        store = Store(url, Keys(NAMESPACE), packed=packs())
        self._exchange = Exchange(self._accumulator, self._writer, store, Telemetry(), identity)

    def _add(self, definition: Definition, labels: tuple[str, ...], part: str | None) -> None:
        self._accumulator.define(definition)
        self._cells.append(cell_of(self._accumulator, definition, labels, part))

    def flush(self) -> float:
        """Record 1 in each series and hand it over; the seconds that the call took."""
        for cell in self._cells:
            cell.record(1)
        self._exchange.hand_over()
        return self._exchange.duration

    def catch_up(self) -> float:
        """One heartbeat, and what the store has lost if it says so; the seconds that the last call took."""
        self._exchange._answered_at = 0.0  # as after 5 s of silence
        self._exchange.hand_over()
        return self._exchange.duration


def _serve(pipe: Connection, url: str, numbers: range) -> None:
    """One process of the emulation: does what it is ordered, until the pipe closes."""
    logging.getLogger("fleetmeter").setLevel(logging.ERROR)  # each of a thousand tells that the store went back
    replicas = [Replica(url, number) for number in numbers]
    for replica in replicas:
        replica.flush()  # the hello and the definitions are no part of any measurement
    pipe.send(None)
    while (order := pipe.recv()) is not None:
        started, used = monotonic(), process_time()
        durations = list(_obeyed(order, replicas))
        pipe.send(Report(durations, process_time() - used, monotonic() - started))


def _obeyed(order: Order, replicas: list[Replica]) -> Iterator[float]:
    if order.catch_up:
        for replica in replicas:
            yield replica.catch_up()
    for _ in range(order.rounds):
        for replica in replicas:
            yield replica.flush()
    if not order.seconds:
        return
    now = monotonic()
    end = now + order.seconds
    due = [(now + order.interval * index / len(replicas), index) for index in range(len(replicas))]
    while due[0][0] < end:
        at, index = due[0]
        sleep(max(0.0, at - monotonic()))
        if monotonic() >= end:
            return
        duration = replicas[index].flush()
        yield duration
        heapq.heapreplace(due, (monotonic() + max(order.interval, STRETCH * duration), index))


class Fleet:
    """So many replicas, spread over a few processes."""

    def __init__(self, pipes: list[Connection], replicas: int) -> None:
        self._pipes = pipes
        self.replicas = replicas

    def obey(self, order: Order) -> Report:
        """Let all of them do something at the same time; the seconds are those of the slowest process."""
        for pipe in self._pipes:
            pipe.send(order)
        reports: list[Report] = [pipe.recv() for pipe in self._pipes]
        return Report(
            durations=[duration for report in reports for duration in report.durations],
            processor_seconds=sum(report.processor_seconds for report in reports),
            seconds=max(report.seconds for report in reports),
        )


@contextmanager
def fleet(url: str, replicas: int) -> Iterator[Fleet]:
    """A fleet that has said hello and flushed once; its processes end with the block."""
    context = multiprocessing.get_context("spawn")
    share = replicas // PROCESSES
    pipes, processes = [], []
    for number in range(PROCESSES):
        ours, theirs = context.Pipe()
        numbers = range(number * share, (number + 1) * share)
        process = context.Process(target=_serve, args=(theirs, url, numbers), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:
            pipe.recv()
        yield Fleet(pipes, share * PROCESSES)
    finally:
        for pipe in pipes:
            pipe.send(None)
        for process in processes:
            process.join(10)
            process.kill()
