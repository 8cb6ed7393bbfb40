"""A namespace full of numbers, with writers that live, written through the door that replicas write through."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle

from bench.shape import Shape
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import Keys
from fleetmeter.schema.packing import shape_of
from fleetmeter.schema.rows import token_text
from fleetmeter.schema.scale import Scale
from fleetmeter.values.batch import Batch
from fleetmeter.values.delta import NOTHING, Delta
from fleetmeter.writer.messages import Apply, Hello
from fleetmeter.writer.store import Store
from support.commands import process
from support.processes import environment
from support.store import StoreAddress

BATCH = 5_000
"""Numbers of a batch."""

_REAL_REPLICA = """
import fleetmeter
from prometheus_client import Counter

fleetmeter.install()
Counter("first", "What a real replica counted.").inc()
fleetmeter.shutdown()
"""
"""A program whose machinery brings its own families into the namespace, as every replica does."""

_RETAINED = "fleetmeter_retained_bytes"
"""The machinery's own gauge: the one value that each living replica has in the store."""

CATALOGUE = tuple(
    Definition.of(name, "gauge", "A gauge.", "", (), (), mode)
    for name, mode in (
        ("http_requests_in_progress", "livesum"),
        ("replica_requests", "liveall"),
        ("replica_errors", "liveall"),
    )
)
"""The gateway's gauges. Those of mode `liveall` are a series on the wire for each living replica."""


class Namespace:
    """So many numbers and writers in a namespace of its own.

    Each writer has a row, says who it is, and has the machinery's own gauge; with `gauges` also the gateway's.
    """

    def __init__(self, url: str, name: str, families: Sequence[Shape], writers: int, *, gauges: bool = False) -> None:
        self.address = StoreAddress(url, name)
        self.families = families
        self._store = Store(url, Keys(name))
        self._dice = random.Random(0)
        self._numbers = [(family, number) for family in families for number in family.fields(0, family.series)]
        self._series = [family.series for family in families]
        command = [sys.executable, "-c", _REAL_REPLICA]
        subprocess.run(command, env=environment(self.address), check=True)
        self._rows = {f"writer-{number}": 0 for number in range(writers)}
        for writer in self._rows:
            identity = {"replica": f"host-{writer}", "pid": "1", "version": "0", "started": "0"}
            self._epoch = self._store.hello(Hello(writer, "unused"), identity).epoch
        definitions = {family.definition.field: family.definition for family in families}
        self._shapes = {
            field: (shape_of(definition, definition.bounds),)
            for field, definition in definitions.items()
            if definition.packed
        }
        self._parted = frozenset(field for field, definition in definitions.items() if definition.has_parts)
        texts = {field: definition.to_json() for field, definition in definitions.items()}
        self._send(next(iter(self._rows)), Delta(definitions=texts))
        self._add(self._numbers, self._first)
        self._set_gauges((_own_gauge(self.address), *(CATALOGUE if gauges else ())))

    def change(self, share: float) -> None:
        """Add to that share of the numbers, other ones each time, as they would grow between two scrapes."""
        numbers = self._numbers
        changed = numbers if share == 1 else self._dice.sample(numbers, round(share * len(numbers)))
        self._add(changed, self._more)

    def grow(self, share: float) -> int:
        """Let new series appear in every family, that share of what it began with; how many samples they are."""
        samples, fresh = 0, list[tuple[Shape, str]]()
        for at, family in enumerate(self.families):
            first, more = self._series[at], round(share * family.series)
            self._series[at] += more
            samples += more * family.samples
            fresh += [(family, field) for field in family.fields(first, first + more)]
        self._add(fresh, self._first)
        self._numbers += fresh
        return samples

    def beat(self) -> None:
        """Let every writer give a sign of life, as each does at least every 5 s."""
        for writer in self._rows:
            self._send(writer, NOTHING)

    def forget_half(self) -> None:
        """Let an operator forget every second family of counters and of histograms."""
        gone = [family for at, family in enumerate(self.families) if at % 4 < 2]
        for family in gone:
            done = process(self.address, "forget", family.definition.name, "--yes")
            if done.returncode:
                raise RuntimeError(f"fleetmeter forget: {done.stdout}{done.stderr}")
        names = {family.definition.name for family in gone}
        self._numbers = [entry for entry in self._numbers if entry[0].definition.name not in names]

    def close(self) -> None:
        """Close the connections."""
        self._store.close()

    def _first(self, family: Shape, number: str) -> int:
        """What a number holds to begin with."""
        return self._amount(family, number, 10**6)

    def _more(self, family: Shape, number: str) -> int:
        """What it grows by."""
        return self._amount(family, number, 100)

    def _amount(self, family: Shape, number: str, most: int) -> int:
        """In stored units: a count, or so many tenths of a dollar or a second, and some of the smallest units."""
        definition = family.definition
        scale = 1 if definition.has_parts and not number.endswith('"sum"]') else definition.scale
        if scale == Scale.FEMTO:  # of no unit: a count, too
            return self._dice.randint(1, most) * scale
        return self._dice.randint(1, most) * max(1, scale // 10) + self._dice.randrange(scale)

    def _add(self, numbers: Sequence[tuple[Shape, str]], amount: Callable[[Shape, str], int]) -> None:
        """Add to some numbers, in batches that the writers send in turn."""
        writers = cycle(self._rows)
        for first in range(0, len(numbers), BATCH):
            adds: dict[str, dict[str, float]] = {}
            for family, number in numbers[first : first + BATCH]:
                adds.setdefault(family.definition.field, {})[number] = amount(family, number)
            blocks = {field: self._shapes[field] for field in adds if field in self._shapes}
            self._send(next(writers), Delta(adds=adds, has_parts=self._parted & adds.keys(), shapes=blocks))

    def _set_gauges(self, gauges: Iterable[Definition]) -> None:
        for writer in self._rows:
            batch = Batch()
            for definition in gauges:
                batch.define(definition)
                batch.set_gauge(definition, (), time.monotonic(), str(self._dice.randrange(1000)))
            self._send(writer, batch.freeze(time.time_ns() // 1000, time.monotonic()))

    def _send(self, writer: str, delta: Delta) -> None:
        """One call of a writer: a batch, or a heartbeat where there is nothing in it."""
        row = self._rows[writer]
        self._rows[writer] += bool(delta)
        tokens = [token_text(number) if number else "" for number in (row, self._rows[writer])]
        answer = self._store.apply(Apply(self._epoch, writer, row, self._rows[writer], 0, delta, False, *tokens))
        if answer.status not in ("applied", "already") or answer.refused_count or answer.overflowed:
            raise RuntimeError(f"the store did not take what the benchmark wrote: {answer}")


def _own_gauge(address: StoreAddress) -> Definition:
    """The machinery's gauge, as a real replica defined it."""
    reader = Reader(address.url, address.namespace)
    definitions = [stored.definition for stored in reader.read().definitions]
    reader.close()
    return next(definition for definition in definitions if definition.name == _RETAINED)
