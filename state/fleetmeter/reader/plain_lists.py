"""JSON lists of texts in which nothing is escaped: taken apart, and turned into lines, many together."""

from collections.abc import Sequence
from itertools import repeat
from typing import Self

_OTHERS = bytes(sorted({*range(32, 256)} - {ord('"')}))
"""All bytes but quotes and control characters."""


class PlainLists:
    """Lists that each have `width` texts, one at least, none of which has a quote, backslash or control character.

    `keys` has the texts of each list, with a NUL between two of them: as texts, keys sort as the lists do.
    """

    def __init__(self, text: str, count: int, width: int) -> None:
        self._text = text
        self._count = count
        self.width = width

    @classmethod
    def of(cls, lists: Sequence[bytes], width: int, opening: str = "[", closing: str = "]") -> Self | None:
        """These lists, as JSON; None if there are none, or if it is not seen at once that each is such a list.

        `opening` and `closing` are what each begins and ends with, in the spelling of this library's writers.
        """
        return cls.of_lines(b"\n".join(lists), len(lists), width, opening, closing)

    @classmethod
    def of_lines(cls, joined: bytes, count: int, width: int, opening: str = "[", closing: str = "]") -> Self | None:
        """The same, given `count` lists that are joined by line feeds."""
        short = _shortened(joined, count, width, opening, closing)
        return cls(_between(short, opening, closing), count, width) if short is not None else None

    @classmethod
    def of_plain(cls, joined: bytes, count: int, width: int, opening: str = "[", closing: str = "]") -> Self:
        """The same, if `are_plain` has said that they are so."""
        return cls(_between(joined.replace(b'","', b"\0"), opening, closing), count, width)

    @classmethod
    def of_keys(cls, keys: Sequence[str], width: int) -> Self:
        """The lists that have these keys, of which there is one at least."""
        return cls("\n".join(keys), len(keys), width)

    def __len__(self) -> int:
        """How many lists there are."""
        return self._count

    def keys(self) -> list[str]:
        """The key of each list."""
        return self._text.split("\n")

    def columns(self) -> list[list[str]]:
        """The first text of every list, the second, and so on."""
        texts = self._text.replace("\n", "\0").split("\0")
        return [texts[place :: self.width] for place in range(self.width)]

    def filled(self, texts: Sequence[str]) -> str:
        """A line for each list, joined by line feeds: it has these texts before, between and behind those of the list.

        In the lines `%` is doubled, but not in `texts`, of which there is one more than the list has.
        """
        first, *between, last = texts
        text = self._text.replace("%", "%%")
        if len(between) == 1:
            text = text.replace("\0", between[0])
        elif between:
            parts = text.split("\0")  # the last text of a list and the first one of the next are in one part
            pieces = [""] * (2 * len(parts) - 1)
            pieces[::2] = parts
            for place, piece in enumerate(between):
                pieces[2 * place + 1 :: 2 * len(between)] = repeat(piece, self._count)
            text = "".join(pieces)
        return f"{first}{text}{last}".replace("\n", f"{last}\n{first}")


def are_plain(joined: bytes, count: int, width: int, opening: str = "[", closing: str = "]") -> bool:
    r"""Whether lines, joined by line feeds, are `count` lists of `width` texts; False may mean that nobody can say.

    One look at all of them finds it out. Without a backslash each quote begins or ends a text. So if each `","` becomes
    one byte that was nowhere before, a line of three texts has the marks `"`, byte, byte, `"`, and no other. A text
    that is a comma would be taken for what is between two texts: then the marks are others, and the answer is False.
    """
    return _shortened(joined, count, width, opening, closing) is not None


def _shortened(joined: bytes, count: int, width: int, opening: str, closing: str) -> bytes | None:
    """The lines with a NUL for each `","`, if `are_plain`; else None."""
    if not count or not width or b"\\" in joined or b"\0" in joined:
        return None
    short = joined.replace(b'","', b"\0")
    marks = b'"' + b"\0" * (width - 1) + b'"\n'
    plain = (
        short.translate(None, _OTHERS) == (marks * count)[:-1]
        and short.count(f'"{closing}\n{opening}"'.encode()) == count - 1
        and short.startswith(f'{opening}"'.encode())
        and short.endswith(f'"{closing}'.encode())
        and is_text(joined)
    )
    return short if plain else None


def _between(short: bytes, opening: str, closing: str) -> str:
    """The texts of shortened lines, without what is around them."""
    return short[len(opening) + 1 : -1 - len(closing)].replace(f'"{closing}\n{opening}"'.encode(), b"\n").decode()


def is_text(joined: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    if joined.isascii():
        return True
    try:
        joined.decode()
    except UnicodeDecodeError:
        return False
    return True
