"""A hash as it came from the store. Its texts become numbers only when somebody needs them, which saves time."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import compress
from operator import gt
from typing import Self

from fleetmeter.schema.scale import parse_number

_FLOATS = 10**308
"""Below this limit every whole number has a float of exactly its value."""


class Hash(Mapping[bytes, bytes]):
    """Raw field → raw text. `fields` and `texts` are the same in two lists, in the order in which the store gave them.

    What was derived from the `fields` of one hash can be used for another if their `fields` are equal.
    """

    def __init__(self, fields: list[bytes], texts: list[bytes]) -> None:
        self.fields = fields
        self.texts = texts

    @classmethod
    def of(cls, raw: Mapping[bytes, bytes]) -> Self:
        """A hash of this content. If the mapping is a `Hash` already, it is returned as it is."""
        return raw if isinstance(raw, cls) else cls(list(raw), list(raw.values()))

    @classmethod
    def flat(cls, reply: list[bytes], before: Self | None = None) -> Self:
        """A hash from a HGETALL reply: field, text, field, text.

        If its fields, or all of it, are equal to what was read `before`, the earlier object is used, so that nothing
        that was derived from it is made again.
        """
        fields, texts = reply[0::2], reply[1::2]
        if before is None or fields != before.fields:
            return cls(fields, texts)
        return before if texts == before.texts else cls(before.fields, texts)

    @cached_property
    def wholes(self) -> list[int] | None:
        """The numbers, if each is whole and not negative, and a float can hold the sum of any of them; else None."""
        if not (all(self.texts) and b"".join(self.texts).isdigit()) and self.texts:
            return None
        try:
            numbers = list(map(int, self.texts))
        except ValueError:
            return None  # one of them has more digits than Python reads
        return numbers if sum(numbers) < _FLOATS else None

    def below(self, served: "Hash") -> dict[bytes, bytes]:
        """The served numbers that are missing here, or lower here, or no number any more, as they were served.

        Each of `served` is a number. Those that are not finite are left out.
        """
        if self is served:
            return {}
        if self.fields is served.fields or self.fields == served.fields:
            before, now = served.wholes, self.wholes
            if before is not None and now is not None:
                lower = list(map(gt, before, now))
                return dict(compress(zip(served.fields, served.texts, strict=True), lower)) if any(lower) else {}
        return {field: text for field, text in served.items() if _below(self.get(field), text)}

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
