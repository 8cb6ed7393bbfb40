"""Many numbers read from texts, or spelled, in one go: ten times faster if orjson is there.

Python's own `float` and `repr` decide what the numbers and the texts are. orjson finds the same in ordinary cases, and
is not asked in others.
"""

from collections.abc import Sequence
from itertools import compress, count, repeat
from operator import gt, le, ne, truediv
from typing import Any

from fleetmeter.schema.definition import read_json

try:
    import orjson
except ImportError:  # an implementation of Python, or a machine, for which there is none
    orjson = None  # type: ignore[assignment]

_KINDS = frozenset((int, float))
_EXACT = 2**63
"""Whole numbers from here on may come from orjson as floats."""

_LEAST, _MOST = 1e-4, 1e16
"""Absolute values from here, and below there, that `repr` spells without an exponent, as orjson does."""


def numbers_in(texts: Sequence[bytes]) -> list[float] | None:
    """The numbers in these texts, those that are whole as `int`; None if they must be read one by one.

    That is so if JSON would not spell one of them so, as `inf` or `007`.
    """
    joined = b"[" + b",".join(texts) + b"]"
    if orjson is not None:
        try:
            numbers = _checked(orjson.loads(joined), len(texts))
            if numbers is not None and (not numbers or max(numbers) < _EXACT > -min(numbers)):
                return numbers
        except ValueError:
            pass  # such as a number that is too large for orjson, and not for Python
    try:
        return _checked(read_json(joined), len(texts))
    except ValueError:
        return None


def floats_in(texts: Sequence[bytes]) -> list[float]:
    """The numbers in these texts as `float` reads them. Raises `ValueError` if one is no number."""
    if orjson is not None:
        joined = b"[" + b",".join(texts) + b"]"
        try:
            numbers = _checked(orjson.loads(joined), len(texts))
        except ValueError:
            numbers = None
        # JSON has one zero among whole numbers, `float` reads `-0` as another
        if numbers is not None and not (b"-0," in joined or b"-0]" in joined):
            return list(map(float, numbers)) if int in set(map(type, numbers)) else numbers
    return list(map(float, texts))


def spelled(numbers: Sequence[float]) -> list[bytes]:
    """The texts of numbers, as `repr` has them."""
    return spelled_together(numbers).split(b",") if numbers else []


def spelled_together(numbers: Sequence[float], floats: Sequence[float] | None = None) -> bytes:
    """The texts of numbers, as `repr` has them, with commas in between.

    `floats` are those among the numbers that may be floats, if they are known: nothing else need be looked at.
    """
    numbers = numbers if isinstance(numbers, list) else list(numbers)
    if orjson is not None:
        try:
            joined: bytes = orjson.dumps(numbers)[1:-1]
        except TypeError:
            pass  # a whole number of more than 64 bits
        else:
            odd = _otherwise(joined, numbers, numbers if floats is None else floats)
            if not odd:
                return joined
            texts = joined.split(b",")
            for place in odd:
                texts[place] = b"%a" % numbers[place]
            return b",".join(texts)
    return (b"%a" % (numbers,))[1:-1].replace(b", ", b",")


def quotients(numbers: list[int], power: int) -> list[float]:
    """Each number divided by 10 to that power, and rounded once, as `/` does."""
    if numbers and orjson is not None:
        try:
            joined = orjson.dumps(numbers)[:-1]
        except TypeError:
            pass  # a number of more than 64 bits
        else:
            end = b"e-%d" % power
            found: list[float] = orjson.loads(joined.replace(b",", end + b",") + end + b"]")
            return found
    return list(map(truediv, numbers, repeat(10**power)))


def _otherwise(joined: bytes, numbers: Sequence[float], floats: Sequence[float]) -> Sequence[int]:
    """The places of numbers that `repr` may spell otherwise than orjson did; `floats` may be so, the others are whole.

    0 is spelled alike.
    """
    if b"n" not in joined:  # `null`, for what is not finite
        if b"." not in joined and b"e" not in joined:
            return ()
        least, most = min(floats), max(floats)
        if most < _MOST and least >= 0:
            small = compress(count(), map(gt, repeat(_LEAST), numbers)) if least < _LEAST else ()
            return [place for place in small if numbers[place]]
    sizes = list(map(abs, numbers))
    odd = [place for place in compress(count(), map(gt, repeat(_LEAST), sizes)) if sizes[place]]
    odd += compress(count(), map(le, repeat(_MOST), sizes))
    return [*odd, *compress(count(), map(ne, sizes, sizes))]  # NaN is not equal to itself


def _checked(found: Any, count: int) -> list[float] | None:
    """The value itself if it is a list of `count` numbers: then no text had a comma in it, and each is a number."""
    return found if type(found) is list and len(found) == count and set(map(type, found)) <= _KINDS else None
