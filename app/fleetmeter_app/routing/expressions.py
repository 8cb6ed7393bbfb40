"""What a regular expression needs, as far as its parts say so: the words without which it fits no text."""

import re
from collections.abc import Iterable, Sequence

# The parser of `re` has no public name. What it may gain one day is taken for a part of which nothing is known.
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from fleetmeter_app.routing.needs import Needs, plain, useful_start

_ANY, _GAP, _EDGE = "any", "gap", "edge"
"""Parts of an expression that are no character: anything, some characters that are in no word, a word's edge."""

_Part = bytes | str | list[list[Any]]
"""A plain character, one of the above, or alternatives, each of which is a list of parts."""

_SPACE = b" "
_REPEATS = (code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT)
_EDGES = (code.AT_BOUNDARY, code.AT_BEGINNING, code.AT_BEGINNING_STRING, code.AT_END, code.AT_END_STRING)
_OUTSIDE = (code.CATEGORY_SPACE, code.CATEGORY_NOT_WORD)


def needs_of_expression(expression: re.Pattern[str]) -> Needs:
    """What an expression needs; nothing if it is one for ASCII, because those see other words."""
    if expression.flags & re.ASCII:
        return Needs()
    parts = _parts(parser.parse(expression.pattern, expression.flags))
    words, _ = _words(parts, before=False, after=False)
    return Needs(tuple(dict.fromkeys(words)), useful_start(_start(parts)))


def _parts(tree: Iterable[tuple[Any, Any]]) -> list[_Part]:
    found: list[_Part] = []
    for kind, value in tree:
        if kind is code.LITERAL:
            found.append(plain(chr(value)))
        elif kind is code.AT and value in _EDGES:
            found.append(_EDGE)
        elif kind is code.IN and all(_is_outside(*one) for one in value):
            found.append(_SPACE)
        elif kind is code.SUBPATTERN and not value[1] & re.ASCII:
            found += _parts(value[3])
        elif kind is code.ATOMIC_GROUP:
            found += _parts(value)
        elif kind is code.BRANCH:
            found.append([_parts(one) for one in value[1]])
        elif kind in _REPEATS:
            found += _repeated(value[0], value[1], _parts(value[2]))
        else:
            found.append(_ANY)
    return found


def _is_outside(kind: Any, value: Any) -> bool:
    """Whether a part of a set holds only characters that are a space in a plain text."""
    if kind is code.RANGE:
        return not plain("".join(map(chr, range(value[0], value[1] + 1)))).strip()
    return (kind is code.LITERAL and plain(chr(value)) == _SPACE) or (kind is code.CATEGORY and value in _OUTSIDE)


def _repeated(least: int, most: int, parts: list[_Part]) -> list[_Part]:
    if parts == [_SPACE]:
        return [_GAP] if least else [[[_GAP], []]]
    if least:
        return parts if most == 1 else [*parts, _ANY]
    return [[parts, []]] if most == 1 else [_ANY]


def _start(parts: Sequence[_Part]) -> bytes:
    """The plain characters that every match begins with."""
    start = b""
    for part in parts:
        if isinstance(part, bytes):
            start += part
        elif part != _EDGE:
            break
    return start


def _words(parts: Sequence[_Part], *, before: bool, after: bool) -> tuple[list[frozenset[bytes]], bool]:
    """Sets of whole words, of each of which every match has one; and whether a word may begin behind the parts.

    `before` and `after` say whether what is before and behind the parts is surely in no word.
    """
    found: list[frozenset[bytes]] = []
    word, whole, free = b"", False, before
    for at, part in enumerate(parts):
        if isinstance(part, bytes) and part != _SPACE:
            whole = whole if word else free
            word, free = word + part, False
            continue
        if word and whole and _is_free(parts[at:], after):
            found.append(frozenset([word]))
        word = b""
        if isinstance(part, list):
            behind = _is_free(parts[at + 1 :], after)
            ways = [_words(one, before=free, after=behind) for one in part]
            free = all(end for _, end in ways)
            if all(words for words, _ in ways):
                found.append(frozenset[bytes]().union(*(max(words, key=_weight) for words, _ in ways)))
        else:
            free = part != _ANY
    if word and whole and after:
        found.append(frozenset([word]))
    return found, free


def _is_free(parts: Sequence[_Part], after: bool) -> bool:
    """Whether what comes first in a match of the parts is surely in no word."""
    if not parts:
        return after
    first, rest = parts[0], parts[1:]
    if isinstance(first, list):
        return all(_is_free([*one, *rest], after) for one in first)
    return first in (_SPACE, _GAP, _EDGE)


def _weight(words: frozenset[bytes]) -> int:
    """How well a set of words tells texts apart: by its shortest word."""
    return min(map(len, words))
