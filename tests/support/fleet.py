"""The two ends of the state in tests: a writer of its own, and the fleet's numbers as an exporter sees them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import fleetmeter
from fleetmeter.reader.families import Family, families_of
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.definition import Definition
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.amounts import Amount
from fleetmeter.values.cells import cell_of
from fleetmeter.values.levels import Level
from fleetmeter.writer.exchange import Exchange
from fleetmeter.writer.flusher import Flusher
from fleetmeter.writer.protocol import Writer
from fleetmeter.writer.store import Store
from fleetmeter.writer.telemetry import Telemetry
from support.exposition import Series
from support.store import StoreAddress


def families(address: StoreAddress) -> dict[str, Family]:
    """The fleet's families, by name."""
    reader = Reader(address.url, address.namespace, returns=True)
    try:
        return {family.definition.name: family for family in families_of(reader.read())}
    finally:
        reader.close()


def samples(address: StoreAddress) -> dict[Series, float]:
    """Every sample of the fleet, by name and labels."""
    return samples_of(families(address))


def samples_of(found: dict[str, Family]) -> dict[Series, float]:
    """Every sample of some families, by name and labels."""
    return {
        (name + sample.suffix, frozenset(sample.labels)): sample.value
        for name, family in found.items()
        for sample in family.samples
    }


def value(address: StoreAddress, name: str, **labels: str) -> float | None:
    """One sample of the fleet; None where there is none."""
    return samples(address).get((name, frozenset(labels.items())))


@contextmanager
def installation(address: StoreAddress, numbers: str | None = None) -> Iterator[None]:
    """This process as a replica of a namespace, for a while; `numbers` as in `install`."""
    fleetmeter.install(
        url=address.url, namespace=address.namespace, flush_interval=60.0, replica="here", numbers=numbers
    )
    try:
        yield
    finally:
        fleetmeter.uninstall()


class Replica:
    """One writer as `Runtime` composes it, without hooks: several of them can live in one process.

    Nothing is sent but by `flush`, in effect. With `packs` it packs its numbers, as by default, and its row says so;
    without, it writes each family as its definition says.
    """

    def __init__(
        self, address: StoreAddress, url: str | None = None, interval: float = 60.0, *, packs: bool = True
    ) -> None:
        self.rejected: list[tuple[str, object]] = []
        self.accumulator = Accumulator(
            lambda: None, lambda definition, amount: self.rejected.append((definition.name, amount))
        )
        self.writer = Writer()
        self.telemetry = Telemetry()
        self.store = Store(url or address.url, address.keys, packed=packs)
        identity = {"replica": "test", "pid": "1", "version": "0", "started": "0"}
        self.exchange = Exchange(self.accumulator, self.writer, self.store, self.telemetry, identity)
        self.flusher = Flusher(self.accumulator, self.exchange, self.telemetry, interval)

    def cell(self, definition: Definition, labelvalues: Sequence[str] = (), part: str | None = None) -> Amount | Level:
        """A value of a family, made known first; its definition is the value's."""
        if self.store.packed and not definition.packed and definition.twin is not None:
            definition = definition.twin
        self.accumulator.define(definition)
        return cell_of(self.accumulator, definition, labelvalues, part)

    def counter(self, name: str, unit: str = "", labels: Sequence[str] = (), values: Sequence[str] = ()) -> Any:
        """A counter's value."""
        return self.cell(Definition.of(name, "counter", "help", unit, labels, (), ""), values)

    def flush(self, timeout: float = 5.0) -> bool:
        """Hand over what was recorded."""
        return self.flusher.flush(timeout)

    def errors(self, reason: str) -> float | None:
        """How often the machinery met this trouble."""
        return self.telemetry.registry.get_sample_value("fleetmeter_flush_errors_total", {"reason": reason})

    def close(self) -> None:
        """End the thread and the connections."""
        self.flusher.stop(5.0)
        self.store.close()
