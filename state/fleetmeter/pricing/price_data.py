"""The models that genai-prices lists, by provider and name."""

import sys
from types import ModuleType
from typing import Any, NamedTuple

from fleetmeter.pricing.kept import keep
from fleetmeter.pricing.naming import names_of, own_name
from fleetmeter.pricing.providers import OPENAI
from fleetmeter.pricing.supplements import SUPPLEMENTS, Supplement, supplement_for

_MOST_NAMES = 1024
"""Names for which the search is remembered. There is a bound, because callers may send any number of names."""


class Entry(NamedTuple):
    """A model of the list: the name to count under, and genai-prices' entry; None if only we have rates for it.

    `provider` is empty if the entry is another provider's, whose model this one sells, as Azure sells OpenAI's.
    """

    name: str
    info: Any
    provider: str
    supplement: Supplement | None


class PriceData:
    """The present data of genai-prices. Searches are remembered until it gets new data."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Entry | None] = {}
        self._names: tuple[Any, frozenset[str]] = None, frozenset()
        """The snapshot that names were taken from, and the names."""
        self.snapshot: Any = None

    def refresh(self) -> bool:
        """Take genai-prices' present data. Returns whether it is new; raises `ImportError` without the package."""
        module = sys.modules.get("genai_prices.data_snapshot") or genai_prices().data_snapshot
        snapshot = module.get_snapshot()
        if snapshot is self.snapshot:
            return False
        self.snapshot, self._found = snapshot, {}
        return True

    def is_provider(self, name: str) -> bool:
        """Whether the list has a provider of this name."""
        return any(provider.id == name for provider in self.snapshot.providers)

    def openai_names(self) -> frozenset[str]:
        """Every name under which models of OpenAI are counted."""
        snapshot, names = self._names
        if snapshot is not self.snapshot:
            snapshot = self.snapshot
            (listed,) = (provider.models for provider in snapshot.providers if provider.id == OPENAI)
            supplied = {supplement.model for supplement in SUPPLEMENTS if supplement.model is not None}
            names = frozenset(name for entry in listed for name in names_of(entry)) | supplied
            self._names = snapshot, names
        return names

    def find(self, provider: str, model: str) -> Entry | None:
        """The model with this name (in lower case) at a provider of the list; None if it has none."""
        key, kept = (provider, model), self._found
        found: Any = kept.get(key, kept)
        if found is kept:  # None says that it was searched for in vain
            found = keep(kept, key, _search(self.snapshot.providers, provider, model), _MOST_NAMES)
        return found  # type: ignore[no-any-return]


def _search(providers: Any, provider: str, model: str) -> Entry | None:
    # Not by `find_provider_model`, which remembers every name it was ever asked for.
    lister = next((one for one in providers if one.id == provider), None)
    if lister is None:
        return None
    supplement = supplement_for(model) if provider == OPENAI else None
    info = lister.find_model(model, all_providers=providers)
    if info is None:
        named = None if supplement is None else supplement.model
        return None if named is None else Entry(named, None, provider, supplement)
    origin = next(one.id for one in providers if any(info is listed for listed in one.models))
    name = own_name(model, info) if origin == OPENAI else str(info.id)
    if name is None:
        return None
    label = name if provider == OPENAI else f"{provider}/{name}"
    return Entry(label, info, provider if origin == provider else "", supplement)


def genai_prices() -> ModuleType:
    """genai-prices, imported when it is first needed, because it is optional and its import takes 0.15 s."""
    try:
        import genai_prices
        import genai_prices.data_snapshot
    except ImportError as error:
        raise ImportError("prices need the package genai-prices; run: pip install 'fleetmeter[openai]'") from error
    return genai_prices
