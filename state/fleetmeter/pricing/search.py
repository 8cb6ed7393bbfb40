"""Which price a model's name stands for: one of the user's own, or an entry of genai-prices."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from fleetmeter.pricing.answer import LONGEST_NAME
from fleetmeter.pricing.book import Book
from fleetmeter.pricing.counts import brief
from fleetmeter.pricing.doubt import Unpriced
from fleetmeter.pricing.listed import tariff_of
from fleetmeter.pricing.price import ModelPrice
from fleetmeter.pricing.price_data import Entry, PriceData
from fleetmeter.pricing.providers import OPENAI, Place
from fleetmeter.pricing.tariff import Tariff
from fleetmeter.pricing.tiers import STANDARD

_SHOWN = 64
"""Characters of an unknown name that a message shows."""

_NAME_PROVIDER = "name it by the address, under [providers] in a file of prices (FLEETMETER_PRICES)"
"""What to do about an address that no price list knows."""


class Found(NamedTuple):
    """The name to count a model under, and its own price or its entry in the list."""

    name: str
    source: ModelPrice | Entry

    def tariff(self, book: Book, tier: str, place: Place, at: datetime) -> Tariff | Unpriced:
        """Its rates in a tier, or why there are none."""
        name, source = self
        if isinstance(source, Entry):
            regional = place.regional if book.regional is None else book.regional
            return tariff_of(source, tier, at, regional=regional)
        if tier == STANDARD:
            return source.tariff(name, book.source)
        if tier in source.tiers:
            return source.tiers[tier].tariff(name, f"{book.source}, {tier}")
        return Unpriced("tier", f"{name} {tier}", f"your own price of {name} has no tier {tier!r}")


def find_price(model: object, place: Place, book: Book, listed: Callable[[], PriceData]) -> Found | Unpriced:
    """The price of a model at a place, or why it has none. `listed` is asked only if no own price fits."""
    if model is None or model == "":
        return Unpriced("model", "none", "no model is named")
    if not isinstance(model, str):
        return Unpriced("model", brief(model), f"the model {brief(model)} has no price: that is no model's name")
    if len(model) >= LONGEST_NAME:
        beginning = repr(model[:_SHOWN])
        reason = f"the model {beginning}… has no price: a name of {LONGEST_NAME} characters or more is no model's"
        return Unpriced("model", beginning, reason)
    name = book.real_name(model).lower()
    own = book.find(name, place.provider)
    if own is not None:
        return Found(*own)
    if place.provider is None:
        reason = f"nobody knows the provider that answered as {brief(model)}; {_NAME_PROVIDER}"
        return Unpriced("provider", name[:_SHOWN], reason)
    entry = _entry(listed(), name, place.provider)
    if entry is None:
        about = f"{place.provider} {name[:_SHOWN]}"
        return Unpriced("model", about, f"{brief(model)} has no price at {place.provider}")
    own = book.find(entry.name, place.provider)  # an own price holds for snapshots, too
    return Found(entry.name, entry) if own is None else Found(*own)


def is_name(model: object) -> bool:
    """Whether it can be a model's name; callers hand on what answers and users say."""
    return isinstance(model, str) and 0 < len(model) < LONGEST_NAME


def _entry(listed: PriceData, name: str, provider: str) -> Entry | None:
    entry = listed.find(provider, name)
    if entry is None and provider in (OPENAI, "litellm"):
        prefix, slash, rest = name.partition("/")
        if slash and listed.is_provider(prefix):  # a router's name: openai/gpt-6-sol
            return listed.find(prefix, rest)
        if provider == "litellm":
            return listed.find(OPENAI, name)
    return entry
