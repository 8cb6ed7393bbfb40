"""The user's own prices, with aliases of models, providers by base URL, and regional processing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from fleetmeter.errors import SettingError
from fleetmeter.pricing.price import ModelPrice
from fleetmeter.pricing.providers import OPENAI

_KEYS = ("provider", "regional", "providers", "aliases", "models")


@dataclass(frozen=True)
class Book:
    """What the user says about prices. Everything else comes from the price list.

    `models` are prices, by the name to count under. `aliases` map names in answers, such as those of Azure's
    deployments, to models. `providers` map hosts, or beginnings of base URLs, to providers. `provider` is used for
    calls without a base URL. `regional` says whether OpenAI's uplift for data residency applies to its calls; None
    means that it applies to those that went to a regional address.
    """

    models: Mapping[str, ModelPrice] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, str] = field(default_factory=dict)
    provider: str = OPENAI
    regional: bool | None = None
    source: str = "your own price"
    _exact: dict[str, list[tuple[str, ModelPrice]]] = field(default_factory=dict, init=False, repr=False)
    _patterns: list[tuple[re.Pattern[str], str, ModelPrice]] = field(default_factory=list, init=False, repr=False)
    _aliases: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._aliases.update({alias.lower(): model for alias, model in self.aliases.items()})
        for name, price in self.models.items():
            wanted = (price.model or name).lower()
            if "*" in wanted:
                pattern = re.compile(".*".join(map(re.escape, re.split(r"\*+", wanted))), re.DOTALL)
                self._patterns.append((pattern, _label(name), price))
            else:
                self._exact.setdefault(wanted, []).append((name, price))

    def names(self) -> frozenset[str]:
        """The names under which models with own prices are counted."""
        return frozenset(map(_label, self.models))

    def real_name(self, model: str) -> str:
        """The model that a name stands for: its alias's model, or the name itself."""
        return self._aliases.get(model.lower(), model)

    def find(self, model: str, provider: str | None) -> tuple[str, ModelPrice] | None:
        """An own price, and the name to count under; None if there is none.

        A price for this provider wins over a price for all providers, and both win over patterns.
        """
        wanted = model.lower()
        found = [(name, price) for name, price in self._exact.get(wanted, ()) if price.provider in (provider, None)]
        if found:
            return min(found, key=lambda named: named[1].provider is None)
        for pattern, name, price in self._patterns:
            if price.provider in (provider, None) and pattern.fullmatch(wanted):
                return name, price
        return None

    @classmethod
    def from_mapping(cls, tables: Mapping[str, Any], *, file: str) -> Self:
        """The book in a TOML file. Raises `SettingError`, which names file and key, and what was expected."""
        for key in tables:
            if key not in _KEYS:
                raise SettingError(f"{file}: {key}", f"is unknown; expected {', '.join(_KEYS)}")
        regional = tables.get("regional")
        if regional is not None and not isinstance(regional, bool):
            raise SettingError(f"{file}: regional", f"{regional!r} is neither true nor false")
        provider = tables.get("provider", OPENAI)
        if not isinstance(provider, str) or not provider.strip():
            raise SettingError(f"{file}: provider", f"{provider!r} is no name; expected a provider such as {OPENAI!r}")
        models = _table(file, "models", tables)
        prices = {}
        for name, table in models.items():
            try:
                prices[name] = ModelPrice.from_mapping(name, table, under="models")
            except SettingError as error:
                raise SettingError(f"{file}: {error.setting}", error.problem) from None
        return cls(
            models=prices,
            aliases=_texts(file, "aliases", tables),
            providers=_texts(file, "providers", tables),
            provider=provider,
            regional=regional,
            source=file,
        )


def _label(name: str) -> str:
    """The label for a pattern that has no other name. Labels have no asterisks: `acme-*` is counted as `acme-{}`."""
    return name.replace("*", "{}")


def _table(file: str, key: str, tables: Mapping[str, Any]) -> Mapping[str, Any]:
    table = tables.get(key, {})
    if not isinstance(table, Mapping):
        raise SettingError(f"{file}: {key}", f"{table!r} is no table")
    return table


def _texts(file: str, key: str, tables: Mapping[str, Any]) -> dict[str, str]:
    table = _table(file, key, tables)
    for name, value in table.items():
        if not isinstance(value, str) or not value.strip():
            raise SettingError(f"{file}: {key}.{name}", f"{value!r} is no name; expected a text")
    return dict(table)
