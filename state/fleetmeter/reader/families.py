"""From a snapshot to the fleet's families: what each is made of, and its samples over all layouts."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import lcm
from typing import NamedTuple

from prometheus_client.samples import Exemplar

from fleetmeter.errors import StateError
from fleetmeter.reader.exemplars import ByNumber, Exemplars
from fleetmeter.reader.fields import Fields
from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.numbers import stored_numbers
from fleetmeter.reader.packed import PackedNumbers
from fleetmeter.reader.returned import telling_number
from fleetmeter.reader.sample import Labels, Sample
from fleetmeter.reader.series import Series, series_samples
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.statements import STATED_TYPES, Statements
from fleetmeter.reader.twins import joined
from fleetmeter.schema.definition import Definition, StoredDefinition, series_key
from fleetmeter.schema.scale import ADDED_TYPES

SERVED_TYPES = STATED_TYPES | ADDED_TYPES
"""The types that this version can serve; replicas of a later one may write more."""


@dataclass
class Family:
    """One family of the fleet: the newest definition, and the samples of all its layouts, in exposition order.

    `first_us` is when it was first registered. `returned_us` has, by series, a later time from which that series
    counts. `ever_set` says of a gauge whether anybody has set it.
    """

    definition: Definition
    first_us: int
    ever_set: bool = False
    samples: list[Sample] = field(default_factory=list)
    returned_us: dict[Labels, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """What one family is made of: its newest definition, and the layouts whose numbers are shown.

    `first_us` is when the first of them was registered.
    """

    newest: Definition
    layouts: tuple[Definition, ...]
    first_us: int


class Amounts(NamedTuple):
    """What is added up in one layout: the fields, and their numbers in the same order, in stored units.

    `numbers` is None if they cannot be taken as they are: the general way looks at each. `exemplars` and `returned` are
    by field; of the latter see `Returned.of`. While `fields` is the same object, what was derived from it holds.
    """

    fields: Fields
    numbers: list[float] | None
    exemplars: Mapping[bytes, Exemplar]
    returned: Mapping[bytes, int]


class Families:
    """The families of a snapshot. `stated` are the statements of an earlier one: they save time.

    So do `exemplars` that have read those of an earlier one.
    """

    def __init__(
        self, snapshot: Snapshot, stated: Statements | None = None, exemplars: Exemplars | None = None
    ) -> None:
        self.snapshot = joined(snapshot)
        self._stated = stated
        self._exemplars = exemplars if exemplars is not None else Exemplars()

    @cached_property
    def sources(self) -> dict[str, Source]:
        """What each family that this version can serve is made of, by name, in their order."""
        return {name: source for name, source in self._all.items() if source.newest.type in SERVED_TYPES}

    @cached_property
    def left_out(self) -> dict[str, str]:
        """The families of a type that this version does not know, as a later version writes them: type by name."""
        types = {name: source.newest.type for name, source in self._all.items()}
        return {name: kind for name, kind in types.items() if kind not in SERVED_TYPES}

    @cached_property
    def statements(self) -> Statements:
        """What the writers state."""
        return Statements(self.snapshot, self._stated)

    def exemplars(self, layout: Definition) -> ByNumber:
        """The exemplars of a layout's numbers."""
        return self._all_exemplars.get(layout.field, {})

    def amounts(self, layout: Definition, *, exemplars: bool) -> Amounts:
        """What is added up in a layout, for who writes it out without a look at each number."""
        stored = Hash.of(self.snapshot.numbers.get(layout.field, {}))
        examples = self.exemplars(layout) if exemplars else {}
        return Amounts(stored.fields, stored.numbers, examples, self.snapshot.returned.of(layout.field))

    def packed(self, source: Source) -> list[PackedNumbers] | None:
        """The numbers of each layout.

        None if one is not packed, if older numbers are held, or if two layouts have the same labels, so that a series
        may be in both.
        """
        found = [self.snapshot.numbers.get(layout.field) for layout in source.layouts]
        packed = [numbers for numbers in found if isinstance(numbers, PackedNumbers)]
        sets = {frozenset(layout.labels) for layout in source.layouts}
        return packed if len(packed) == len(sets) == len(found) else None

    def is_read(self, source: Source) -> bool:
        """Whether a gauge shows the samples of a `GaugeRead`: one is registered, and nobody has set the gauge."""
        name = source.newest.name
        return name in (self.snapshot.extras or {}) and not any(map(self.statements.ever_set, source.layouts))

    def family(self, source: Source) -> Family:
        """One family with its samples. Raises `StateError` for a stored value that cannot be read."""
        family = Family(source.newest, source.first_us)
        if source.newest.type in STATED_TYPES:
            family.ever_set = any(map(self.statements.ever_set, source.layouts))
            family.samples = list(self.statements.samples(source.newest, source.layouts))
            if source.newest.type == "gauge" and not family.ever_set:
                family.samples = self._read_samples(source.newest.name) or family.samples
        else:
            for labels, series in self._series(source):
                family.samples += series_samples(source.newest, labels, series)
                if series.since_us > source.first_us:  # else it is of another life of the family
                    family.returned_us[labels] = series.since_us
        return family

    def _read_samples(self, name: str) -> list[Sample] | None:
        """The samples of a gauge that is read from the store by a `GaugeRead`; None for a gauge that replicas set."""
        read, replies = (self.snapshot.extras or {}).get(name, (None, ()))
        if read is None:
            return None
        try:
            samples = read.samples(replies, self._samples_of)
            return None if samples is None else [Sample("", labels, float(value)) for _, labels, value, _ in samples]
        except StateError:
            raise
        except Exception as error:  # somebody else's code, of which only its own gauge may suffer
            raise StateError(
                f"reads[{name}]", f"its function samples() failed for the replies {replies!r}: {error!r}", "bad_value"
            ) from error

    def _samples_of(self, name: str) -> list[Sample] | None:
        source = self.sources.get(name)
        return None if source is None else self.family(source).samples

    def _series(self, source: Source) -> list[tuple[Labels, Series]]:
        """The series of a family by their labels, in exposition order."""
        orders = {frozenset(source.newest.labels): source.newest.labels}
        series: dict[Labels, Series] = {}
        scale = lcm(*(layout.scale for layout in source.layouts))
        for layout in source.layouts:
            order = orders.setdefault(frozenset(layout.labels), layout.labels)
            examples, returned = self.exemplars(layout), self.snapshot.returned.of(layout.field)
            numbers = self.snapshot.numbers.get(layout.field, {})
            for raw_field, labels, part, number in stored_numbers(layout, order, numbers):
                since_us = 0
                if returned:
                    since_us = returned.get(telling_number(raw_field, has_part=layout.has_parts), 0)
                found = series.get(labels)
                if found is None:
                    found = series[labels] = Series(series_key(raw_field, has_part=layout.has_parts), since_us, scale)
                found.since_us = min(found.since_us, since_us)
                found.add(part, number, layout.scale, examples.get(raw_field))
        return sorted(series.items(), key=lambda item: (item[1].key, item[0]))

    @cached_property
    def _all_exemplars(self) -> Mapping[str, ByNumber]:
        return self._exemplars.of(self.snapshot.exemplars)

    @cached_property
    def _all(self) -> dict[str, Source]:
        by_name: dict[str, list[StoredDefinition]] = defaultdict(list)
        for stored in self.snapshot.definitions:
            by_name[stored.definition.name].append(stored)
        found = {}
        for name, all_of_it in sorted(by_name.items()):
            newest = max(all_of_it, key=lambda stored: stored.defined_us).definition
            layouts = [stored for stored in all_of_it if stored.definition.type == newest.type]
            first_us = min(stored.first_us for stored in layouts)
            found[name] = Source(newest, tuple(stored.definition for stored in layouts), first_us)
        return found


def families_of(snapshot: Snapshot) -> list[Family]:
    """The families of a snapshot, by name. Raises `StateError` if any of it cannot be read.

    A family whose newest type this version does not know is left out; `types_left_out` names it.
    """
    families, problems = legible_families(snapshot)
    for problem in problems:
        raise problem
    return families


def legible_families(snapshot: Snapshot) -> tuple[list[Family], list[StateError]]:
    """The families of a snapshot that can be read, by name; and for everything that cannot be read, why not."""
    families = Families(snapshot)
    problems = [*snapshot.problems]
    made = []
    for source in families.sources.values():
        try:
            made.append(families.family(source))
        except StateError as error:
            problems.append(error)
    return made, [*problems, *families.statements.problems]


def types_left_out(snapshot: Snapshot) -> dict[str, str]:
    """The families that `families_of` leaves out, by name, each with its type."""
    return Families(snapshot).left_out
