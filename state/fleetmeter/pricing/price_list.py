"""Prices by genai-prices, with the user's own on top."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import localcontext
from types import ModuleType
from typing import Any

from fleetmeter.pricing.doubt import Doubt, Unpriced
from fleetmeter.pricing.price import EXACT, Cost, ModelPrice
from fleetmeter.pricing.usage import Usage

OTHER = "other"
"""What an unknown model is called."""
PROVIDER = "openai"
"""The provider of genai-prices whose list is used."""
_MOST_NAMES = 1024
"""Names whose search is remembered; the names that callers send are not bounded."""
_TEXT_RATES = frozenset({"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"})


class PriceList:
    """The user's own prices, and for every other model those of genai-prices at the time of the call.

    `own` maps a model's name to its price. `baseline` is the model that savings are measured against. Fees
    for tools of the provider (web search, file search) are not part of a cost. Models that are billed by
    audio, images, characters or time have no price here, because a `Usage` does not hold what they are
    billed by.
    """

    def __init__(self, own: Mapping[str, ModelPrice] | None = None, baseline: str | None = None) -> None:
        self.own = dict(own or {})
        self.baseline = baseline
        self._own_names = {name.lower(): name for name in self.own}
        self._found: tuple[Any, dict[str, Any]] = (None, {})

    def models(self) -> frozenset[str]:
        """Every name that `normalise` can give, `other` not among them."""
        listed = _snapshot().find_provider(None, PROVIDER, None).models
        return frozenset(self.own) | {info.id for info in listed}

    def normalise(self, model: str) -> str:
        """The name to count a model under.

        The user's own name of it, or its id in the price list, which dated snapshots and aliases share;
        `other` for a model that neither knows.
        """
        own = self._own_names.get(model.lower())
        if own is not None:
            return own
        info = self._find(model)
        return OTHER if info is None else self._own_names.get(info.id.lower(), info.id)

    def cost(self, model: str, usage: Usage, at: datetime | None = None) -> Cost | None:
        """The cost of one call, rounded once to the nearest nano-dollar, halves to the even one.

        `at` is the time of the call (UTC if it has no zone, now if it is None): prices change. None means
        that no price is known, which is not the same as free.
        """
        own = self.own.get(self.normalise(model))
        if own is not None:
            return own.cost(usage)
        info = self._find(model)
        return None if info is None else _listed_cost(info.get_prices(at or datetime.now(UTC)), usage)

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
        list's own, OpenAI if nothing else was said. `at` is the time of the call, as for `cost`.
        """
        if not isinstance(usage, Usage):
            reason = "the answer states no usage" if usage is None else str(usage)
            return Unpriced("usage", "none" if usage is None else f"{usage.kind}: {usage.shape}", reason)
        if provider not in (None, PROVIDER) or not (base_url is None or "api.openai.com" in str(base_url)):
            return Unpriced("provider", str(provider or base_url)[:64], "the prices of the provider are not known")
        if tier not in (None, "default", "standard"):
            return Unpriced("tier", str(tier), f"the rates of the tier {tier!r} are not known")
        cost = self.cost(model, usage, at)
        return Unpriced("model", model[:64], f"the model {model[:64]!r} has no price") if cost is None else cost

    def saving(self, cost: Cost, usage: Usage, at: datetime | None = None) -> Cost | None:
        """What the baseline model costs for the same usage, minus `cost`; below 0 where it is cheaper.

        None without a baseline, or where its price is not known.
        """
        price = None if self.baseline is None else self.cost(self.baseline, usage, at)
        return None if price is None else price - cost

    def _find(self, model: str) -> Any:
        """The entry of genai-prices for a name, None where there is none.

        The answer is remembered until genai-prices takes in new prices: a search that finds nothing costs
        as much as a whole calculation.
        """
        snapshot = _snapshot()
        searched, found = self._found
        if searched is not snapshot or len(found) >= _MOST_NAMES:
            found = {}
            self._found = (snapshot, found)
        if model not in found:
            # Not by `find_provider_model`, which remembers every name it was ever asked for.
            provider = snapshot.find_provider(None, PROVIDER, None)
            found[model] = provider.find_model(model, all_providers=snapshot.providers)
        return found[model]


def _listed_cost(prices: Any, usage: Usage) -> Cost | None:
    """The cost by an entry of genai-prices; None where the entry lacks a rate that the usage needs."""
    keys = {key for key, value in vars(prices).items() if value is not None}
    by_the_piece = {key for key in keys if key.endswith("_kcount")}
    if not keys - by_the_piece <= _TEXT_RATES:
        return None
    if "input_mtok" not in keys or (usage.completion and "output_mtok" not in keys):
        return None
    with localcontext(EXACT):
        total = prices.calc_price(
            _genai_prices().Usage(
                input_tokens=usage.prompt,
                cache_read_tokens=usage.cached,
                cache_write_tokens=usage.cache_write,
                output_tokens=usage.completion,
            )
        )["total_price"]
    return Cost.of_usd(total)


def _genai_prices() -> ModuleType:
    """genai-prices, imported when it is first needed: it is optional and takes 0.15 s."""
    try:
        import genai_prices
        import genai_prices.data_snapshot
    except ImportError as error:
        raise ImportError("prices need the package genai-prices; run: pip install 'fleetmeter[openai]'") from error
    return genai_prices


def _snapshot() -> Any:
    """The price data in force: the package's own, or newer ones if the service lets it fetch them."""
    return _genai_prices().data_snapshot.get_snapshot()
