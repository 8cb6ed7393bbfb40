"""What a text must have for a rule to fit it, in a form that is looked up at the speed of C.

Most rules fit few texts. So a text is first made `plain`: small letters of ASCII, digits and `_` stay, and all else
becomes a space. A rule needs some words of the plain text. Only if it has them the rule's expression is tried.
"""

from dataclasses import dataclass

_TWINS = (
    ("\N{LATIN SMALL LETTER DOTLESS I}", "i"),
    ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i"),
    ("\N{LATIN SMALL LETTER LONG S}", "s"),
    ("\N{KELVIN SIGN}", "k"),
)
"""The letters beyond ASCII that a regular expression takes for one of ASCII if case does not matter."""

_PLAIN = bytes(
    ord(letter.lower()) if (letter := chr(code)).isascii() and (letter.isalnum() or letter == "_") else ord(" ")
    for code in range(256)
)

_LEAST_START = 3
"""Characters; a shorter start stands at too many places of a text."""


@dataclass(frozen=True)
class Needs:
    """What a plain text has if a rule fits: a word of each set in `words`, and `start` where the rule's match begins.

    Example: `(?i)\\bworth (buying|holding)\\b` needs `worth`, and `buying` or `holding`, and starts with `worth `.
    Both are empty if nothing is known.
    """

    words: tuple[frozenset[bytes], ...] = ()
    start: bytes = b""


def plain(text: str) -> bytes:
    """The text in plain characters, one for each of its own. Texts that differ only in case become the same."""
    return _without_twins(text).encode("ascii", "replace").translate(_PLAIN)


def folded(text: str) -> str:
    """The text in letters of one case. It may become longer."""
    return _without_twins(text).casefold()


def needs_of_keyword(keyword: str) -> Needs:
    """What a keyword needs: words with any space between them, which are looked for as whole words."""
    first, *_ = keyword.split()
    words = dict.fromkeys(plain(keyword).split())
    return Needs(tuple(frozenset([word]) for word in words), useful_start(plain(first)))


def useful_start(start: bytes) -> bytes:
    """A start that is worth looking for; else an empty one."""
    return start if len(start.strip()) >= _LEAST_START else b""


def _without_twins(text: str) -> str:
    if not text.isascii():
        for letter, twin in _TWINS:
            text = text.replace(letter, twin)
    return text
