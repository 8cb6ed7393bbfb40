"""The tariffs in force: the user's own prices, and those of genai-prices for every other model."""

from collections.abc import Mapping
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING

from fleetmeter.pricing.book import Book
from fleetmeter.pricing.doubt import Unpriced
from fleetmeter.pricing.kept import keep
from fleetmeter.pricing.price import ModelPrice
from fleetmeter.pricing.price_data import PriceData
from fleetmeter.pricing.providers import Place, place_of
from fleetmeter.pricing.search import Found, find_price, is_name
from fleetmeter.pricing.tariff import Tariff
from fleetmeter.pricing.tiers import tier_of

if TYPE_CHECKING:
    from fleetmeter.pricing.price_file import PriceFile

OTHER = "other"
"""The name under which unknown models are counted."""
_DAY_SECONDS = 86_400
_HOLDS = 0.1
"""Seconds for which an edition is not looked at again."""
_MOST_KEPT = 2048
"""Tariffs, and places, that are remembered. There is a bound, because callers may send any number of names."""


class TariffList:
    """The name and the tariff of each model, remembered until the user's file, genai-prices' data or the day changes.

    `own` maps names to prices; a `Book` adds aliases, providers and regional processing.
    """

    def __init__(self, own: Mapping[str, ModelPrice] | Book | None = None) -> None:
        self._book = own if isinstance(own, Book) else Book(own or {})
        self._file: PriceFile | None = None
        self._data = PriceData()
        self._kept: dict[tuple[object, ...], Tariff | Unpriced] = {}
        self._names: dict[tuple[object, ...], str] = {}
        self._places: dict[str, Place] = {}
        self._edition = object()
        self._day = 0.0, 0.0
        """Unix times between which the edition holds: some prices change from day to day (UTC)."""
        self._looked = 0.0, 0.0
        """Unix times between which nobody looks whether it does."""

    @property
    def own(self) -> dict[str, ModelPrice]:
        """The user's own prices in force, by the names in their table."""
        return dict(self._current().models)

    def edition(self) -> object:
        """Another object after each change of what calls cost: own prices, genai-prices' data, the day. Never raises.

        What `tariff` gave holds for as long as the edition is the one from before it was asked. A change is seen within
        a tenth of a second.
        """
        now = time()
        begins, ends = self._looked
        if begins <= now < ends:
            return self._edition
        if self._file is not None:
            self._current()
        if self._data.snapshot is not None:
            try:
                self._refresh()
            except Exception:  # noqa: BLE001 - data of another version; `price` says why
                return object()
        begins, ends = self._day
        if not begins <= now < ends:
            begins = now - now % _DAY_SECONDS
            ends = begins + _DAY_SECONDS
            self._day = begins, ends
            self._forget()
        self._looked = now, min(now + _HOLDS, ends)
        return self._edition

    def models(self) -> frozenset[str]:
        """Every name that `normalise` can return for models of OpenAI and own ones, except `other`."""
        self._refresh()
        return self._current().names() | self._data.openai_names()

    def normalise(self, model: str, *, provider: str | None = None, base_url: object = None) -> str:
        """The name to count a model under.

        It is the user's own name for it, or else its name in the price list, which its snapshots and aliases share. For
        OpenAI that is the bare name; for others the provider stands before it (`groq/llama-3.3-70b-versatile`). A model
        that neither knows is `other`.
        """
        self._current()
        if self._data.snapshot is not None:
            self._refresh()
        if not is_name(model):
            return OTHER
        key = (model, provider, None if base_url is None else str(base_url))
        kept = self._names
        name = kept.get(key)
        if name is None:
            name = keep(kept, key, self._name(model, provider, base_url), _MOST_KEPT)
        return name

    def _name(self, model: str, provider: str | None, base_url: object) -> str:
        try:
            found = self._find(model, self._place(provider, base_url))
            if isinstance(found, Unpriced):
                return model if model in self.models() and provider is None and base_url is None else OTHER
        except Exception:  # noqa: BLE001 - without genai-prices, or with data of another version; `price` says why
            return OTHER
        return found.name

    def tariff(
        self,
        model: str,
        *,
        tier: str | None = None,
        base_url: object = None,
        provider: str | None = None,
        at: datetime | None = None,
    ) -> Tariff | Unpriced:
        """The rates of a model and their sources, or why there are none. The arguments are those of `PriceList.price`.

        Raises `ImportError` if genai-prices is needed and not installed.
        """
        when = datetime.now(UTC) if at is None else at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        self._current()
        key = (model, tier, provider, None if base_url is None else str(base_url), when.toordinal())
        if self._data.snapshot is not None:
            self._refresh()
        kept = self._kept
        found = kept.get(key)
        if found is None:
            found = self._make(model, tier, self._place(provider, base_url), when)
            if is_name(model) and (isinstance(found, Unpriced) or not found.changes_within_days):
                keep(kept, key, found, _MOST_KEPT)
        return found

    def provider(self, base_url: object) -> str | None:
        """The provider at a base URL, by genai-prices' name; None if it is not known."""
        return self._place(None, base_url).provider

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
        kept = self._places
        place = kept.get(address)
        if place is None:
            found = place_of(address, self._book.providers, self._data.snapshot.providers)
            place = keep(kept, address, found, _MOST_KEPT)
        return place

    def _refresh(self) -> None:
        """Take genai-prices' present data. Raises `ImportError` without the package."""
        if self._data.refresh():
            self._forget()

    def _forget(self) -> None:
        """Forget remembered results, because other prices are in force."""
        self._kept, self._places, self._names = {}, {}, {}
        self._edition = object()

    def _make(self, model: str, tier: str | None, place: Place, at: datetime) -> Tariff | Unpriced:
        wanted = tier_of(tier)
        if isinstance(wanted, Unpriced):
            return wanted
        found = self._find(model, place)
        if isinstance(found, Unpriced):
            return found
        return found.tariff(self._book, wanted, place, at)

    def _find(self, model: object, place: Place) -> Found | Unpriced:
        return find_price(model, place, self._current(), self._listed)

    def _listed(self) -> PriceData:
        self._refresh()
        return self._data
