"""What the hash of one layout holds: fields taken apart into label values and part, texts into numbers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isnan

from fleetmeter.errors import StateError
from fleetmeter.reader.fields import Fields
from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.joined import Joined
from fleetmeter.reader.packed import PackedNumbers
from fleetmeter.reader.places import Places
from fleetmeter.reader.sample import Labels
from fleetmeter.reader.spelling import are_lists, columns_of, lists_of
from fleetmeter.schema.definition import Definition, read_json, texts_of
from fleetmeter.schema.scale import parse_number

Numbers = Mapping[str, Mapping[bytes, bytes]]
"""Raw numbers by the family's field in `families`, then by their own field."""


def stored_numbers(
    layout: Definition, order: tuple[str, ...], raw: Mapping[bytes, bytes]
) -> Iterator[tuple[bytes, Labels, str, float]]:
    """Field, labels in that order, part and stored number of each field.

    Raises `StateError` for a field that is no series of the layout, and for a text that is no number.
    """
    names = sorted(layout.labels)
    joined = raw if isinstance(raw, Joined) else None
    for raw_field, text in raw.items():
        try:
            values, part = _taken_apart(layout, raw_field)
            pairs = dict(zip(names, values, strict=True))
            number = parse_number(text)
            number = joined.fractions.get(raw_field, number) if joined is not None else number
        except (ValueError, TypeError, IndexError) as error:
            problem = f"{raw_field!r} → {text!r} is no number of this family"
            key = joined.key_of(raw_field) if joined is not None else f"family:{layout.field}"
            raise StateError(key, problem, "bad_value") from error
        yield raw_field, tuple((name, pairs[name]) for name in order), part, number


class Legibility:
    """Whether a layout's hash can be read as a whole. A layout is served only if it can.

    To look at 100,000 fields takes some 50 ms. It is done only for those that came since the last read.
    """

    def __init__(self) -> None:
        self._fitting: dict[str, Fields] = {}  # by layout: the fields that were checked and belong to series of it
        self._packed: dict[str, Places] = {}  # the same of packed layouts

    def of(self, layout: Definition, numbers: Mapping[bytes, bytes]) -> bool:
        """Whether `stored_numbers` reads all of them."""
        if isinstance(numbers, PackedNumbers):
            return self._of_places(layout, numbers.places)
        stored = Hash.of(numbers)
        before = self._fitting.get(layout.field, Fields())
        if before is not stored.fields:
            new = stored.fields.not_in(before)
            if new and not (_all_plain(layout, new) or all(_fits(layout, field) for field in new)):
                return False
            self._fitting[layout.field] = stored.fields
        return stored.numbers is not None or _are_numbers(stored.texts)

    def _of_places(self, layout: Definition, places: Places) -> bool:
        """The same of packed numbers, which are always numbers."""
        before = self._packed.get(layout.field)
        if before is not places:
            known = before is not None and places.grew_from(before)
            new = places.series[len(before) if before is not None and known else 0 :]
            parts = {part for group in places.groups for part in group.shape.parts}
            if not (_are_series(layout, new) and _have_parts(layout, parts)):
                return False
            self._packed[layout.field] = places
        return True


def plain_texts(layout: Definition, series: Sequence[bytes]) -> list[list[str]] | None:
    """Label values by sorted name, as columns, given the fields of series without the part; see `parted`.

    None if our writers would not spell one of them so.
    """
    if not layout.has_parts:
        return columns_of(series, len(layout.labels))
    return columns_of([key + b"]" for key in series], len(layout.labels)) if layout.labels else []


def plain_parts(layout: Definition, tails: Sequence[bytes]) -> list[str] | None:
    """The parts that these ends of fields name; see `parted`. None if our writers would not spell one of them so."""
    found = columns_of([b'["' + tail for tail in tails] if layout.labels else tails, 1)
    try:
        for part in found[0] if found is not None else ():
            _check_part(layout, part)
    except ValueError:
        return None
    return found[0] if found is not None else None


def parted(fields: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """What each field of a layout with parts begins with, which is that of its series, and its end, with the part.

    Example: `["a","b","sum"]` is `["a","b"` and `sum"]`. Without labels there is no beginning.
    """
    parts = [field.rpartition(b',"') for field in fields]
    return [key for key, _, _ in parts], [tail for _, _, tail in parts]


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
    width = len(layout.labels)
    if not layout.has_parts:
        if are_lists(fields, width):
            return True
    else:
        keys, tails = map(set, parted(fields))
        if (not width or are_lists([key + b"]" for key in keys], width)) and plain_parts(
            layout, list(tails)
        ) is not None:
            return True
    return _belong(layout, lists_of(fields))


def _are_series(layout: Definition, series: Sequence[bytes]) -> bool:
    """Whether each has a value for each label of the layout."""
    if are_lists(series, len(layout.labels)):
        return True
    parsed = lists_of(series)
    return parsed is not None and set(map(len, parsed)) <= {len(layout.labels)}


def _have_parts(layout: Definition, parts: Iterable[str]) -> bool:
    """Whether numbers of the layout can have these parts."""
    try:
        for part in parts:
            _check_part(layout, part)
    except ValueError:
        return False
    return True


def _belong(layout: Definition, parsed: list[list[str]] | None) -> bool:
    if parsed is None or not set(map(len, parsed)) <= {len(layout.labels) + layout.has_parts}:
        return False
    return _have_parts(layout, {values[-1] for values in parsed} if layout.has_parts else ())


def _are_numbers(texts: list[bytes]) -> bool:
    """Whether `parse_number` can read each of them, which is so if `float` can."""
    try:
        for _ in map(float, texts):
            pass
    except ValueError:
        return False
    return True
