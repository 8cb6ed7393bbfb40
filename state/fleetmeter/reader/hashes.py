"""A hash as it came from the store: texts until somebody needs more."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import compress
from operator import gt
from typing import Self

from fleetmeter.schema.scale import parse_number

_FLOATS = 10**308
"""Below this, every whole number has a float that is next to it."""


class Hash(Mapping[bytes, bytes]):
    """Raw field → raw text. `fields` and `texts` are the same in two lists, in the order in which the store gave them.

    What was derived from the `fields` of one can be used for another whose fields are equal, or the same object.
    """

    def __init__(self, fields: list[bytes], texts: list[bytes]) -> None:
        self.fields = fields
        self.texts = texts

    @classmethod
    def of(cls, raw: Mapping[bytes, bytes]) -> Self:
        """The same content; the mapping itself where it is one of these."""
        return raw if isinstance(raw, cls) else cls(list(raw), list(raw.values()))

    @classmethod
    def flat(cls, reply: list[bytes], before: Self | None = None) -> Self:
        """That of a HGETALL reply: field, text, field, text.

        As much of it as is equal in what was read `before` is that same object, which need not be looked at again.
        """
        fields, texts = reply[0::2], reply[1::2]
        if before is None or fields != before.fields:
            return cls(fields, texts)
        return before if texts == before.texts else cls(before.fields, texts)

    @cached_property
    def wholes(self) -> list[int] | None:
        """The numbers, where every one is a whole number from 0, and any sum of them a float; None where not."""
        if not (all(self.texts) and b"".join(self.texts).isdigit()) and self.texts:
            return None
        try:
            numbers = list(map(int, self.texts))
        except ValueError:
            return None  # one of them has more digits than Python reads
        return numbers if sum(numbers) < _FLOATS else None

    def below(self, served: "Hash") -> dict[bytes, bytes]:
        """Those of `served` that are lacking here, or lower here, or are no number any more, as they were served.

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
