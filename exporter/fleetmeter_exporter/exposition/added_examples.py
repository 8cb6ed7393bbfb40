"""The exemplars behind the lines of numbers that are added up."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fleetmeter.schema.exemplars import newer
from fleetmeter_exporter.exposition.columns import Columns
from fleetmeter_exporter.exposition.lines import exemplar_text
from fleetmeter_exporter.exposition.series import Series

if TYPE_CHECKING:
    from prometheus_client.samples import Exemplar

_Known = dict[bytes, tuple["Exemplar", bytes]]


class AddedExamples:
    """The texts of exemplars, and the lines that they follow. What is known of one is kept while it is the same.

    `width` is the number of lines of a series in the first text of the series' arrangement.
    """

    def __init__(self, columns: Columns, series: Series, width: int) -> None:
        self._columns, self._series, self._width = columns, series, width
        self._texts: dict[int, _Known] = {}  # by layout and field
        self._lines: dict[int, dict[bytes, int | None]] = {}
        self._shown: tuple[Sequence[Mapping[bytes, Exemplar]], dict[int, bytes]] = (), {}
        self._prepared: tuple[list[int], bytes] = [], b""

    def follow(self) -> None:
        """Take in what the last change did to the series: their lines are elsewhere now."""
        self.prepare_again()
        self._shown = (), {}
        if not self._series.only_grew:
            self._lines = {}
            return
        moved, width = self._series.arrangement.moves.moved, self._width
        self._lines = {
            at: {
                field: moved[line // width] * width + line % width for field, line in lines.items() if line is not None
            }
            for at, lines in self._lines.items()
        }

    def prepare_again(self) -> None:
        """Note that the series have other texts."""
        self._prepared = [], b""

    def of(self, exemplars: Sequence[Mapping[bytes, "Exemplar"]]) -> dict[int, bytes]:
        """The text of exemplars, by line, given those of each layout.

        If several exemplars belong to one line, the newest is shown.
        """
        before, lines = self._shown
        if len(before) == len(exemplars) and all(one is now for one, now in zip(before, exemplars, strict=True)):
            return lines
        newest: dict[int, tuple[Exemplar, bytes]] = {}
        for at, some in enumerate(exemplars):
            places, texts = self._lines_of(at, some), self._texts_of(at, some)
            for field, found in texts.items():
                line = places[field]
                if line is not None and (line not in newest or newer(found[0], newest[line][0]) is found[0]):
                    newest[line] = found
        lines = {line: text for line, (_, text) in newest.items()}
        self._shown = list(exemplars), lines
        return lines

    def prepared(self) -> bytes:
        """The series' text with places for texts instead of numbers in the lines that have exemplars."""
        lines = sorted(self._shown[1])
        if lines != self._prepared[0]:
            self._prepared = lines, self._series.arrangement.marked(0, lines, b"%b")
        return self._prepared[1]

    def _texts_of(self, at: int, exemplars: Mapping[bytes, "Exemplar"]) -> _Known:
        known = self._texts.get(at, {})
        found: _Known = {}
        for field, exemplar in exemplars.items():
            text = known.get(field)
            found[field] = text if text is not None and text[0] is exemplar else (exemplar, _text(exemplar))
        self._texts[at] = found
        return found

    def _lines_of(self, at: int, fields: Mapping[bytes, "Exemplar"]) -> Mapping[bytes, int | None]:
        """The lines that show the numbers of these fields, and so their exemplars; None if no line does."""
        lines = self._lines.setdefault(at, {})
        new = fields.keys() - lines.keys()
        found = self._series.places_of(at, new) if new else {}
        for field in new:
            rank, column = found.get(field, (0, None))
            line = self._columns.example_line(column) if column is not None else None
            lines[field] = rank * self._width + line if line is not None else None
        return lines


def _text(exemplar: "Exemplar") -> bytes:
    return exemplar_text(exemplar).encode()
