"""Money in whole nano-dollars."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Self

NANODOLLARS = 10**9
"""Nano-dollars in a US dollar."""
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Enough digits that no product or sum of prices and tokens is rounded before the end."""


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount of money in whole nano-dollars (10⁻⁹ USD); below 0 only as a difference of two costs."""

    nanodollars: int

    @property
    def usd(self) -> float:
        """US dollars. Up to 2 million dollars, `round(usd * 10**9)` gives the exact nano-dollars back."""
        return self.nanodollars / NANODOLLARS

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.nanodollars - other.nanodollars)

    @classmethod
    def of_usd(cls, usd: Decimal) -> Self:
        """An exact amount in US dollars, rounded once to the nearest nano-dollar; a half goes to the even one."""
        with localcontext(EXACT):
            return cls(int((usd * NANODOLLARS).to_integral_value(ROUND_HALF_EVEN)))

    @classmethod
    def of_fraction(cls, numerator: int, denominator: int) -> Self:
        """An exact fraction of nano-dollars, rounded once to a whole one; a half goes to the even one."""
        return cls(rounded(numerator, denominator))


def rounded(numerator: int, denominator: int) -> int:
    """An exact fraction, rounded to a whole number; a half goes to the even one."""
    whole, rest = divmod(numerator, denominator)
    if not rest:
        return whole
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))
