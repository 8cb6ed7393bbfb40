"""Stored texts of numbers as exact ones: by the digits that they have, and never by way of a float."""

import re
from decimal import Context, Decimal

_DECIMAL = re.compile(rb"-?[0-9]{1,4000}(?:\.[0-9]{1,4000})?(?:[eE][+-]?[0-9]{1,3})?")

EXACT = Context(prec=20_000)
"""More digits than any such number has, multiplied or added to another: nothing is rounded by it."""


def decimal_of(text: bytes) -> Decimal | None:
    """The number that a text spells in decimal digits; None for any other text, such as `inf`."""
    return Decimal(text.decode()) if _DECIMAL.fullmatch(text) else None


def exact_units(text: bytes, factor: int) -> int | None:
    """The number in a text times `factor`; None if that is not whole, or if the text has no decimal number.

    Example: with the factor 10^15, `4.2` is 42 * 10^14. For `0.0000000000000001` there is no such number.
    """
    number = decimal_of(text)
    if number is None:
        return None
    units = EXACT.multiply(number, Decimal(factor))
    whole = units.to_integral_value(context=EXACT)
    return int(whole) if whole == units else None
