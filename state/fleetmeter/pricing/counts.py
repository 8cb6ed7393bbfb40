"""Reads single values of an answer, which may hold anything: members by name, and whole numbers of tokens."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from numbers import Integral
from typing import Any

MOST_TOKENS = 10**12
"""A larger number cannot be the tokens of one call. Below it, histograms and floats stay exact."""
_NO_TABLES = (int, float, str, bytes, Decimal, list, tuple, set, frozenset)
_LONGEST = 60
"""Characters of a value or name that a message repeats."""
_MOST_NAMES = 24
"""Names of a mapping that a message repeats."""


def members(source: object) -> Mapping[str, Any] | None:
    """The members of a mapping or of an object; None if `source` is neither.

    Members that the object's type does not declare are included, which pydantic keeps apart. An object with slots has
    no dictionary, so its slots are read.
    """
    if type(source) is dict:
        return source
    if source is None or isinstance(source, _NO_TABLES):
        return None
    if isinstance(source, Mapping):
        return source
    extra = getattr(source, "__pydantic_extra__", None)
    own: Mapping[str, Any] | None = getattr(source, "__dict__", None)
    if own is None:
        slots = getattr(type(source), "__slots__", ())
        own = {name: getattr(source, name, None) for name in ((slots,) if isinstance(slots, str) else slots)}
    return {**own, **extra} if isinstance(extra, Mapping) else own


def count(name: str, value: Any) -> int:
    """A number of tokens. A float or a decimal with a whole value is fine.

    Raises `ValueError` for anything else, which names it.
    """
    whole = value if type(value) is int else _whole(value)
    if whole is None or not 0 <= whole <= MOST_TOKENS:
        raise ValueError(f"usage: {name} is {brief(value)}; expected a whole number of tokens, 0 or more")
    return whole


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and abs(value) <= MOST_TOKENS and value == int(value) else None
    return int(value) if isinstance(value, Integral) else None


def brief(value: object) -> str:
    """A value for a message: never longer than a line, and never slow to make."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MOST_TOKENS:
        return f"a whole number of about {max(1, value.bit_length() * 301 // 1000)} digits"
    if isinstance(value, str):
        text = repr(str.__getitem__(value, slice(_LONGEST)))
        return text if len(value) <= _LONGEST else f"{text}… ({len(value)} characters)"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, Decimal):
        return str(value)[:_LONGEST]
    return f"a {type(value).__name__}"[:_LONGEST]


def shape_of(source: object) -> str:
    """The sorted names in a mapping or object, or its type if it has none. Values of one shape have one text."""
    found = members(source)
    if found is None:
        return f"the type {type(source).__name__}"[:_LONGEST]
    names = sorted(str.__getitem__(name, slice(_LONGEST)) for name in islice(found, _MOST_NAMES) if type(name) is str)
    more = f" and {len(found) - len(names)} more" if len(found) > len(names) else ""
    return (", ".join(name if name.isprintable() else ascii(name) for name in names) or "no names") + more
