"""Which lines of packed series end with an exemplar."""

from collections.abc import Collection, Mapping
from itertools import count
from typing import TYPE_CHECKING

from fleetmeter.reader.numbers import parted, plain_parts
from fleetmeter.reader.places import Places
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.exemplars import newer
from fleetmeter_exporter.exposition.columns import Columns
from fleetmeter_exporter.exposition.lines import exemplar_text

if TYPE_CHECKING:
    from prometheus_client.samples import Exemplar


class ExampleLines:
    """Finds the lines of exemplars, which are stored by the field of their number."""

    def __init__(self, columns: Columns, layout: Definition) -> None:
        self._columns = columns
        self._layout = layout
        self._places: Places | None = None
        self._rows: dict[bytes, int] = {}
        self._parts: list[tuple[set[str], Collection[int]]] = []  # which parts the rows of each group have
        self._texts: dict[bytes, tuple[Exemplar, bytes]] = {}

    def of(self, exemplars: Mapping[bytes, "Exemplar"], places: Places) -> dict[int, dict[int, bytes]]:
        """The texts of exemplars by row and line. If several belong to one line, the newest is shown."""
        if exemplars and self._places is not places:
            self._see(places)
        known, self._texts = self._texts, {}
        newest: dict[tuple[int, int], bytes] = {}
        for field, exemplar in exemplars.items():
            found = self._line(field)
            if found is not None and (found not in newest or newer(exemplar, exemplars[newest[found]]) is exemplar):
                newest[found] = field
        lines: dict[int, dict[int, bytes]] = {}
        for (row, line), field in newest.items():
            kept = known.get(field)
            if kept is None or kept[0] is not exemplars[field]:
                kept = exemplars[field], exemplar_text(exemplars[field]).encode()
            self._texts[field] = kept
            lines.setdefault(row, {})[line] = kept[1]
        return lines

    def _see(self, places: Places) -> None:
        before, self._places = self._places, places
        if before is None or not places.grew_from(before):
            self._rows = {}
        known = len(self._rows)
        self._rows.update(zip(places.series[known:], count(known), strict=False))
        self._parts = [
            (set(group.shape.parts), group.rows if isinstance(group.rows, range) else set(group.rows))
            for group in places.groups
        ]

    def _line(self, field: bytes) -> tuple[int, int] | None:
        series, part = field, ""
        if self._layout.has_parts:
            (key,), tails = parted([field])
            parts = plain_parts(self._layout, tails)
            if parts is None:
                return None
            series, part = key + b"]" if key else b"[]", parts[0]
        row = self._rows.get(series)
        if row is None or not any(part in parts and row in rows for parts, rows in self._parts):
            return None
        column = self._columns.of(part)
        line = self._columns.example_line(column) if column is not None else None
        return (row, line) if line is not None else None
