"""Lines that are known, and become a text no sooner than they are sent."""

from collections.abc import Iterator, Sequence


class Unwritten:
    """The texts of patterns, each with `%b` for so many `numbers`, whose texts are `spelled` with commas in between.

    To write them out takes ten times the memory, and is done while the texts before are on their way. `literal` is how
    many bytes the texts have beside the numbers. Nothing here changes any more, so any number of readers may write
    them out at any time.
    """

    def __init__(self, patterns: Sequence[bytes], numbers: Sequence[int], literal: int, spelled: bytes) -> None:
        self._patterns = patterns
        self._numbers = numbers
        self._spelled = spelled
        self._length = literal + len(spelled) - (sum(numbers) - 1)

    def __len__(self) -> int:
        """Bytes of all texts."""
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        """The texts."""
        texts = self._spelled.split(b",")
        start = 0
        for pattern, numbers in zip(self._patterns, self._numbers, strict=True):
            yield pattern % tuple(texts[start : start + numbers])
            start += numbers
