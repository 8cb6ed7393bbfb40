"""The cells of packed layouts: what they hand over is whole, and of a size that a value in the store has room for."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from fleetmeter.schema.packing import LARGEST_WHOLE
from fleetmeter.schema.scale import Scale
from fleetmeter.values.amounts import Amount, Money, Seconds

_DIGITS = 15
"""Digits behind the point of an amount without unit that the store keeps."""

_EXACT = Context(prec=400)
"""More digits than any amount has: nothing is rounded by it, whatever the application's own context is."""


class Number(Amount):
    """An amount without unit, handed over in whole units of 10^-15; a rest below that stays pending.

    A float stands for its shortest decimal, so that 0.1 and 0.2 are 0.3 together.
    """

    __slots__ = ()
    largest = largest_unchanged = float(LARGEST_WHOLE)

    def take(self) -> float:
        """Whole units of 10^-15: the nearest number of them, so that the rest may be below 0."""
        pending = self.pending
        if type(pending) is int:
            self.flushed += pending
            self.pending = 0
            return pending * Scale.FEMTO
        exact = Decimal(repr(pending)).scaleb(_DIGITS, _EXACT)
        whole = exact.to_integral_value(ROUND_HALF_EVEN, _EXACT)
        self.flushed += float(whole.scaleb(-_DIGITS, _EXACT))
        self.pending = float(_EXACT.subtract(exact, whole).scaleb(-_DIGITS, _EXACT))
        return int(whole)


class Count(Amount):
    """A count of observations. What is not whole, which only code beside the metric's methods adds, stays pending."""

    __slots__ = ()
    largest = largest_unchanged = float(LARGEST_WHOLE)

    def take(self) -> float:
        """The whole part."""
        whole = int(self.pending)
        self.pending -= whole
        self.flushed += whole
        return whole


class PackedSeconds(Seconds):
    """Seconds, handed over as whole microseconds."""

    __slots__ = ()
    largest = largest_unchanged = LARGEST_WHOLE / Scale.MICRO


class PackedMoney(Money):
    """US dollars, kept as whole nano-dollars."""

    __slots__ = ()
    largest = LARGEST_WHOLE / Scale.NANO
