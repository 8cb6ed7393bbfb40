"""An exposition as the texts that it is made of, small ones of which are joined as they are sent."""

from collections.abc import Iterable, Iterator

from fleetmeter_exporter.exposition.unwritten import Unwritten

PIECE = 1 << 17
"""Bytes of the largest piece that is made of several texts."""


class Body:
    """Texts that follow each other, without the line feed that the first begins with.

    A large text of its own would take twice the memory, and much of the time of a scrape.
    """

    def __init__(self, texts: Iterable[bytes | Unwritten]) -> None:
        self._texts = [text for text in texts if text]
        self._length = max(0, sum(map(len, self._texts)) - 1)

    def __len__(self) -> int:
        """Bytes of all."""
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        """The pieces."""
        some: list[bytes] = []
        size = 0
        for text in self._written():
            if some and size + len(text) > PIECE:
                yield b"".join(some)
                some, size = [], 0
            some.append(text)
            size += len(text)
        if some:
            yield b"".join(some)

    def whole(self) -> bytes:
        """All of it as one text."""
        return b"".join(self._written())

    def _written(self) -> Iterator[bytes]:
        feed = 1
        for text in self._texts:
            for part in text if isinstance(text, Unwritten) else (text,):
                yield part[feed:]
                feed = 0
