"""A hash as it came from the store. Its texts become numbers only when somebody needs them, which saves time."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import compress, repeat
from math import inf
from operator import gt, ne
from typing import Self

from fleetmeter.errors import StateError
from fleetmeter.reader.digits import numbers_in
from fleetmeter.reader.fields import Fields
from fleetmeter.schema.scale import parse_number

_FLOATS = 10**307
"""Numbers whose absolute values add up to less have a float each, also where a few such hashes are added up."""

_MOST_CHANGED = 0.4
"""The part of the numbers up to which it takes less time to look for those that changed than to read them all."""


class LikeAHash(Mapping[bytes, bytes]):
    """Numbers that stand elsewhere than in a hash, and pass for one."""

    @abstractmethod
    def as_hash(self) -> "Hash":
        """The same as a hash; the same object each time."""


class Hash(Mapping[bytes, bytes]):
    """Raw field → raw text. `fields` and `texts` are the same in two lists, in the order in which the store gave them.

    What was derived from the `fields` of one hash can be used for another if their `fields` are equal.
    """

    def __init__(self, fields: list[bytes], texts: list[bytes]) -> None:
        self.fields: Fields = fields if isinstance(fields, Fields) else Fields(fields)
        self.texts = texts
        self.before: Hash | None = None
        """An earlier one, from which the numbers follow in less time; until they are asked for."""

    @classmethod
    def of(cls, raw: Mapping[bytes, bytes]) -> Self:
        """A hash of this content. If the mapping is a `Hash` already, it is returned as it is."""
        if isinstance(raw, LikeAHash):
            raw = raw.as_hash()
        return raw if isinstance(raw, cls) else cls(list(raw), list(raw.values()))

    @classmethod
    def flat(cls, reply: list[bytes], before: Self | None = None) -> Self:
        """A hash from a HGETALL reply: field, text, field, text.

        If its fields, or all of it, are equal to what was read `before`, the earlier object is used, so that nothing
        that was derived from it is made again.
        """
        fields, texts = reply[0::2], reply[1::2]
        if before is None:
            return cls(fields, texts)
        if fields != before.fields:
            made = cls(Fields.after(before.fields, fields), texts)
        elif texts != before.texts:
            made = cls(before.fields, texts)
        else:
            return before
        made.before, before.before = before, None
        return made

    def share(self, texts: list[bytes]) -> None:
        """Take equal texts in the place of these, so that nobody keeps them twice."""
        self.texts = texts

    @cached_property
    def numbers(self) -> list[float] | None:
        """The numbers in the order of the fields, those that are whole as `int`.

        None if one of the texts is no finite number, or if no float can hold the sum of some of them.
        """
        before, self.before = self.before, None
        try:
            numbers = self._since(before) if before is not None else _numbers_of(self.texts)
            return numbers if sum(map(abs, numbers)) < _FLOATS else None
        except (ValueError, OverflowError):
            return None  # one of them is no number, or has more digits than Python reads, or than a float holds

    def _since(self, before: "Hash") -> list[float]:
        """The numbers, given an earlier hash. Where nothing changed they are the same objects."""
        numbers: list[float] | None = before.__dict__.get("numbers")
        if not numbers:
            return _numbers_of(self.texts)
        texts: Sequence[bytes | None] = before.texts
        if before.fields is not self.fields:
            if float not in set(map(type, numbers)):
                return _numbers_of(self.texts)  # whole ones are read as fast as they are found
            change = self.fields.since(before.fields)
            texts = change.carried(texts, repeat(None, len(change.came)))
            numbers = change.carried(numbers, repeat(0, len(change.came)))
        changed = list(compress(range(len(texts)), map(ne, self.texts, texts)))
        if len(changed) > _MOST_CHANGED * len(texts):
            return _numbers_of(self.texts)
        numbers = numbers[:]
        for place, number in zip(changed, _numbers_of([self.texts[place] for place in changed]), strict=True):
            numbers[place] = number
        return numbers

    def below(self, served: "Hash") -> dict[bytes, bytes]:
        """The served numbers that are missing here, or lower here, or no number any more, as they were served.

        Each of `served` is a number. Those that are not finite are left out.
        """
        if self is served:
            return {}
        before, now = served.numbers, self.numbers
        if before is None or now is None:
            return {field: text for field, text in served.items() if _below(self.get(field), text)}
        if not (self.fields is served.fields or self.fields == served.fields):
            change = self.fields.since(served.fields)
            now = list(map([*now, -inf].__getitem__, change.moved[:-1])) if change.gone else [*change.here(now)]
        lower = list(map(gt, before, now))
        return dict(compress(zip(served.fields, served.texts, strict=True), lower)) if any(lower) else {}

    @cached_property
    def _by_field(self) -> dict[bytes, bytes]:
        return dict(zip(self.fields, self.texts, strict=True))

    def __getitem__(self, field: bytes) -> bytes:
        return self._by_field[field]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __repr__(self) -> str:
        return f"Hash({self._by_field!r})"


def something_else(key: str, error: Exception) -> StateError:
    """The problem of a key, or of a read, that the store answered with an error: it is of another type."""
    return StateError(key, f"a key of this namespace is of another type: {error}", "wrong_type")


def _below(stored: bytes | None, served: bytes) -> bool:
    if stored == served:
        return False
    before = parse_number(served)
    if before - before != 0:
        return False  # no writer leaves NaN or an infinity, and nothing could ever catch up with it
    try:
        return stored is None or parse_number(stored) < before
    except ValueError:
        return True


def _numbers_of(texts: list[bytes]) -> list[float]:
    """The texts as numbers, those that are whole as `int`. Raises `ValueError`."""
    joined = b",".join(texts)
    if joined.replace(b",", b"").isdigit() and all(texts):
        return list(map(int, texts))
    numbers = numbers_in(texts) or list(map(parse_number, texts))
    return [number + 0 for number in numbers] if b"-" in joined else numbers  # a negative zero is 0
