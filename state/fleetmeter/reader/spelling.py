"""JSON lists of texts in the spelling of this library's writers, which many of can be taken apart together.

That spelling is the shortest: no spaces, and nothing escaped that need not be. So equal texts have equal spellings.
"""

from collections.abc import Sequence
from itertools import chain, compress
from operator import not_

from fleetmeter.reader.plain_lists import are_plain
from fleetmeter.schema.definition import compact_json, read_json, texts_of

_CONTROLS = bytes(range(32))
"""The control characters."""


def are_lists(lists: Sequence[bytes], width: int) -> bool:
    """Whether `columns_of` takes these lists apart. Nothing is made of them, so this takes a third of the time."""
    if not lists:
        return True
    joined = b"\n".join(lists)
    return are_plain(joined, len(lists), width) or columns_of(lists, width) is not None


def columns_of(lists: Sequence[bytes], width: int) -> list[list[str]] | None:
    """The texts of lists that have `width` texts each, as columns: the first text of every list, the second, and so on.

    None if one of the lists is anything else, or is spelled otherwise.
    """
    joined = b"\n".join(lists)
    if b"\\" in joined:
        return _escaped_columns(lists, width)
    return _plain_columns(joined, len(lists), width, "[", "]")


def columns_of_ends(ends: Sequence[bytes], width: int) -> list[list[str]] | None:
    """The same, given what follows the opening bracket of each list, which is the last one in another list.

    Example: of `["name",["a","b"]]` that is `"a","b"]]`.
    """
    joined = b"\n".join(ends)
    if b"\\" not in joined:
        return _plain_columns(joined, len(ends), width, "", "]]")
    return columns_of([b"[" + one[:-1] for one in ends], width) if all(one.endswith(b"]]") for one in ends) else None


def _plain_columns(joined: bytes, count: int, width: int, opening: str, closing: str) -> list[list[str]] | None:
    """The columns of `count` lists without escaped texts, which are joined by line feeds."""
    if not count:
        return [[] for _ in range(width)]
    between = f"{closing}\n{opening}"
    if not width:
        return [] if joined == f"{opening}{between * (count - 1)}{closing}".encode() else None
    if _controls_in(joined) != count - 1:
        return None
    # without a backslash each quote begins or ends a text, so that every second piece is a text
    try:
        pieces = joined.decode().split('"')
    except UnicodeDecodeError:
        return None
    step = 2 * width
    if len(pieces) != step * count + 1 or (pieces[0], pieces[-1]) != (opening, closing):
        return None
    if pieces[step:-1:step] != [between] * (count - 1):
        return None
    comma = [","] * count
    if any(pieces[place::step] != comma for place in range(2, step, 2)):
        return None
    return [pieces[place::step] for place in range(1, step, 2)]


def _escaped_columns(lists: Sequence[bytes], width: int) -> list[list[str]] | None:
    """The same for lists of which some have texts that must be escaped: only these are read one by one."""
    special = [b"\\" in one for one in lists]
    escaped = list(compress(lists, special))
    parsed = lists_of(escaped)
    if parsed is None or not set(map(len, parsed)) <= {width}:
        return None
    if compact_json(parsed).encode() != b"[" + b",".join(escaped) + b"]":
        return None
    others = columns_of(list(compress(lists, map(not_, special))), width)
    if others is None:
        return None
    found = []
    for own, other in zip(zip(*parsed, strict=True), others, strict=True):
        texts = iter(own), iter(other)
        found.append([next(texts[not is_special]) for is_special in special])
    return found


def objects_of(texts: Sequence[bytes]) -> dict[str, Sequence[str]] | None:
    """The texts in JSON objects that hold texts only, as a column for each name.

    None unless all have the same names in the same order, and are spelled as `compact_json` spells them, with nothing
    escaped.
    """
    joined = b"\n".join(texts)
    names = texts[0].count(b'"') // 4 if texts else 0
    if not names or b"\\" in joined or _controls_in(joined) != len(texts) - 1:
        return None
    try:
        pieces = joined.decode().split('"')
    except UnicodeDecodeError:
        return None
    step, count = 4 * names, len(texts)
    if len(pieces) != step * count + 1 or (pieces[0], pieces[-1]) != ("{", "}"):
        return None
    if pieces[step:-1:step] != ["}\n{"] * (count - 1):
        return None
    between = {place: [":" if place % 4 == 2 else ","] * count for place in range(2, step, 2)}
    if any(pieces[place::step] != expected for place, expected in between.items()):
        return None
    if any(pieces[place::step] != [pieces[place]] * count for place in range(1, step, 4)):
        return None
    found: dict[str, Sequence[str]] = {pieces[place]: pieces[place + 2 :: step] for place in range(1, step, 4)}
    return found if len(found) == names else None


def _controls_in(text: bytes) -> int:
    """How many control characters a text has, which JSON permits in no text; line feeds are some of them."""
    return len(text) - len(text.translate(None, _CONTROLS))


def lists_of(lists: Sequence[bytes]) -> list[list[str]] | None:
    """The texts of lists in any spelling; None if one is no list of texts, or if nobody can say.

    The lists are joined by line feeds and read as one JSON text. No two of them can pass for one, nor one for two: JSON
    permits no line feed inside a text, and each must begin a list of its own that holds only texts.
    """
    joined = b",\n".join(lists)
    if lists and not (joined.startswith(b"[") and joined.count(b",\n[") == len(lists) - 1):
        return None
    try:
        parsed: list[list[str]] = read_json(b"[" + joined + b"]")
        if len(parsed) != len(lists) or not set(map(type, parsed)) <= {list}:
            return None
        texts_of(list(chain.from_iterable(parsed)))
    except (ValueError, TypeError):
        return None
    return parsed
