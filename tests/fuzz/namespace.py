"""A namespace as a store could hold it: drawn once, then changed between scrapes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from fleetmeter.reader.continuity import Shown
from fleetmeter.reader.families import Families
from fleetmeter.reader.gauge_read import GaugeRead
from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.returned import Returned
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import Definition, StoredDefinition
from fleetmeter.schema.rows import Epoch, Row
from fleetmeter_app.cache_gauges import HIT_RATE, SIZE
from fleetmeter_exporter.fleet import Scrape

NOW_US = 10**15


@dataclass
class Namespace:
    """What the keys of a namespace hold. Numbers, gauges, exemplars and returns are raw, as in the store."""

    name: str
    definitions: list[StoredDefinition] = field(default_factory=list)
    numbers: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    gauges: dict[bytes, bytes] = field(default_factory=dict)
    exemplars: dict[bytes, bytes] = field(default_factory=dict)
    returned: dict[bytes, bytes] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    replicas: dict[str, str] = field(default_factory=dict)
    cache_size: int | None = None

    def define(self, definition: Definition, first_us: int, defined_us: int) -> None:
        """Store a definition; one of the same layout is replaced, and keeps its first registration."""
        for place, stored in enumerate(self.definitions):
            if stored.definition.field == definition.field:
                self.definitions[place] = replace(stored, definition=definition, defined_us=defined_us)
                return
        self.definitions.append(StoredDefinition(definition, first_us, defined_us))

    @property
    def families(self) -> set[str]:
        """The names of its families."""
        return {stored.definition.name for stored in self.definitions}

    def copy(self) -> Self:
        """The same, to be changed apart from this one."""
        numbers = {name: dict(raw) for name, raw in self.numbers.items()}
        return replace(
            self,
            definitions=list(self.definitions),
            numbers=numbers,
            gauges=dict(self.gauges),
            exemplars=dict(self.exemplars),
            returned=dict(self.returned),
            rows=dict(self.rows),
        )

    def scrape(self, before: Scrape | None = None) -> Scrape:
        """What an exporter would have read. Hashes whose content is as `before` are equal, and not the same."""
        numbers = {name: Hash(list(raw), list(raw.values())) for name, raw in self.numbers.items()}
        if before is not None and before.shown is not None:  # as the exporter shows what it held
            numbers |= {
                name: known
                for name, known in before.shown.snapshot.numbers.items()
                if isinstance(known, Hash) and name in numbers and self._held(name, known)
            }
        gauges = Hash(list(self.gauges), list(self.gauges.values()))
        if before is not None and before.shown is not None and list(gauges) == list(before.shown.snapshot.gauges):
            gauges = Hash(Hash.of(before.shown.snapshot.gauges).fields, gauges.texts)  # as the reader has it
        snapshot = Snapshot(
            NOW_US, Epoch("e", 1, 1), self.rows, tuple(self.definitions), numbers, gauges, self.replicas,
            self._extras(), self.exemplars, returned=Returned(self.returned),
        )  # fmt: skip
        stated = before.families.statements if before is not None and before.families is not None else None
        return Scrape(self.name, Shown(snapshot), Families(snapshot, stated))

    def _extras(self) -> dict[str, tuple[GaugeRead, Sequence[Any]]]:
        exists = self.cache_size is not None
        return {SIZE.family: (SIZE, (self.cache_size or 0, int(exists))), HIT_RATE.family: (HIT_RATE, ())}

    def _held(self, name: str, known: Hash) -> bool:
        return len(name) % 2 == 0 and list(known.items()) == list(self.numbers[name].items())
