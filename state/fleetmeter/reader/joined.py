"""The numbers of a layout in both formats, added up."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import repeat
from math import isfinite
from operator import eq
from typing import Any, NamedTuple

from fleetmeter.reader.fields import Fields
from fleetmeter.reader.hashes import Hash, LikeAHash
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.packing import FRACTION
from fleetmeter.schema.scale import Scale, parse_number
from fleetmeter.schema.units import EXACT, decimal_of, exact_units

_SMALL = 10**300
"""Numbers below this have a float each, also where a million of them are added up."""


class _Arrangement(NamedTuple):
    """The fields of a sum, given those of a hash and those that are packed, and the place of each of the hash's."""

    parts: tuple[Fields, Fields]
    fields: Fields
    places: list[int]

    @classmethod
    def of(cls, numbers: Fields, packed: Fields, before: "_Arrangement | None") -> "_Arrangement":
        if before is not None and all(map(eq, before.parts, (numbers, packed))):
            return before
        found = dict(zip(packed, range(len(packed)), strict=True))
        places = [found.setdefault(field, len(found)) for field in numbers]
        fields = Fields.after(before.fields, list(found)) if before is not None else Fields(found)
        return cls((numbers, packed), fields, places)


class Fractional(float):
    """A number of stored units that is not whole. Its exact value is compared, and rounded once, in the end.

    Else it might be less than what was there before by the last digit of a float, and be taken for a loss.
    """

    exact: Decimal

    @classmethod
    def of(cls, exact: Decimal) -> "Fractional":
        """The number of this value."""
        made = cls(exact)
        made.exact = exact
        return made

    def __eq__(self, other: object) -> bool:
        return bool(self.exact == _exactly(other))

    def __lt__(self, other: float) -> bool:
        return bool(self.exact < _exactly(other))

    def __le__(self, other: float) -> bool:
        return bool(self.exact <= _exactly(other))

    def __gt__(self, other: float) -> bool:
        return bool(self.exact > _exactly(other))

    def __ge__(self, other: float) -> bool:
        return bool(self.exact >= _exactly(other))

    __hash__ = float.__hash__  # of equal numbers it is equal

    def __truediv__(self, scale: float) -> float:
        return float(EXACT.divide(self.exact, Decimal(scale)))


def _exactly(number: Any) -> Any:
    return number.exact if isinstance(number, Fractional) else number


class Joined(LikeAHash):
    """The numbers of one layout in both formats, added up: raw field → raw text, in the units of the packed format.

    A text that is no number, or not finite, stays as it is. A number below these units has digits behind a point.
    `before` are those of an earlier read: if the fields are the same, so is the list of them.
    """

    def __init__(
        self, layout: Definition, numbers: Hash, packed: Mapping[bytes, bytes], before: "Joined | None" = None
    ) -> None:
        self.layout = layout
        self.numbers = numbers
        self.packed = packed
        self.arrangement: _Arrangement | None = before.arrangement if before is not None else None
        """How the sums are arranged, or how earlier ones were, until somebody asks for these."""
        self.fractions: dict[bytes, Fractional] = {}
        """The sums that are no whole numbers of units."""
        self._hash: Hash | None = None

    def as_hash(self) -> Hash:
        """The same as a hash."""
        if self._hash is None:
            self._hash = self._made()
        return self._hash

    def key_of(self, field: bytes) -> str:
        """Where a number is to be looked for if it cannot be read, as errors name it."""
        twin = self.layout.twin
        kind = twin if twin is not None and field in self.numbers else self.layout
        return f"family:{kind.field}"

    def _made(self) -> Hash:
        packed = Hash.of(self.packed)
        self.arrangement = _Arrangement.of(self.numbers.fields, packed.fields, self.arrangement)
        _, fields, places = self.arrangement
        sums = self._whole_sums(packed, fields, places)
        if sums is not None:
            made = Hash(fields, list(map(b"%d".__mod__, sums)))
            if max(map(abs, sums), default=0) < _SMALL:
                made.numbers = [*sums]
            return made
        texts = [*packed.texts, *repeat(b"0", len(fields) - len(packed.texts))]
        for place, field, text in zip(places, self.numbers.fields, self.numbers.texts, strict=True):
            total = _sum(text, self._factor_of(field), texts[place])
            if isinstance(total, Decimal):
                self.fractions[field] = Fractional.of(total)
            texts[place] = total if isinstance(total, bytes) else format(total, "f").encode()
        made = Hash(fields, texts)
        if made.numbers is not None:
            made.numbers = list(map(self.fractions.get, fields, made.numbers))
        return made

    def _whole_sums(self, packed: Hash, fields: Fields, places: list[int]) -> list[int] | None:
        """The sums, if all numbers are whole, as they nearly always are; else None."""
        stored, more = self.numbers.numbers, packed.numbers
        if stored is None or more is None or float in {*map(type, stored), *map(type, more)}:
            return None
        sums = [*map(int, more), *repeat(0, len(fields) - len(more))]
        for place, field, number in zip(places, self.numbers.fields, stored, strict=True):
            sums[place] += int(number) * self._factor_of(field)
        return sums

    def _factor_of(self, field: bytes) -> int:
        """What a number of the hash is multiplied with: counts of observations are the same in both formats."""
        is_value = not self.layout.has_parts or field.endswith(b'"sum"]')
        return FRACTION if self.layout.scale == Scale.FEMTO and is_value else 1

    def __getitem__(self, field: bytes) -> bytes:
        return self.as_hash()[field]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.as_hash())

    def __len__(self) -> int:
        return len(self.as_hash())


def _sum(text: bytes, factor: int, more: bytes) -> bytes | Decimal:
    """A number of the hash and one that is packed, in units of the latter; their text, unless it has a fraction."""
    units, packed = exact_units(text, factor), decimal_of(more)
    if units is not None and packed == int(packed or 0):
        return b"%d" % (units + int(packed))
    number = decimal_of(text)
    if number is None:
        try:
            parsed = parse_number(text)
        except ValueError:
            return text  # whoever reads it says so
        if not isfinite(parsed):
            return text
        number = decimal_of(repr(parsed).encode()) or number
    if number is None or packed is None:
        return text
    return EXACT.add(EXACT.multiply(number, Decimal(factor)), packed)
