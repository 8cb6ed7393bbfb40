"""Whose statements the fields of `gauges` are: taken apart once, and again only what came since."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from fleetmeter.schema.definition import read_json, texts_of

_Whose = tuple[str, str, str, tuple[str, ...]]
"""Writer, family, layout and label values by sorted name."""


@dataclass(frozen=True)
class Stated:
    """The statements of one layout: at which places of the hash they are, by whom, and of which series."""

    places: list[int] = field(default_factory=list)
    writers: list[str] = field(default_factory=list)
    values: list[tuple[str, ...]] = field(default_factory=list)


_NOTHING = Stated()


class StatedFields:
    """The fields of one hash. What was derived from a `Stated` holds as long as it is the same object.

    `unreadable` lists the places of fields that are no statement's.
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
        """Those of these fields; what was made `before` itself if they are the same."""
        return before if before is not None and before.fields is fields else cls(fields, before)

    def whose(self) -> Iterator[tuple[bytes, _Whose | None]]:
        """Each field, and whose it is."""
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
