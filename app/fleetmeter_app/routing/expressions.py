"""What a regular expression needs, as far as its parts say so: the words without which it fits no text."""

import logging
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from fleetmeter_app.routing.needs import Needs, plain, useful_start

log = logging.getLogger("fleetmeter.app")

_ANY, _GAP, _EDGE = "any", "gap", "edge"
"""Parts of an expression that are no character: anything, some characters that are in no word, a word's edge."""

_Part = bytes | str | list[list[Any]]
"""A plain character, one of the above, or alternatives, each of which is a list of parts."""

_SPACE = b" "
_PARSER = "re._parser"
"""Python shows the parts of an expression nowhere else; `sre_parse` is its deprecated name, and no library reads the
same syntax. What a Python lacks or has otherwise is a part of which nothing is known."""
_OTHERWISE = (ImportError, AttributeError, TypeError, ValueError, LookupError)
"""What reading the parts raises if this Python has no such parser, or one that speaks differently."""

# The parser's own names of parts and categories.
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_EDGES = ("AT_BOUNDARY", "AT_BEGINNING", "AT_BEGINNING_STRING", "AT_END", "AT_END_STRING")
_OUTSIDE = ("CATEGORY_SPACE", "CATEGORY_NOT_WORD")


def needs_of_expression(expression: re.Pattern[str]) -> Needs:
    """What an expression needs; nothing if it is one for ASCII, because those see other words.

    Nothing is known of any expression either if this Python does not show its parts. That is logged once: intents are
    the same then, and take longer to choose.
    """
    if expression.flags & re.ASCII:
        return Needs()
    try:
        parts = _parts(import_module(_PARSER).parse(expression.pattern, expression.flags))
    except _OTHERWISE as error:
        _tell_once(f"{type(error).__name__}: {error}")
        return Needs()
    words, _ = _words(parts, before=False, after=False)
    return Needs(tuple(dict.fromkeys(words)), useful_start(_start(parts)))


@cache
def _tell_once(reason: str) -> None:
    log.warning(
        "this Python does not show what is in a regular expression (%s), so each pattern of an intent is tried on each "
        "question: intents are chosen as before, but more slowly",
        reason,
    )


def _parts(tree: Iterable[tuple[Any, Any]]) -> list[_Part]:
    found: list[_Part] = []
    for kind, value in tree:
        if kind.name == "LITERAL":
            found.append(plain(chr(value)))
        elif kind.name == "AT" and value.name in _EDGES:
            found.append(_EDGE)
        elif kind.name == "IN" and all(_is_outside(*one) for one in value):
            found.append(_SPACE)
        elif kind.name == "SUBPATTERN" and not value[1] & re.ASCII:
            found += _parts(value[3])
        elif kind.name == "ATOMIC_GROUP":
            found += _parts(value)
        elif kind.name == "BRANCH":
            found.append([_parts(one) for one in value[1]])
        elif kind.name in _REPEATS:
            found += _repeated(value[0], value[1], _parts(value[2]))
        else:
            found.append(_ANY)
    return found


def _is_outside(kind: Any, value: Any) -> bool:
    """Whether a part of a set holds only characters that are a space in a plain text."""
    if kind.name == "RANGE":
        return not plain("".join(map(chr, range(value[0], value[1] + 1)))).strip()
    return (kind.name == "LITERAL" and plain(chr(value)) == _SPACE) or (
        kind.name == "CATEGORY" and value.name in _OUTSIDE
    )


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
