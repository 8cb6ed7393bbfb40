"""What the hash of one layout holds: fields taken apart into label values and part, texts into numbers."""

from collections.abc import Iterator, Mapping
from itertools import chain
from math import isnan

from fleetmeter.errors import StateError
from fleetmeter.reader.hashes import Fields, Hash
from fleetmeter.reader.sample import Labels
from fleetmeter.schema.definition import Definition, compact_json, read_json, texts_of
from fleetmeter.schema.scale import parse_number, unscaled

Numbers = Mapping[str, Mapping[bytes, bytes]]
"""Raw numbers by the family's field in `families`, then by their own field."""


def stored_numbers(
    layout: Definition, order: tuple[str, ...], raw: Mapping[bytes, bytes]
) -> Iterator[tuple[bytes, Labels, str, float]]:
    """Field, labels in that order, part and value, in the family's unit, of each stored number.

    Raises `StateError` for a field that is no series of the layout, and for a text that is no number.
    """
    names = sorted(layout.labels)
    for raw_field, text in raw.items():
        try:
            values, part = _taken_apart(layout, raw_field)
            pairs = dict(zip(names, values, strict=True))
            number = parse_number(text)
        except (ValueError, TypeError, IndexError) as error:
            problem = f"{raw_field!r} → {text!r} is no number of this family"
            raise StateError(f"family:{layout.field}", problem, "bad_value") from error
        scaled = unscaled(number, layout.scale if part in ("", "sum") else 1)
        yield raw_field, tuple((name, pairs[name]) for name in order), part, scaled


class Legibility:
    """Whether a layout's hash can be read as a whole. A layout is served only if it can.

    To look at 100,000 fields takes some 50 ms. It is done only for those that came since the last read.
    """

    def __init__(self) -> None:
        self._fitting: dict[str, Fields] = {}  # by layout: the fields that were checked and belong to series of it

    def of(self, layout: Definition, numbers: Mapping[bytes, bytes]) -> bool:
        """Whether `stored_numbers` reads all of them."""
        stored = Hash.of(numbers)
        before = self._fitting.get(layout.field, Fields())
        if before is not stored.fields:
            places = stored.fields.places_in(before)
            new = [field for field, place in zip(stored.fields, places, strict=True) if place is None]
            if new and not (_all_plain(layout, new) or all(_fits(layout, field) for field in new)):
                return False
            self._fitting[layout.field] = stored.fields
        return stored.numbers is not None or _are_numbers(stored.texts)


def plain_values(layout: Definition, fields: list[bytes]) -> list[list[str]] | None:
    """Label values by sorted name, and the part, of each field; None if our writers would not spell one of them so.

    If nothing is escaped, their spelling is the shortest. So if all fields together are as short as possible, each is.
    """
    parsed = _parsed_together(layout, fields)
    if not parsed:
        return parsed
    if b"\\" in b"".join(fields):
        return parsed if compact_json(parsed).encode() == b"[" + b",".join(fields) + b"]" else None
    width = len(parsed[0])
    shortest = len("".join(chain.from_iterable(parsed)).encode()) + len(parsed) * (3 * width + 1 if width else 2)
    return parsed if sum(map(len, fields)) == shortest else None


def _taken_apart(layout: Definition, field: bytes) -> tuple[list[str], str]:
    """Label values by sorted name, and the part.

    Raises ValueError, TypeError or IndexError if it is no field of the layout. The caller checks that there are as many
    values as labels.
    """
    values = texts_of(read_json(field))
    part = values.pop() if layout.has_parts else ""
    _check_part(layout, part)
    return values, part


def _check_part(layout: Definition, part: str) -> None:
    if layout.type == "histogram" and part != "sum" and isnan(float(part)):
        raise ValueError("no bucket has the bound NaN")
    if layout.type == "summary" and part not in ("sum", "count"):
        raise ValueError("a summary has only a sum and a count")


def _fits(layout: Definition, field: bytes) -> bool:
    """Whether a field belongs to a series of the layout."""
    try:
        return len(_taken_apart(layout, field)[0]) == len(layout.labels)
    except (ValueError, TypeError, IndexError):
        return False


def _all_plain(layout: Definition, fields: list[bytes]) -> bool:
    """Whether all fields belong to series of the layout, checked in one go. False may also mean that nobody can say."""
    return _parsed_together(layout, fields) is not None


def _parsed_together(layout: Definition, fields: list[bytes]) -> list[list[str]] | None:
    """The texts of each field, if all fields belong to series of the layout; None if not, or if nobody can say.

    The fields are joined by line feeds and read as one JSON text. No two fields can pass for one, nor one for two: JSON
    permits no line feed inside a text, and each field must begin a list of its own that holds only texts.
    """
    joined = b",\n".join(fields)
    if fields and not (joined.startswith(b"[") and joined.count(b",\n[") == len(fields) - 1):
        return None
    try:
        parsed: list[list[str]] = read_json(b"[" + joined + b"]")
        if len(parsed) != len(fields) or not set(map(type, parsed)) <= {list}:
            return None
        texts_of(list(chain.from_iterable(parsed)))
        if layout.has_parts:
            for part in {values[-1] for values in parsed}:
                _check_part(layout, part)
    except (ValueError, TypeError, IndexError):
        return None
    return parsed if set(map(len, parsed)) <= {len(layout.labels) + layout.has_parts} else None


def _are_numbers(texts: list[bytes]) -> bool:
    """Whether `parse_number` can read each of them, which is so if `float` can."""
    try:
        for _ in map(float, texts):
            pass
    except ValueError:
        return False
    return True
