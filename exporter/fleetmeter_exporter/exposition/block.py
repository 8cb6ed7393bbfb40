"""The lines of a layout's samples, built quickly: the text before each number is kept from scrape to scrape.

A block learns the fields of a hash once. While the fields stay the same, a scrape only sorts the numbers and joins them
with the kept text. If some fields are new, only these are parsed. A block returns None if it meets anything that this
library's writers do not write, such as numbers that are not whole, or fields in other JSON. Then the general way is
taken.

Each line begins with its line feed, so that the text of a block can follow any other text.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

from prometheus_client.samples import Exemplar

from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.returned import telling_number
from fleetmeter.reader.sample import Labels
from fleetmeter.schema.definition import Definition, compact_json, read_json, texts_of
from fleetmeter.schema.exemplars import newer
from fleetmeter_exporter.exposition.formats import Format
from fleetmeter_exporter.exposition.lines import Line, UnfitName, exemplar_text, number_text, own_labels


@dataclass(frozen=True)
class Subject:
    """What a block shows: a layout in a format.

    `newest` is the family's newest definition, which may have other bounds than `layout`. Every line has the `constant`
    labels. `created` is the family's time of creation in Unix seconds. Every series shows it, except a series that was
    removed and came back: that one shows the time of its return.
    """

    newest: Definition
    layout: Definition
    form: Format
    constant: Labels = ()
    created: float | None = None


class Block(ABC):
    """The lines of its subject; see the module.

    `samples` is their number. The text format has times of creation in a family of their own: its lines are
    `created_lines`.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._newest = subject.newest
        self._layout = subject.layout
        self._form = subject.form
        self._constant = dict(subject.constant)
        self._names = sorted(subject.layout.labels)
        self._created = None if subject.created is None else number_text(subject.created)
        self._created_start = self._line("_created")
        self._returned: Mapping[bytes, int] = {}
        self._outdated: set[bytes] = set()  # fields of series whose line about creation has changed
        self._learned: list[bytes] | None = None
        self._plain = False
        self._shown: tuple[Hash, Mapping[bytes, Exemplar], bytes] | None = None
        self._examples: dict[bytes, tuple[Exemplar, int | None, bytes]] = {}
        self.samples = 0
        self.created_lines = b""

    def text(
        self, numbers: Hash, exemplars: Mapping[bytes, Exemplar], returned: Mapping[bytes, int] | None = None
    ) -> bytes | None:
        """The lines in the order of an exposition; None if the general way must be taken.

        `returned` has the times at which series came back, by a field of theirs; see `Returned.of`.
        """
        if not self._form.openmetrics:
            exemplars = {}
        if self._created is not None:
            self._take_returns(returned or {})
        if self._shown is not None and self._shown[0] is numbers and self._shown[1] == exemplars:
            return self._shown[2]
        if self._learned is None or not (numbers.fields is self._learned or numbers.fields == self._learned):
            self._learned = numbers.fields
            self._examples = {}
            try:
                self._plain = self._learn(numbers.fields)
            except UnfitName:  # the general way says what is wrong, as there may be more than this
                self._plain = False
            if self._plain:  # otherwise the old lines are still kept
                self._outdated = set()
        if not self._plain or numbers.wholes is None:
            self._shown = None
            return None
        text = self._joined(numbers, exemplars) if numbers.fields else b""
        self._shown = (numbers, exemplars, text)
        return text

    def _take_returns(self, returned: Mapping[bytes, int]) -> None:
        """Mark the series whose time of return has changed, so that their lines are made again."""
        before = self._returned
        if returned is not before and returned != before:
            self._outdated |= {number for number, _ in before.items() ^ returned.items()}
            self._returned = returned
            self._learned = self._shown = None

    @abstractmethod
    def _learn(self, fields: list[bytes]) -> bool:
        """Prepare for these fields. Returns False if this library would not have written one of them."""

    @abstractmethod
    def _joined(self, numbers: Hash, exemplars: Mapping[bytes, Exemplar]) -> bytes:
        """The lines for these numbers; there is at least one."""

    @abstractmethod
    def _line_of(self, field: bytes) -> int | None:
        """The line that shows the number of a field, and so its exemplar; None if no line does."""

    def _examples_of(self, exemplars: Mapping[bytes, Exemplar]) -> dict[int, bytes]:
        """The text of exemplars, by line. If several exemplars belong to one line, the newest is shown."""
        known, self._examples = self._examples, {}
        newest: dict[int, tuple[Exemplar, bytes]] = {}
        for field, exemplar in exemplars.items():
            before = known.get(field)
            if before is None:
                found = exemplar, self._line_of(field), exemplar_text(exemplar).encode()
            elif before[0] is not exemplar:
                found = exemplar, before[1], exemplar_text(exemplar).encode()
            else:
                found = before
            self._examples[field] = found
            _, line, text = found
            if line is not None and (line not in newest or newer(exemplar, newest[line][0]) is exemplar):
                newest[line] = exemplar, text
        return {line: text for line, (_, text) in newest.items()}

    def _values(self, field: bytes) -> list[str] | None:
        """The label values in a field, and its part if there is one; None if this library would not have written it."""
        try:
            values = texts_of(read_json(field))
        except (ValueError, TypeError):
            return None
        fits = len(values) == len(self._names) + self._layout.has_parts and compact_json(values).encode() == field
        return values if fits else None

    def _line(self, suffix: str, more: str = "") -> Callable[[Sequence[str]], str]:
        """A function that returns the start of a line for the values in a field."""
        names = [*own_labels(self._names, self._constant), *([more] if more else []), *self._constant]
        order = sorted(range(len(names)), key=names.__getitem__)
        # made only when needed, because a name that cannot be shown does no harm until it must be shown
        line = cache(lambda: Line(self._layout.name + suffix, [names[place] for place in order], self._form))
        constant = list(self._constant.values())
        pick = picker(order)
        return lambda values: "\n" + line().before_value(pick([*values, *constant]))

    def _created_line(self, number: bytes, values: Sequence[str]) -> str:
        """The line with a series' time of creation; empty if `_created` is not shown.

        `number` is a field of the series, `values` are its label values.
        """
        if self._created is None:
            return ""
        returned = self._returned.get(telling_number(number, has_part=self._layout.has_parts), 0) / 1e6
        later = returned > (self.subject.created or 0.0)  # an earlier time is from before the family was removed
        return self._created_start(values) + (number_text(returned) if later else self._created)

    def _keep_created(self, lines: Sequence[str]) -> bool:
        """Keep the lines of creation. Returns whether they stand among the others, as in OpenMetrics.

        The text format has a family of their own for them.
        """
        self.samples += len(lines) if self._created is not None else 0
        if not self._form.openmetrics:
            self.created_lines = "".join(lines).encode()
        return self._form.openmetrics and self._created is not None


def picker(places: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """A function that returns the items at these places of a list, in this order."""
    if not places:
        return lambda _: ()
    if len(places) == 1:
        return itemgetter(slice(places[0], places[0] + 1))
    return itemgetter(*places)
