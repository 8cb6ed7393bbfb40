"""The tariff of a model in the price list: genai-prices' rates at a tier and a time, and our supplements to them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from fleetmeter.pricing.doubt import Unpriced
from fleetmeter.pricing.price_data import Entry, genai_prices
from fleetmeter.pricing.providers import OPENAI
from fleetmeter.pricing.sheet import RATE_NAMES, Sheet
from fleetmeter.pricing.supplements import REGIONAL_UPLIFT, Supplement, is_uplifted
from fleetmeter.pricing.tariff import Tariff
from fleetmeter.pricing.tiers import STANDARD

_RATES = {
    "input_mtok": "input",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_in",
    "cache_audio_read_mtok": "cached_audio",
    "output_audio_mtok": "audio_out",
    "input_image_mtok": "image_in",
    "cache_image_read_mtok": "cached_image",
    "output_image_mtok": "image_out",
}
"""Our names for genai-prices' rates."""
_OURS = frozenset(RATE_NAMES)
_UNUSED = ("web_searches_kcount", "storage_searches_kcount", "input_video_mtok", "output_video_mtok")
"""Rates that never apply: fees of tools, which no usage states, and video, whose tokens make a usage a doubt."""
_PER_CALL = "requests_kcount"
_CONTEXTS = {
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "batch": {"processing": "batch"},
}
"""genai-prices' names for the tiers."""
_Rates = dict[str, Any]
"""A rate by its name: a `Decimal`, or genai-prices' steps by the length of the prompt."""


def tariff_of(entry: Entry, tier: str, at: datetime, *, regional: bool) -> Tariff | Unpriced:
    """The tariff of a listed model at a tier and a time, or why it has none.

    `regional` says that the call was processed regionally, for which some of OpenAI's models cost more.
    """
    found = _rates(entry, tier, at)
    if isinstance(found, Unpriced):
        return found
    rates, sources = found
    if "input" not in rates or any(name not in _OURS and name not in (*_UNUSED, _PER_CALL) for name in rates):
        return Unpriced("rate", entry.name, f"{entry.name} is not billed by tokens alone")
    openai = entry.provider == OPENAI
    dearer = regional and openai and entry.info is not None and is_uplifted(str(entry.info.id))
    uplift = REGIONAL_UPLIFT if dearer else Decimal(1)
    hears, makes = ("audio_in" in rates or "image_in" in rates), ("audio_out" in rates or "image_out" in rates)
    return Tariff(
        entry.name,
        tuple((start, _sheet(rates, start, entry.supplement, uplift)) for start in _starts(rates)),
        sources,
        # OpenAI's answers always state audio and image tokens. Other providers' answers leave them out when there are
        # none, unless the model can also make them.
        must_state_in=hears and (makes or openai or not entry.provider),
        must_state_out=makes,
        changes_within_days=_changes_within_days(entry.info),
    )


def _rates(entry: Entry, tier: str, at: datetime) -> tuple[_Rates, dict[str, str]] | Unpriced:
    """The rates of a model with the changes of its tier, and the source of each rate."""
    standard: _Rates = {} if entry.info is None else _named(entry.info.get_prices(at))
    changed: _Rates = {}
    extra = entry.supplement or Supplement("", "")
    if tier != STANDARD:
        ours = extra.tiers.get(tier, {})
        listed = _variant(entry.info, _CONTEXTS[tier], at) if entry.info is not None and entry.provider else {}
        if not listed and not ours:
            return Unpriced("tier", f"{entry.name} {tier}", f"{entry.name} has no listed rates for the tier {tier!r}")
        changed = {**ours, **listed}
    rates = {**extra.rates, **standard, **changed}
    sources = dict.fromkeys((*extra.rates, *extra.per_input, *changed), extra.source)
    if entry.info is not None:
        sources |= dict.fromkeys(standard, _source(entry))
        if tier != STANDARD:
            sources |= dict.fromkeys(listed, f"{_source(entry)}, {tier}")
            sources |= dict.fromkeys((name for name in ours if name not in listed), extra.source)
    return rates, {name: source for name, source in sources.items() if name in _OURS}


def _source(entry: Entry) -> str:
    version = getattr(genai_prices(), "__version__", "")
    as_other = "" if entry.name.endswith(entry.info.id) else f", as {entry.info.id}"
    return f"genai-prices {version}{as_other}".strip()


def _changes_within_days(info: Any) -> bool:
    return info is not None and isinstance(info.prices, list) and any(_by_the_hour(price) for price in info.prices)


def _by_the_hour(price: Any) -> bool:
    return hasattr(price.constraint, "start_time")


def _variant(info: Any, context: dict[str, str], at: datetime) -> _Rates:
    """The rates that a context changes. If several variants change a rate, the first one wins."""
    changes: _Rates = {}
    for variant in info.price_variants or ():
        active = variant.constraint is None or variant.constraint.active(at)
        if active and variant.when == context:
            changes = {**_named(variant.prices), **changes}
    return changes


def _named(prices: Any) -> _Rates:
    """The rates by our names, or by genai-prices' names if we have none for them."""
    return {_RATES.get(key, key): value for key, value in vars(prices).items() if value is not None}


def _starts(rates: _Rates) -> list[int]:
    return sorted({0, *(step.start for rate in rates.values() for step in getattr(rate, "tiers", ()))})


def _sheet(rates: _Rates, start: int, extra: Supplement | None, uplift: Decimal) -> Sheet:
    found = {name: _at(rate, start) * uplift for name, rate in rates.items() if name in _OURS}
    for name, multiple in ({} if extra is None else extra.per_input).items():
        found.setdefault(name, found["input"] * multiple)
    fee = rates.get(_PER_CALL)
    return Sheet(found, Decimal(0) if fee is None else _at(fee, start) / 1000)


def _at(rate: Any, start: int) -> Decimal:
    """The rate for calls with more than `start` prompt tokens."""
    base: Decimal = getattr(rate, "base", rate)
    reached = [step.price for step in getattr(rate, "tiers", ()) if 0 < start >= step.start]
    return reached[-1] if reached else base
