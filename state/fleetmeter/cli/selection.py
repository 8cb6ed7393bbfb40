"""The series that a command line names: a family, and perhaps label values that only some of its series have."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from fleetmeter.cli.errors import CommandError
from fleetmeter.cli.printing import shown
from fleetmeter.errors import SettingError
from fleetmeter.reader.families import Family
from fleetmeter.reader.sample import Sample
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import Definition, compact_json

_SUFFIXES = ("_total", "_sum", "_count", "_bucket", "_info", "_created")
"""The suffixes that an exposition adds to a family's name."""


@dataclass(frozen=True)
class SeriesSelection:
    """A family, and the label values that a series must have; without label values, the whole family."""

    family: str
    labels: dict[str, str]

    @classmethod
    def parse(cls, family: str, pairs: Iterable[str]) -> Self:
        """From words of a command line such as `model=gpt-6`. Raises `SettingError`."""
        labels: dict[str, str] = {}
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if not (name and equals):
                raise SettingError("label=value", f"{pair!r} has no name or no '='; expected one such as model=gpt-6")
            if name in labels:
                raise SettingError("label=value", f"the label {name!r} is given twice; expected one value for each")
            labels[name] = value
        return cls(family, labels)

    def definitions(self, snapshot: Snapshot) -> list[Definition]:
        """Every layout of the family. Raises `CommandError` if there is none, or if none has these labels."""
        found = [stored.definition for stored in snapshot.definitions if stored.definition.name == self.family]
        if not found:
            raise CommandError(f"there is no family {self.family!r}{self._hint(snapshot)}; `fleetmeter ls` lists them")
        if not any(self.pattern(definition) for definition in found):
            names = sorted({name for definition in found for name in definition.labels})
            has = f"its labels are {', '.join(map(shown, names))}" if names else "it has no labels"
            raise CommandError(f"no series of {self.family!r} has the labels {', '.join(self.labels)}; {has}")
        return found

    def pattern(self, definition: Definition) -> str | None:
        """The label values in the order of their sorted names, as JSON, with null for any value.

        None if the layout lacks one of the labels.
        """
        if not self.labels.keys() <= set(definition.labels):
            return None
        return compact_json([self.labels.get(name) for name in sorted(definition.labels)])

    def samples(self, family: Family) -> list[Sample]:
        """The samples of the family that have the label values."""
        return [sample for sample in family.samples if self.labels.items() <= dict(sample.labels).items()]

    def _hint(self, snapshot: Snapshot) -> str:
        names = {stored.definition.name for stored in snapshot.definitions}
        stems = [self.family.removesuffix(suffix) for suffix in _SUFFIXES if self.family.endswith(suffix)]
        meant = [stem for stem in stems if stem in names]
        return f" (is {meant[0]!r} meant?)" if meant else ""


def series_of(samples: Iterable[Sample]) -> int:
    """How many series the samples belong to; all buckets of one label set are one series."""
    return len({tuple(pair for pair in sample.labels if pair[0] != "le") for sample in samples})
