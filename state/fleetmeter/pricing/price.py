"""The user's own price of a model."""

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

    If `cached_input` or `cache_write` is None, those tokens are charged as `input`. In the same way `reasoning` is
    charged as `output`, `cached_audio` as `audio_in`, and `cached_image` as `image_in`. Audio and images without a rate
    of their own have no price. Raises `SettingError` for a rate that is below 0 or not finite.
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
    """The rates of the whole request if it has more than `threshold_tokens` prompt tokens."""

    threshold_tokens: int = 272_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TierPrice(Rates):
    """A model's rates in US dollars per million tokens, and the rates of a long context if they differ."""

    long_context: LongContext | None = None

    def tariff(self, model: str, source: str = "") -> Tariff:
        """The tariff with these rates; `model` is the name to count under."""
        steps = [(0, Sheet(self.listed()))]
        if self.long_context is not None:
            steps.append((self.long_context.threshold_tokens, Sheet(self.long_context.listed())))
        return Tariff(model, tuple(steps), dict.fromkeys(self.listed(), source))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice(TierPrice):
    """A model's price: its rates, and the rates of other tiers (`flex`, `priority`, `batch`) by name.

    If `provider` is given, the price holds for that provider only. `model` is the model's name in answers, or a pattern
    in which `*` means any characters; None means the name under which the price is listed.
    """

    tiers: Mapping[str, TierPrice] = field(default_factory=dict)
    provider: str | None = None
    model: str | None = None

    def cost(self, usage: Usage) -> Cost:
        """The cost of one call at the standard tier, rounded once to the nearest nano-dollar.

        Raises `ValueError` if the usage has tokens for which there is no rate here.
        """
        found = self.tariff("the model").cost(usage)
        if isinstance(found, Unpriced):
            raise ValueError(found.reason)  # noqa: TRY004 - it is the usage that does not fit
        return found

    @classmethod
    def from_mapping(cls, model: str, table: Mapping[str, Any], *, under: str = "prices") -> Self:
        """The price of `model` from a TOML table.

        Keys: the rates of `Rates`, of which `input` and `output` are required; `long_context`, a table of rates and
        `threshold_tokens`; `tiers`, a table of such tables by tier; `provider` and `model`. Raises `SettingError`,
        which names the model and the key. `under` is the name of the table around `table`.
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
            problem = "is missing, but the price outside long_context has it; give this rate for long contexts, too"
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
"""Bounds of a rate. One beyond them is a slip of the pen, and would make every sum slow."""


def _text(setting: str, value: object) -> str | None:
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    raise SettingError(setting, f"{value!r} is no name; expected a text")
