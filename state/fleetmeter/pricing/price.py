"""What a model costs, in the user's own words, and what a call cost, in whole nano-dollars."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any, Self

from fleetmeter.errors import SettingError

if TYPE_CHECKING:
    from fleetmeter.pricing.usage import Usage

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
        """US dollars; `round(usd * 10**9)` gives the nano-dollars back up to 2 million dollars."""
        return self.nanodollars / NANODOLLARS

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.nanodollars - other.nanodollars)

    @classmethod
    def of_usd(cls, usd: Decimal) -> Self:
        """An exact amount in US dollars, rounded once to the nearest nano-dollar, halves to the even one."""
        with localcontext(EXACT):
            return cls(int((usd * NANODOLLARS).to_integral_value(ROUND_HALF_EVEN)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """US dollars per million tokens.

    `cached_input` and `cache_write` that are None are charged as `input`: no discount, no surcharge. Raises
    `SettingError` for a rate below 0 or not finite.
    """

    input: Decimal
    cached_input: Decimal | None = None
    output: Decimal
    cache_write: Decimal | None = None

    def __post_init__(self) -> None:
        for field in fields(Rates):
            value = getattr(self, field.name)
            if value is not None:
                _rate(field.name, value)

    def usd(self, usage: "Usage") -> Decimal:
        """The exact price of a usage in US dollars, at these rates."""
        cached = self.input if self.cached_input is None else self.cached_input
        written = self.input if self.cache_write is None else self.cache_write
        with localcontext(EXACT):
            per_million = (
                (usage.prompt - usage.cached - usage.cache_write) * self.input
                + usage.cached * cached
                + usage.cache_write * written
                + usage.completion * self.output
            )
            return per_million.scaleb(-6)


@dataclass(frozen=True, slots=True, kw_only=True)
class LongContext(Rates):
    """The rates of the whole request when it has more than `threshold_tokens` prompt tokens."""

    threshold_tokens: int = 272_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice(Rates):
    """A model's rates in US dollars per million tokens, with those of a long context if they differ."""

    long_context: LongContext | None = None

    def cost(self, usage: "Usage") -> Cost:
        """The cost of one call, rounded once to the nearest nano-dollar, halves to the even one."""
        long = self.long_context
        rates: Rates = long if long is not None and usage.prompt > long.threshold_tokens else self
        return Cost.of_usd(rates.usd(usage))

    @classmethod
    def from_mapping(cls, model: str, table: Mapping[str, Any]) -> Self:
        """The price of `model` from a TOML table.

        Keys: `input`, `output`, optionally `cached_input`, `cache_write` and the table `long_context`,
        which has the same rates and `threshold_tokens`. Raises `SettingError` naming the model and the key.
        """
        where = f"prices.{model}"
        _check_keys(where, table, optional=("cached_input", "cache_write", "long_context"))
        long = None
        if "long_context" in table:
            long = _long_context(f"{where}.long_context", table["long_context"], table)
        return cls(**_rates(where, table), long_context=long)


_REQUIRED = ("input", "output")
_OPTIONAL = ("cached_input", "cache_write")


def _long_context(where: str, table: Any, base: Mapping[str, Any]) -> LongContext:
    _check_keys(where, table, required=("threshold_tokens",), optional=_OPTIONAL)
    threshold = table["threshold_tokens"]
    if isinstance(threshold, bool) or not isinstance(threshold, int) or threshold < 1:
        raise SettingError(f"{where}.threshold_tokens", f"{threshold!r} is no whole number of tokens above 0")
    for key in _OPTIONAL:
        if key in base and key not in table:
            problem = "is missing although the price outside long_context names it; give the long-context rate too"
            raise SettingError(f"{where}.{key}", problem)
    return LongContext(**_rates(where, table), threshold_tokens=threshold)


def _check_keys(where: str, table: Any, *, optional: tuple[str, ...], required: tuple[str, ...] = ()) -> None:
    if not isinstance(table, Mapping):
        raise SettingError(where, f"{table!r} is no table; expected the keys {', '.join(_REQUIRED)}")
    needed = (*_REQUIRED, *required)
    for key in needed:
        if key not in table:
            raise SettingError(f"{where}.{key}", "is missing; expected US dollars per million tokens")
    for key in table:
        if key not in needed and key not in optional:
            raise SettingError(f"{where}.{key}", f"is unknown; expected {', '.join((*needed, *optional))}")


def _rates(where: str, table: Mapping[str, Any]) -> dict[str, Decimal]:
    return {key: _rate(f"{where}.{key}", table[key]) for key in (*_REQUIRED, *_OPTIONAL) if key in table}


def _rate(setting: str, value: object) -> Decimal:
    expected = "expected US dollars per million tokens, 0 or more"
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise SettingError(setting, f"{value!r} is no number; {expected}")
    rate = Decimal(str(value))  # the digits as written: 0.1 means one tenth
    if not rate.is_finite() or rate < 0:
        raise SettingError(setting, f"{value!r} is no price; {expected}")
    return rate
