"""Prices by genai-prices, with the user's own on top."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from fleetmeter.pricing.book import Book
from fleetmeter.pricing.cost import Cost
from fleetmeter.pricing.counts import brief
from fleetmeter.pricing.doubt import NO_USAGE, Doubt, Unpriced
from fleetmeter.pricing.listed import tariff_of
from fleetmeter.pricing.price import ModelPrice
from fleetmeter.pricing.price_data import Entry, PriceData
from fleetmeter.pricing.price_file import PriceFile
from fleetmeter.pricing.providers import OPENAI, Place, place_of
from fleetmeter.pricing.tariff import Tariff
from fleetmeter.pricing.tiers import STANDARD, tier_of
from fleetmeter.pricing.usage import Usage

OTHER = "other"
"""What an unknown model is called."""
_MOST_KEPT = 2048
"""Tariffs and places that are remembered; what callers send is not bounded."""
_LONGEST_NAME = 256
"""Characters of a model's name; a longer one is nobody's."""


class PriceList:
    """The user's own prices, and for every other model those of genai-prices at the time of the call.

    `own` maps names to prices; a `Book` says more: aliases, providers, regional processing. `baseline` is the model
    that savings are measured against. Fees for tools of the provider (web search, file search) are not part of a cost.
    Models that are billed by images, characters or time have no price here, because a `Usage` does not hold what
    they are billed by.
    """

    def __init__(self, own: Mapping[str, ModelPrice] | Book | None = None, baseline: str | None = None) -> None:
        self._book = own if isinstance(own, Book) else Book(own or {})
        self._file: PriceFile | None = None
        self.baseline = baseline
        self._data = PriceData()
        self._kept: dict[tuple[object, ...], Tariff | Unpriced] = {}
        self._names: dict[tuple[object, ...], str] = {}
        self._places: dict[str, Place] = {}

    @classmethod
    def from_file(cls, path: str | Path, baseline: str | None = None) -> Self:
        """Prices with those of a TOML file on top, which is read again within two seconds of a change.

        Raises `SettingError` naming the file, the key, and what was expected. A later change that cannot be used
        leaves the prices as they were, and is logged once.
        """
        file = PriceFile(Path(path))
        prices = cls(file.book(), baseline)
        prices._file = file
        return prices

    @classmethod
    def from_env(cls, environ: Mapping[str, str], baseline: str | None = None) -> Self:
        """Prices with those of the file that `FLEETMETER_PRICES` names on top, if it names one.

        Raises `SettingError` as `from_file`.
        """
        file = environ.get("FLEETMETER_PRICES")
        return cls.from_file(file, baseline) if file else cls(baseline=baseline)

    @property
    def own(self) -> dict[str, ModelPrice]:
        """The user's own prices in force, by the name that they are given under."""
        return dict(self._current().models)

    def models(self) -> frozenset[str]:
        """Every name that `normalise` can give for models of OpenAI and own ones, `other` not among them."""
        self._refresh()
        return self._current().names() | self._data.openai_names()

    def normalise(self, model: str, *, provider: str | None = None, base_url: object = None) -> str:
        """The name to count a model under.

        The user's own name of it, or its name in the price list, which snapshots and aliases share: bare for OpenAI,
        with the provider before it for others (`groq/llama-3.3-70b-versatile`). `other` for a model that neither knows.
        """
        self._current()
        if self._data.snapshot is not None:
            self._refresh()
        if not _is_name(model):
            return OTHER
        key = (model, provider, None if base_url is None else str(base_url))
        kept = self._names  # what another thread forgets meanwhile is not to be remembered again
        name = kept.get(key)
        if name is None:
            name = self._name(model, provider, base_url)
            if len(kept) >= _MOST_KEPT:
                self._names = kept = {}
            kept[key] = name
        return name

    def _name(self, model: str, provider: str | None, base_url: object) -> str:
        try:
            found = self._find(model, self._place(provider, base_url))
            if isinstance(found, Unpriced):
                return model if model in self.models() and provider is None and base_url is None else OTHER
        except ImportError:  # without genai-prices no other model is known
            return OTHER
        return found[0]

    def cost(self, model: str, usage: Usage, at: datetime | None = None) -> Cost | None:
        """The cost of one call of the standard tier, rounded once to the nearest nano-dollar, halves to the even one.

        `at` is the time of the call (UTC if it has no zone, now if it is None): prices change. None means
        that no price is known, which is not the same as free. See `price`, which says why, and knows tiers.
        """
        found = self._price(model, usage, None, None, None, at)
        return None if isinstance(found, Unpriced) else found

    def price(
        self,
        model: str,
        usage: Usage | Doubt | None,
        *,
        tier: str | None = None,
        base_url: object = None,
        provider: str | None = None,
        at: datetime | None = None,
    ) -> Cost | Unpriced:
        """The cost of one call, rounded once to the nearest nano-dollar, or why it has none; never raises.

        `model` and `tier` are those that the answer names, `usage` is what `read_usage` gave; None stands for an answer
        that states no usage. `base_url` is the client's (text, or any object with that text), by which the provider is
        known; `provider` names it outright, as genai-prices does (`openai`, `azure`, `groq`, …). With neither it is the
        book's, which is OpenAI if nothing else was said. `at` is the time of the call, as for `cost`.
        """
        try:
            return self._price(model, usage, tier, provider, base_url, at)
        except Exception as error:  # noqa: BLE001 - price data of another version must not break a call that is paid for
            return Unpriced("price_data", type(error).__name__, f"prices cannot be had: {error}")

    def tariff(
        self,
        model: str,
        *,
        tier: str | None = None,
        base_url: object = None,
        provider: str | None = None,
        at: datetime | None = None,
    ) -> Tariff | Unpriced:
        """The rates of a model and where each is from, or why there are none; arguments as for `price`.

        Raises `ImportError` if genai-prices is needed and missing.
        """
        when = datetime.now(UTC) if at is None else at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        book = self._current()
        key = (model, tier, provider, None if base_url is None else str(base_url), when.toordinal())
        if self._data.snapshot is not None:
            self._refresh()
        kept = self._kept  # what another thread forgets meanwhile is not to be remembered again
        found = kept.get(key)
        if found is None:
            found = self._make(book, model, tier, self._place(provider, base_url), when)
            if _is_name(model) and (isinstance(found, Unpriced) or not found.changes_within_days):
                if len(kept) >= _MOST_KEPT:
                    self._kept = kept = {}
                kept[key] = found
        return found

    def provider(self, base_url: object) -> str | None:
        """Who answers at a base URL, as genai-prices names them; None if nobody knows."""
        return self._place(None, base_url).provider

    def saving(self, cost: Cost, usage: Usage, at: datetime | None = None, *, tier: str | None = None) -> Cost | None:
        """What the baseline model costs for the same usage at the same tier, minus `cost`; below 0 if it is cheaper.

        None without a baseline, or if its price is not known.
        """
        price = None if self.baseline is None else self._price(self.baseline, usage, tier, None, None, at)
        return price - cost if isinstance(price, Cost) else None

    def _price(
        self,
        model: str,
        usage: Usage | Doubt | None,
        tier: str | None,
        provider: str | None,
        base_url: object,
        at: datetime | None,
    ) -> Cost | Unpriced:
        if usage is None:
            return NO_USAGE
        if not isinstance(usage, Usage):
            return Unpriced("usage", f"{usage.kind}: {usage.shape}", str(usage))
        tariff = self.tariff(model, tier=tier, provider=provider, base_url=base_url, at=at)
        return tariff if isinstance(tariff, Unpriced) else tariff.cost(usage)

    def _current(self) -> Book:
        if self._file is not None:
            book = self._file.book()
            if book is not self._book:
                self._book = book
                self._forget()
        return self._book

    def _place(self, provider: str | None, base_url: object) -> Place:
        book = self._current()
        if provider is not None:
            return Place(str(provider).lower())
        if base_url is None:
            return Place(book.provider)
        self._refresh()
        address = str(base_url)
        place = self._places.get(address)
        if place is None:
            place = place_of(address, book.providers, self._data.snapshot.providers)
            if len(self._places) >= _MOST_KEPT:
                self._places = {}
            self._places[address] = place
        return place

    def _refresh(self) -> None:
        """Take what genai-prices knows now. Raises `ImportError` without the package."""
        if self._data.refresh():
            self._forget()

    def _forget(self) -> None:
        """Other prices are in force: nothing that was worked out holds any more."""
        self._kept, self._places, self._names = {}, {}, {}

    def _make(self, book: Book, model: str, tier: str | None, place: Place, at: datetime) -> Tariff | Unpriced:
        wanted = tier_of(tier)
        if isinstance(wanted, Unpriced):
            return wanted
        found = self._find(model, place)
        if isinstance(found, Unpriced):
            return found
        name, source = found
        if isinstance(source, Entry):
            regional = place.regional if book.regional is None else book.regional
            return tariff_of(source, wanted, at, regional=regional)
        if wanted == STANDARD:
            return source.tariff(name, book.source)
        if wanted in source.tiers:
            return source.tiers[wanted].tariff(name, f"{book.source}, {wanted}")
        return Unpriced("tier", f"{name} {wanted}", f"your own price of {name} has no tier {wanted!r}")

    def _find(self, model: str, place: Place) -> tuple[str, ModelPrice | Entry] | Unpriced:
        """The own price or the list's entry of a model, and the name to count it under."""
        if not _is_name(model):
            return Unpriced("model", brief(model), f"the model {brief(model)} has no price: that is no model's name")
        book = self._current()
        name = book.real_name(model).lower()
        own = book.find(name, place.provider)
        if own is not None:
            return own
        if place.provider is None:
            return Unpriced("provider", name[:64], f"nobody knows the provider that answered as {brief(model)}")
        entry = self._entry(name, place.provider)
        if entry is None:
            about = f"{place.provider} {name[:64]}"
            return Unpriced("model", about, f"{brief(model)} has no price at {place.provider}")
        own = book.find(entry.name, place.provider)  # an own price holds for snapshots, too
        return (entry.name, entry) if own is None else own

    def _entry(self, name: str, provider: str) -> Entry | None:
        self._refresh()
        entry = self._data.find(provider, name)
        if entry is None and provider in (OPENAI, "litellm"):
            prefix, slash, rest = name.partition("/")
            if slash and self._data.is_provider(prefix):  # a router's name: openai/gpt-6-sol
                return self._data.find(prefix, rest)
            if provider == "litellm":
                return self._data.find(OPENAI, name)
        return entry


def _is_name(model: object) -> bool:
    """Whether it can be a model's name; callers hand on what answers and users say."""
    return isinstance(model, str) and 0 < len(model) <= _LONGEST_NAME
