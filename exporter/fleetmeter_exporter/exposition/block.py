"""The lines of a family's samples, built quickly: the text before each number is kept from scrape to scrape.

A block learns the fields of its hashes once. While the fields stay the same, a scrape spells the numbers and joins them
with the kept text. If some fields are new, only these are parsed. A block returns None if it meets anything that this
library's writers do not write, such as texts that are no finite numbers, or fields in other JSON. Then the general way
is taken.

Each line begins with its line feed, so that the text of a block can follow any other text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

from fleetmeter.reader.sample import Labels
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.exposition.formats import Format
from fleetmeter_exporter.exposition.lines import Line, escaped, own_labels

_BETWEEN = "\0"
"""The separator of lines that are made together."""


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


class Starts:
    """Makes the text before the numbers of a series: one start for each of `lines`, for any label values.

    Each of `lines` is a suffix of the family's name, and perhaps one more label with its value. Label values are given
    in the order of `names`. Raises `UnfitName` only when a line is made, because a name that cannot be shown does no
    harm until it must be shown.
    """

    def __init__(self, name: str, names: Sequence[str], lines: Sequence[tuple[str, Labels]], subject: Subject) -> None:
        constant = dict(subject.constant)

        @cache
        def patterns() -> tuple[list[str], list[int]]:
            found: list[str] = []
            own: list[int] = []
            for suffix, more in lines:
                every = [*own_labels([*names, *dict(more)], constant), *constant]
                values = [*repeat(None, len(names)), *dict(more).values(), *constant.values()]
                order = sorted(range(len(every)), key=every.__getitem__)
                line = Line(name + suffix, [every[place] for place in order], subject.form)
                found.append("\n" + line.pattern([values[place] for place in order]))
                own = [place for place in order if place < len(names)]
            return found, own

        self._patterns = patterns
        self._count = len(lines)

    def of(self, series: Sequence[Sequence[str]]) -> list[str]:
        """The starts of the lines of all series with these label values: all of the first series, then of the next."""
        if not series:
            return []
        patterns, own = self._patterns()
        if own != list(range(len(own))):
            pick = picker(own)
            series = [pick(values) for values in series]
        if _BETWEEN in "".join(patterns) or _is_special("".join(chain.from_iterable(series))):
            return [pattern % tuple(map(escaped, values)) for values in series for pattern in patterns]
        if self._count == 1:
            (pattern,) = patterns
            return [pattern % tuple(values) for values in series]
        pattern = _BETWEEN.join(patterns)
        return _BETWEEN.join([pattern % (tuple(values) * self._count) for values in series]).split(_BETWEEN)


def _is_special(text: str) -> bool:
    """Whether a text must be escaped, or contains the separator of lines."""
    return "\\" in text or '"' in text or "\n" in text or _BETWEEN in text


def lines_of(starts: Sequence[str], texts: Sequence[str]) -> bytes:
    """The lines that begin with these starts and end with these texts."""
    pieces = [""] * (2 * len(starts))
    pieces[0::2], pieces[1::2] = starts, texts
    return "".join(pieces).encode()


def picker(places: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """A function that returns the items at these places of a list, in this order."""
    if not places:
        return lambda _: ()
    if len(places) == 1:
        return itemgetter(slice(places[0], places[0] + 1))
    return itemgetter(*places)
