"""Statements: values that a writer replaces and does not add up. Gauges merged by their mode, infos, state sets."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, repeat
from operator import ne
from typing import cast

from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.plain_lists import is_text
from fleetmeter.reader.sample import Labels, Sample
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.stated_fields import Stated, StatedFields
from fleetmeter.reader.stated_values import (
    GaugeValue,
    comparable,
    facts_in,
    labels_of,
    number_in,
    pairs_of,
    replica_label,
    state_in,
    unreadable,
)
from fleetmeter.reader.times import TIME_DIGITS
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import FOLDED_WRITER

STATED_TYPES = frozenset(("gauge", "info", "stateset"))
"""The types whose values are replaced, not added up."""


_AT_ONCE = 1_000
"""Statements that are looked at together: so few that all of it stays in the processor's cache."""

_OTHERS = bytes(sorted({*range(256)} - {*b" \n"}))
"""All bytes but spaces and line feeds."""


class Statements:
    """The statements of all writers in one snapshot. Methods raise `StateError` for one that cannot be read.

    `fields` says whose they are, and `raw` when each was set and what it says, in the order of the hash; see `said_in`
    and `times_in`. `problems` lists those of which not even the writer or the family can be read. `before` are the
    statements of an earlier snapshot: what is the same in this one is not looked at again, and is the same object.
    """

    def __init__(self, snapshot: Snapshot, before: "Statements | None" = None) -> None:
        self._snapshot = snapshot
        gauges = Hash.of(snapshot.gauges)
        found = snapshot.stated
        if found is None or found.fields is not gauges.fields:
            found = StatedFields.of(gauges.fields, before.fields if before is not None else None)
        self.fields: StatedFields = found
        self.raw: list[bytes] = gauges.texts
        illegible, unsure = frozenset[int](), cast("Sequence[int]", range(len(self.raw)))
        if before is not None:
            illegible, unsure = self._carried(before)
            gauges.share(self.raw)
        self.illegible: frozenset[int] = illegible.difference(unsure) | self._found_illegible(unsure)
        self._unreadable = self.illegible.union(self.fields.unreadable)
        self.problems = [
            unreadable("gauges", f"{gauges.fields[place]!r} → {gauges.texts[place]!r} is no gauge")
            for place in sorted(self._unreadable)
        ]
        self._values: dict[tuple[str, str], dict[tuple[str, ...], list[GaugeValue]]] = {}

    def ever_set(self, layout: Definition) -> bool:
        """Whether anybody has set a value of this layout."""
        places = self.fields.of_layout(layout.name, layout.layout).places
        return any(int(_time_in(self.raw[place])) for place in places if place not in self._unreadable)

    def plain(self, layout: Definition) -> Stated | None:
        """Places and writers of a layout's statements, for use with `raw`; None if one is unreadable."""
        stated = self.fields.of_layout(layout.name, layout.layout)
        return stated if not self._unreadable or self._unreadable.isdisjoint(stated.places) else None

    def samples(self, newest: Definition, layouts: Iterable[Definition]) -> Iterator[Sample]:
        """The fleet's samples of a family."""
        merge = {"gauge": self._gauge, "info": self._info, "stateset": self._states}[newest.type]
        for layout in layouts:
            yield from merge(newest, layout)

    def _of(self, layout: Definition) -> dict[tuple[str, ...], list[GaugeValue]]:
        """For each set of label values (by sorted name), the writers' values."""
        key = layout.name, layout.layout
        found = self._values.get(key)
        if found is None:
            found = self._values[key] = defaultdict(list)
            stated = self.fields.of_layout(*key)
            for place, writer, values in zip(stated.places, stated.writers, stated.values, strict=True):
                if place not in self._unreadable:
                    time, _, text = self.raw[place].partition(b" ")
                    found[values].append(GaugeValue(writer, int(time), text.decode()))
        return found

    def _carried(self, before: "Statements") -> tuple[frozenset[int], Sequence[int]]:
        """Take over what an earlier snapshot had, too. Returns what of it is illegible, and what changed or is new."""
        if before.raw is self.raw:
            return before.illegible, ()
        raw: list[bytes | None] = [*before.raw]
        illegible = before.illegible
        if before.fields is not self.fields:
            change = self.fields.fields.since(before.fields.fields)
            raw = change.carried(raw, repeat(None, len(change.came)))
            if illegible:
                illegible = frozenset(map(change.moved.__getitem__, illegible)).difference((-1,))
        changed = list(compress(range(len(raw)), map(ne, self.raw, raw)))
        for place in changed:
            raw[place] = self.raw[place]
        self.raw = cast("list[bytes]", raw)
        return illegible, changed

    def _found_illegible(self, places: Sequence[int]) -> frozenset[int]:
        """The places whose text is not a time and a text. Mostly there are none, as a few looks at many show."""
        found: list[int] = []
        for first in range(0, len(places), _AT_ONCE):
            some = places[first : first + _AT_ONCE]
            if not _are_legible([self.raw[place] for place in some]):
                found += [place for place in some if not _is_legible(self.raw[place])]
        return frozenset(found)

    def _living(self, members: Iterable[GaugeValue]) -> list[GaugeValue]:
        alive = self._snapshot.alive
        return [item for item in members if item.writer in alive]

    def _gauge(self, newest: Definition, layout: Definition) -> Iterator[Sample]:
        """One sample per series; with the modes `all` and `liveall`, one per series and replica."""
        mode = newest.mode
        for values, stated in sorted(self._of(layout).items()):
            members = self._living(stated) if mode.startswith("live") else stated
            if not members:
                continue
            labels = labels_of(layout, values)
            match mode.removeprefix("live"):
                case "sum":
                    yield Sample("", labels, sum(map(number_in, members)))
                case "min":
                    yield Sample("", labels, min(comparable(map(number_in, members))))
                case "max":
                    yield Sample("", labels, max(comparable(map(number_in, members))))
                case "mostrecent":
                    yield Sample("", labels, number_in(max(members, key=lambda item: (item.set_us, item.writer))))
                case _:
                    for item, replica in self._by_replica(labels, members):
                        yield Sample("", (*labels, replica), number_in(item))

    def _by_replica(
        self, labels: Labels, members: Iterable[GaugeValue], taken: str = ""
    ) -> list[tuple[GaugeValue, tuple[str, str]]]:
        """Each writer's value, with the label that names the writer.

        If two writers have one name, their ids tell them apart. `taken` is a label that the samples will also have.
        """
        known = self._snapshot.replicas
        members = [item for item in members if item.writer != FOLDED_WRITER]
        named = sorted((known.get(item.writer, item.writer), item.writer, item) for item in members)
        namesakes = Counter(name for name, _, _ in named)
        label = replica_label({*dict(labels), taken})
        return [(item, (label, name if namesakes[name] == 1 else f"{name}-{writer}")) for name, writer, item in named]

    def _info(self, _newest: Definition, layout: Definition) -> Iterator[Sample]:
        """One sample per distinct set of facts that a living writer states."""
        stated: set[Labels] = set()
        for values, members in self._of(layout).items():
            for item in self._living(members):
                facts = {**pairs_of(layout, values), **facts_in(item)}
                stated.add(tuple(sorted(facts.items())))
        for labels in sorted(stated):
            yield Sample("_info", labels, 1)

    def _states(self, newest: Definition, layout: Definition) -> Iterator[Sample]:
        """Each living writer's state: a sample per possible state, 1 for the present one and 0 for the others.

        If an older version states one that the newest definition lacks, it is shown beside those of the definition.
        """
        for values, members in sorted(self._of(layout).items()):
            labels = labels_of(layout, values)
            for item, replica in self._by_replica(labels, self._living(members), newest.name):
                present = state_in(item)
                states = newest.states if present in newest.states else (*newest.states, present)
                for state in states:
                    yield Sample("", (*labels, replica, (newest.name, state)), float(state == present))


def said_in(raw: Iterable[bytes]) -> list[bytes]:
    """What statements say."""
    return [one.partition(b" ")[2] for one in raw]


def times_in(raw: Iterable[bytes]) -> list[int]:
    """When statements were made (µs)."""
    return list(map(int, map(_time_in, raw)))


def _time_in(raw: bytes) -> bytes:
    return raw.partition(b" ")[0]


def _are_legible(raw: list[bytes]) -> bool:
    """Whether each is a time and a text in UTF-8; False may mean that nobody can say."""
    joined = b"\n".join(raw)
    # if each has one space and no line feed, the texts between spaces are times and texts in turn
    if joined.translate(None, _OTHERS) != b" \n" * (len(raw) - 1) + b" ":
        return False
    times = joined.replace(b"\n", b" ").split(b" ")[::2]
    return all(times) and b"".join(times).isdigit() and max(map(len, times)) <= TIME_DIGITS and is_text(joined)


def _is_legible(raw: bytes) -> bool:
    time, _, text = raw.partition(b" ")
    try:
        int(time)
        text.decode()
    except ValueError:
        return False
    return True
