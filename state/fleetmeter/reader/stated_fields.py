"""The fields of `gauges`, parsed into writer, layout and series. Each field is parsed once, when it is new."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from fleetmeter.schema.definition import read_json, texts_of

_Whose = tuple[str, str, str, tuple[str, ...]]
"""Writer, family, layout and label values by sorted name."""


@dataclass(frozen=True)
class Stated:
    """The statements of one layout: their places in the hash, their writers, and the label values of their series."""

    places: list[int] = field(default_factory=list)
    writers: list[str] = field(default_factory=list)
    values: list[tuple[str, ...]] = field(default_factory=list)


_NOTHING = Stated()


class StatedFields:
    """The fields of one hash. As long as a `Stated` is the same object, everything derived from it holds.

    `unreadable` lists the places of fields that are no statements.
    """

    def __init__(self, fields: Sequence[bytes], before: Self | None = None) -> None:
        self.fields = fields
        known: dict[bytes, _Whose | None] = dict(before.whose()) if before is not None else {}
        self._whose = [known.get(field) or _whose(field) for field in fields]
        self.unreadable = [place for place, whose in enumerate(self._whose) if whose is None]
        self._by_layout: dict[tuple[str, str], Stated] = {}
        for place, whose in enumerate(self._whose):
            if whose is not None:
                writer, name, layout, values = whose
                stated = self._by_layout.get((name, layout))
                if stated is None:
                    stated = self._by_layout[name, layout] = Stated()
                stated.places.append(place)
                stated.writers.append(writer)
                stated.values.append(values)

    @classmethod
    def of(cls, fields: Sequence[bytes], before: Self | None) -> Self:
        """The statements of these fields; `before` itself if its fields are the same object."""
        return before if before is not None and before.fields is fields else cls(fields, before)

    def whose(self) -> Iterator[tuple[bytes, _Whose | None]]:
        """Each field, with its writer, family, layout and label values; None if it is no statement."""
        return zip(self.fields, self._whose, strict=True)

    def of_layout(self, name: str, layout: str) -> Stated:
        """The statements of a family's layout."""
        return self._by_layout.get((name, layout), _NOTHING)


def _whose(field: bytes) -> _Whose | None:
    try:
        writer, _, series = field.decode().partition(" ")
        *family, values = read_json(series)
        name, layout = texts_of(family)
        return writer, name, layout, tuple(texts_of(values))
    except (ValueError, TypeError):
        return None
