"""The price list: what calls cost by the tariffs in force."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

from fleetmeter.pricing.book import Book
from fleetmeter.pricing.cost import Cost
from fleetmeter.pricing.doubt import NO_USAGE, Doubt, Unpriced
from fleetmeter.pricing.price import ModelPrice
from fleetmeter.pricing.price_file import PriceFile
from fleetmeter.pricing.tariff import Tariff
from fleetmeter.pricing.tariff_list import TariffList
from fleetmeter.pricing.usage import Usage


class PriceList(TariffList):
    """The user's own prices, and for every other model those of genai-prices at the time of the call.

    `own` maps names to prices; a `Book` adds aliases, providers and regional processing. `baseline` is the model
    with which savings are measured. A cost does not include fees for tools of the provider (web search, file search).
    Models that are billed by images, characters or time have no price here, because a `Usage` holds tokens only.
    """

    def __init__(self, own: Mapping[str, ModelPrice] | Book | None = None, baseline: str | None = None) -> None:
        super().__init__(own)
        self.baseline = baseline

    @classmethod
    def from_file(cls, path: str | Path, baseline: str | None = None) -> Self:
        """Own prices from a TOML file, which is read again within two seconds of a change.

        Raises `SettingError`, which names the file, the key, and what was expected. If a later change cannot be used,
        the old prices stay in force, and the log says why, once.
        """
        file = PriceFile(Path(path))
        prices = cls(file.book(), baseline)
        prices._file = file
        return prices

    @classmethod
    def from_env(cls, environ: Mapping[str, str], baseline: str | None = None) -> Self:
        """Own prices from the file that `FLEETMETER_PRICES` names; without the variable, genai-prices' only.

        Raises `SettingError`, as `from_file` does.
        """
        file = environ.get("FLEETMETER_PRICES")
        return cls.from_file(file, baseline) if file else cls(baseline=baseline)

    def cost(self, model: str, usage: Usage, at: datetime | None = None) -> Cost | None:
        """The cost of one call at the standard tier, rounded once to the nearest nano-dollar.

        `at` is the time of the call, because prices change: UTC if it has no zone, now if it is None. The result None
        means that no price is known, which is not the same as free. `price` says why, and knows tiers.
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
        """The cost of one call, rounded once to the nearest nano-dollar, or why it has none. Never raises.

        `model` and `tier` are those that the answer names. `usage` is the result of `read_usage`, or None if the answer
        states no usage. The provider follows from `base_url`, the client's (a text, or an object that `str` turns into
        it). Or `provider` names it, with genai-prices' names (`openai`, `azure`, `groq`, …). Without both, it is the
        book's provider, by default OpenAI. `at` is the time of the call, as for `cost`.
        """
        try:
            return self._price(model, usage, tier, provider, base_url, at)
        except Exception as error:  # noqa: BLE001 - price data of another version must not break a call that is paid for
            return Unpriced("price_data", type(error).__name__, f"the price data cannot be read: {error}")

    def named_price(
        self,
        model: str,
        usage: Usage | Doubt | None,
        *,
        tier: str | None,
        base_url: object,
        provider: str | None = None,
    ) -> tuple[str, Cost | Unpriced]:
        """What `normalise` and `price` give, in one look-up if there is a price. Never raises."""
        if type(usage) is Usage:
            try:
                tariff = self.tariff(model, tier=tier, base_url=base_url, provider=provider)
                if type(tariff) is Tariff:
                    return tariff.model, tariff.cost(usage)
            except Exception:  # noqa: BLE001, S110 - `price` says why
                pass
        price = self.price(model, usage, tier=tier, base_url=base_url, provider=provider)
        return self.normalise(model, base_url=base_url, provider=provider), price

    def saving(self, cost: Cost, usage: Usage, at: datetime | None = None, *, tier: str | None = None) -> Cost | None:
        """How much was saved against the baseline model: its cost for the same usage and tier, minus `cost`.

        Below 0 if the baseline model is cheaper. None without a baseline, or if its price is not known. Never raises.
        """
        price = None if self.baseline is None else self.price(self.baseline, usage, tier=tier, at=at)
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
