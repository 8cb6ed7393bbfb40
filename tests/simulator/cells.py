"""What a process records into: the library's own cells, made when their first record comes."""

from typing import Any

from fleetmeter.schema.definition import Definition
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.amounts import Amount
from fleetmeter.values.cells import cell_of
from simulator.ledger import LOADS, Families, Record

Name = tuple[str, str, str | None]
"""A number: its family, its series, and its part."""


class Cells:
    """The cells of one process, whose families are all in one format."""

    def __init__(self, accumulator: Accumulator, families: Families) -> None:
        self.families = families
        self._accumulator = accumulator
        self._cells: dict[Name, Amount] = {}
        self.series: dict[str, set[str]] = {definition.field: set() for definition in families}
        """By layout: the fields that its series have in the store, at 0 at least, but for those that are removed."""
        for definition in families:
            accumulator.define(definition)
        self._cell(families.paid)
        self._cell(families.took, part="sum")
        for part in ("sum", "count"):
            self._cell(families.load, part=part)

    def record(self, record: Record) -> None:
        """One atomic block: two counters, a histogram and a summary."""
        paid, twin, took, load, gone = self.families
        block = self._accumulator.begin()
        self._cell(paid).inc(record.amount)
        self._cell(twin, record.kind).inc(record.amount)
        self._cell(took, part="sum").inc(record.micros / 1e6)
        self._cell(took, part=record.bound).inc(1)
        self._cell(load, part="sum").inc(record.load / LOADS)
        self._cell(load, part="count").inc(1)
        if record.removable:
            self._cell(gone, record.who).inc(record.amount)
        self._accumulator.commit(block)

    def _cell(self, definition: Definition, series: str = "", part: str | None = None) -> Amount:
        """The cell of a number; a histogram makes all that a series has at once, as prometheus_client does."""
        name = definition.name, series, part
        if name not in self._cells:
            for each in ("sum", *definition.bounds) if definition.bounds else (part,):
                values = (series,) if definition.labels else ()
                cell: Any = cell_of(self._accumulator, definition, values, each)
                self._cells[definition.name, series, each] = cell
                if each not in definition.bounds and definition is not self.families.gone:
                    self.series[definition.field].add(definition.series_field(values, each))
        return self._cells[name]

    def copy(self, other: "Cells") -> None:
        """Hold what those of another process hold."""
        for (_, series, part), its in other._cells.items():
            mine = self._cell(its.definition, series, part)
            mine.pending, mine.flushed, mine.dirty = its.pending, its.flushed, its.dirty
            if mine.dirty:
                self._accumulator.changes.dirty[mine] = None

    def copy_news(self, other: "Cells") -> None:
        """Have those handed over, and the families, that another process has."""
        theirs, mine = other._accumulator.changes, self._accumulator.changes
        for name, cell in other._cells.items():
            if cell not in theirs.born:
                mine.born.pop(self._cells[name])
        if not theirs.undefined:
            mine.undefined.clear()
