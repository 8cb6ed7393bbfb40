"""How amounts become whole numbers: money in nano-dollars, seconds in microseconds, counts as they are.

Whole numbers add up to the same total in any order, so a batch that is sent again, merged or reordered ends in the
same value. Floating-point sums do not.
"""

from enum import IntEnum
from fractions import Fraction
from math import copysign, inf, isinf, isnan, ldexp, nan
from typing import Any, SupportsFloat

from prometheus_client.utils import floatToGoString

LARGEST = 1e290
"""The largest amount, in stored units, that can be counted. A float can hold any sum of such amounts."""

ADDED_TYPES = frozenset(("counter", "histogram", "summary"))
"""The types whose amounts are added up over all writers. Gauges, infos and state sets are replaced instead."""


class Scale(IntEnum):
    """Stored units per unit of the family."""

    PLAIN = 1
    MICRO = 10**6
    NANO = 10**9
    FEMTO = 10**15
    """What packed numbers without a unit are kept in."""


_BY_UNIT = {"usd": Scale.NANO, "seconds": Scale.MICRO}


def scale_of(name: str, unit: str, metric_type: str) -> Scale:
    """The scale of a family's amounts, decided by its unit, or by a name that ends in one.

    Amounts of types that are not added up stay as they are.
    """
    if metric_type not in ADDED_TYPES:
        return Scale.PLAIN
    return _BY_UNIT.get(unit or name.rpartition("_")[2], Scale.PLAIN)


def float_of(number: SupportsFloat) -> float:
    """A number of any type (numpy's, Decimal, Fraction, bool) as a float; infinite if no float is as large.

    Raises `TypeError` for what is no number, texts of digits included, which `float()` would read.
    """
    try:
        return ldexp(number, 0)  # takes whatever has __float__ or __index__
    except OverflowError:
        return copysign(inf, number > 0 or -1)  # type: ignore[operator]  # an int or a Fraction
    except ValueError:
        return nan  # the Decimal sNaN


def is_finite(number: Any) -> bool:
    """Whether a number that no cell can take is finite all the same: too large, as `1e308` and `10**400`."""
    shown = float_of(number)
    return not (isnan(shown) or (isinf(shown) and number in (inf, -inf)))


def number_text(number: float) -> str:
    """A number as it is sent: a whole one without a point, others with all their digits; NaN and infinities too."""
    if not -inf < number < inf:
        return repr(float(number))
    whole = int(number)
    return str(whole) if whole == number else repr(float(number))


def bound_text(bound: float) -> str:
    """A bucket's upper bound as prometheus_client writes it."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped


def parse_number(raw: bytes) -> float:
    """A stored number; an `int` if the text is whole, so that no digit is lost."""
    try:
        return int(raw)
    except ValueError:
        return float(raw)


def in_finer_units(stored: float, factor: int) -> float:
    """A stored number in units so many times finer: a `Fraction` if it is not whole, of which a float loses no digit.

    A float stands for its shortest decimal, as wherever numbers are packed; one with an `exact` value for that.
    Infinities stay.
    """
    exact: Any = getattr(stored, "exact", None)
    if exact is None:
        if factor == 1 or type(stored) is int or stored - stored != 0:
            return stored * factor
        exact = repr(stored)
    finer: Any = Fraction(exact) * factor
    return finer  # type: ignore[no-any-return]  # it passes for a float wherever numbers are added up


def unscaled(stored: float, scale: int) -> float:
    """A stored number in the family's own unit. The division of whole numbers is rounded once, correctly.

    What has no unit and no fraction stays an `int`. Infinite if no float is as large: the store adds up further than
    floats go.
    """
    if scale == Scale.FEMTO and isinstance(stored, int) and not stored % scale:
        stored, scale = stored // scale, 1
    try:
        if scale != 1:
            return float(stored / scale)
        float(stored)
    except OverflowError:
        return inf if stored > 0 else -inf
    return stored
