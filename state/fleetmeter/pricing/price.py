"""What a model costs, in the user's own words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

from fleetmeter.errors import SettingError
from fleetmeter.pricing.cost import Cost
from fleetmeter.pricing.doubt import Unpriced
from fleetmeter.pricing.sheet import RATE_NAMES, Sheet
from fleetmeter.pricing.tariff import Tariff
from fleetmeter.pricing.tiers import STANDARD, TIERS
from fleetmeter.pricing.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """US dollars per million tokens.

    `cached_input` and `cache_write` that are None are charged as `input`: no discount, no surcharge; likewise
    `reasoning` as `output`, `cached_audio` as `audio_in` and `cached_image` as `image_in`. Audio and images without a
    rate have no price. Raises `SettingError` for a rate below 0 or not finite.
    """

    input: Decimal
    cached_input: Decimal | None = None
    output: Decimal
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    cache_write_12h: Decimal | None = None
    reasoning: Decimal | None = None
    audio_in: Decimal | None = None
    cached_audio: Decimal | None = None
    audio_out: Decimal | None = None
    image_in: Decimal | None = None
    cached_image: Decimal | None = None
    image_out: Decimal | None = None

    def __post_init__(self) -> None:
        for name, value in self.listed().items():
            _rate(name, value)

    def listed(self) -> dict[str, Decimal]:
        """The rates that are given, by name."""
        given = {name: getattr(self, name) for name in RATE_NAMES}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class LongContext(Rates):
    """The rates of the whole request when it has more than `threshold_tokens` prompt tokens."""

    threshold_tokens: int = 272_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TierPrice(Rates):
    """A model's rates in US dollars per million tokens, with those of a long context if they differ."""

    long_context: LongContext | None = None

    def tariff(self, model: str, source: str = "") -> Tariff:
        """These rates, ready to price calls; `model` is the name to count under."""
        steps = [(0, Sheet(self.listed()))]
        if self.long_context is not None:
            steps.append((self.long_context.threshold_tokens, Sheet(self.long_context.listed())))
        return Tariff(model, tuple(steps), dict.fromkeys(self.listed(), source))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice(TierPrice):
    """A model's price: its rates, and those of other tiers (`flex`, `priority`, `batch`) by name.

    `provider` limits it to calls of that provider; None stands for all. `model` is the name that it is the price of, or
    a pattern in which `*` stands for any characters; None stands for the name that it is listed under.
    """

    tiers: Mapping[str, TierPrice] = field(default_factory=dict)
    provider: str | None = None
    model: str | None = None

    def cost(self, usage: Usage) -> Cost:
        """The cost of one call of the standard tier, rounded once to the nearest nano-dollar, halves to the even one.

        Raises `ValueError` for a usage with tokens that have no rate here.
        """
        found = self.tariff("the model").cost(usage)
        if isinstance(found, Unpriced):
            raise ValueError(found.reason)  # noqa: TRY004 - it is the usage that does not fit
        return found

    @classmethod
    def from_mapping(cls, model: str, table: Mapping[str, Any], *, under: str = "prices") -> Self:
        """The price of `model` from a TOML table.

        Keys: the rates of `Rates`, of which `input` and `output` are needed; `long_context`, a table of rates and
        `threshold_tokens`; `tiers`, a table of such tables by tier; `provider` and `model`. Raises `SettingError`
        naming the model and the key; `under` is the table that the model stands in.
        """
        where = f"{under}.{model}"
        _check_keys(where, table, optional=(*_OPTIONAL, "long_context", "tiers", "provider", "model"))
        tiers = {}
        given = table.get("tiers", {})
        if not isinstance(given, Mapping):
            raise SettingError(f"{where}.tiers", f"{given!r} is no table; expected tables named {_TIER_NAMES}")
        for name, inner in given.items():
            if name not in TIERS or name == STANDARD:
                raise SettingError(f"{where}.tiers.{name}", f"is no tier; expected {_TIER_NAMES}")
            _check_keys(f"{where}.tiers.{name}", inner, optional=(*_OPTIONAL, "long_context"))
            tiers[name] = TierPrice(**_prices(f"{where}.tiers.{name}", inner))
        return cls(
            **_prices(where, table),
            tiers=tiers,
            provider=_text(f"{where}.provider", table.get("provider")),
            model=_text(f"{where}.model", table.get("model")),
        )


_REQUIRED = ("input", "output")
_OPTIONAL = tuple(name for name in RATE_NAMES if name not in _REQUIRED)
_TIER_NAMES = ", ".join(tier for tier in TIERS if tier != STANDARD)


def _prices(where: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """The rates of a table, and those of its long context if it has one."""
    return {**_rates(where, table), "long_context": _long(where, table) if "long_context" in table else None}


def _long(where: str, table: Mapping[str, Any]) -> LongContext:
    where, inner = f"{where}.long_context", table["long_context"]
    _check_keys(where, inner, required=("threshold_tokens",), optional=_OPTIONAL)
    threshold = inner["threshold_tokens"]
    if isinstance(threshold, bool) or not isinstance(threshold, int) or threshold < 1:
        raise SettingError(f"{where}.threshold_tokens", f"{threshold!r} is no whole number of tokens above 0")
    for key in _OPTIONAL:
        if key in table and key not in inner:
            problem = "is missing although the price outside long_context names it; give the long-context rate too"
            raise SettingError(f"{where}.{key}", problem)
    return LongContext(**_rates(where, inner), threshold_tokens=threshold)


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
    if not rate.is_finite() or not 0 <= rate < _MOST_USD or int(rate.as_tuple().exponent) < -_MOST_DIGITS:
        raise SettingError(setting, f"{value!r} is no price; {expected}")
    return rate


_MOST_USD = 10**9
_MOST_DIGITS = 30
"""Bounds of a rate: above and below them it is a slip of the pen, and would make every sum slow."""


def _text(setting: str, value: object) -> str | None:
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    raise SettingError(setting, f"{value!r} is no name; expected a text")
