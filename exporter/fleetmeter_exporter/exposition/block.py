"""The lines of a family's samples, built quickly: the text before each number is kept from scrape to scrape.

A block learns the fields of its hashes once, and keeps one text for all of its lines: a pattern for `%`, with a place
for each number. While the fields stay the same, a scrape puts the numbers in. If some fields are new, only these are
parsed. A block returns None if it meets anything that this library's writers do not write, such as texts that are no
finite numbers, or fields in other JSON. Then the general way is taken.

Each line begins with its line feed, so that the text of a block can follow any other text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from operator import itemgetter
from typing import Any

from fleetmeter.reader.plain_lists import PlainLists
from fleetmeter.reader.sample import Labels
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.exposition.formats import Format
from fleetmeter_exporter.exposition.lines import Line, escaped, own_labels

_AT_ONCE = 1_000
"""Rows whose lines are made together."""


@dataclass(frozen=True)
class Subject:
    """What a block shows: the layouts of a family in a format.

    `newest` is the family's newest definition, which may have other bounds than the `layouts`. Every line has the
    `constant` labels. `created` is the family's time of creation in Unix seconds. Every series shows it, except a
    series that was removed and came back: that one shows the time of its return.
    """

    newest: Definition
    layouts: tuple[Definition, ...]
    form: Format
    constant: Labels = ()
    created: float | None = None


class Lines:
    """Makes the lines of a series, as patterns for `%` with a place for each number, for any label values.

    Each of `lines` is a suffix of the family's name, and perhaps one more label with its value. `names` are those of
    the label values. `ends` is what each line ends with: `%a` for a number, `%b` for a text. Raises `UnfitName` only
    when a line is made, because a name that cannot be shown does no harm until it must be shown.
    """

    def __init__(
        self,
        name: str,
        names: Sequence[str],
        lines: Sequence[tuple[str, Labels]],
        subject: Subject,
        ends: Sequence[str],
    ) -> None:
        constant = dict(subject.constant)

        @cache
        def pattern() -> tuple[str, list[int], list[str] | None]:
            found: list[str] = []
            places: list[int] = []
            for (suffix, more), end in zip(lines, ends, strict=True):
                every = [*own_labels([*names, *dict(more)], constant), *constant]
                values = [*repeat(None, len(names)), *dict(more).values(), *constant.values()]
                order = sorted(range(len(every)), key=every.__getitem__)
                line = Line(name + suffix, [every[place] for place in order], subject.form)
                # with the label values it is a pattern again, for the number
                start = line.pattern([values[place] for place in order]).replace("%%", "%%%%")
                found.append(start + end.replace("%", "%%"))
                places += [place for place in order if place < len(names)]
            whole = "\n".join(found)
            texts = (whole % (("\0",) * len(places))).split("\0")
            return whole, places, texts if "\n" not in whole and len(texts) == len(places) + 1 else None

        self._pattern = pattern

    def of(self, columns: Sequence[Sequence[str]], count: int) -> list[str]:
        """The lines of `count` series, joined by line feeds, given a column for each label.

        The lines are patterns for the numbers. `%` is doubled in them.
        """
        if not count:
            return []
        pattern, places, texts = self._pattern()
        columns = [list(map(_shown, column)) if is_special("".join(column)) else column for column in columns]
        values = [columns[place] for place in places]
        if texts is not None:
            return filled(texts, values, count)
        return list(map(pattern.__mod__, zip(*values, strict=True) if values else repeat((), count)))

    def fits_lists(self) -> bool:
        """Whether `of_lists` can make lines: one for each series, with its label values in their order."""
        _, places, texts = self._pattern()
        return texts is not None and len(places) > 0 and places == [*range(len(places))]

    def of_lists(self, lists: PlainLists) -> str:
        """The lines of series, joined by line feeds, given the label values of each as a list."""
        return lists.filled(self._pattern()[2] or ())


def in_pieces(rows: Sequence[Any], lines: Callable[[Sequence[Any]], str]) -> str:
    """The lines of all rows, joined by line feeds, given what makes the lines of some of them, joined so.

    They are made of some rows at a time. So what is needed in between stays in the processor's cache, and its memory is
    used again: that takes half of the time.
    """
    return "\n".join([lines(rows[first : first + _AT_ONCE]) for first in range(0, len(rows), _AT_ONCE)])


def filled(texts: Sequence[str], columns: Sequence[Sequence[str]], count: int) -> list[str]:
    """`count` lines, each of which has a value of each column between these texts.

    They are made as one text and taken apart again: that takes a third of the time of filling in a pattern for each.
    """
    first, *middle = texts
    if not columns:
        return [first] * count
    width = 2 * len(columns)
    pieces = [f"{middle[-1]}\n{first}"] * (width * count)
    pieces[0] = first
    for place, column in enumerate(columns):
        pieces[2 * place + 1 :: width] = column
        if place:
            pieces[2 * place :: width] = [middle[place - 1]] * count
    return "".join([*pieces, middle[-1]]).split("\n")


def is_special(text: str) -> bool:
    """Whether a text must be escaped in a line, or in a pattern."""
    return "\\" in text or '"' in text or "\n" in text or "%" in text


def _shown(text: str) -> str:
    return escaped(text).replace("%", "%%")


def picker(places: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """A function that returns the items at these places of a list, in this order."""
    if not places:
        return lambda _: ()
    if isinstance(places, range) and places.step == 1:
        return itemgetter(slice(places.start, places.stop))
    if len(places) == 1:
        return itemgetter(slice(places[0], places[0] + 1))
    return itemgetter(*places)
