"""An exposition as the texts that it is made of, which are joined piece by piece as they are sent."""

from collections.abc import Iterator, Sequence

Text = bytes | Sequence[bytes]
"""Lines as one text, or as the texts of many series."""

PIECE = 1 << 19
"""Bytes of the largest piece that is made of several texts: small enough for memory that is used again at once."""


class Body:
    """Texts that follow each other, without the line feed that the first begins with.

    A large text of its own would take twice the memory, and most of the time of a scrape in which little changed.
    """

    def __init__(self, texts: Sequence[Text]) -> None:
        self._texts = [text for text in texts if text]
        if self._texts:
            first = self._texts[0]
            self._texts[:1] = [first[1:]] if isinstance(first, bytes) else [first[0][1:], first[1:]]
        self._length = sum(len(text) if isinstance(text, bytes) else sum(map(len, text)) for text in self._texts)

    def __len__(self) -> int:
        """Bytes of all."""
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        """The pieces."""
        for text in self._texts:
            if isinstance(text, bytes):
                yield text
                continue
            # series of one family have lines of about one length
            most = max(1, PIECE * len(text) // max(1, sum(map(len, text))))
            yield from (b"".join(text[first : first + most]) for first in range(0, len(text), most))

    def whole(self) -> bytes:
        """All of it as one text."""
        return b"".join(self)
