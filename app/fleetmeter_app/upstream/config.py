"""The configuration of the upstream: its models, and how slow and faulty each of them is.

seed = 7                                  # the same seed, the same trouble
[models."gpt-6-luna"]
latency_seconds = 0.05
latency_jitter_seconds = 0.02
retry_after_seconds = 0.1
context_tokens = 100000
error_rates = { "429" = 0.02, "500" = 0.01 }
[models.my-model.price]                   # nano-dollars per token; needed for a model without a list price
input = 100
cached = 10
cache_write = 125
output = 500
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Self

from fleetmeter_app.errors import ConfigError
from fleetmeter_app.tables import Table
from fleetmeter_app.upstream.faults import KINDS
from fleetmeter_app.upstream.ledger import EMBEDDING_PRICES, PRICES, Price

_LIST_PRICES = PRICES | EMBEDDING_PRICES


@dataclass(frozen=True)
class ModelBehaviour:
    """One model: its price, its latency in seconds, and the share of requests that fail, by kind of fault."""

    price: Price
    latency_seconds: float = 0.0
    latency_jitter_seconds: float = 0.0
    # Short, so that tests with retries of the SDK are quick; OpenAI sends 1 to 60 s.
    retry_after_seconds: float = 0.05
    # The published maximum input of the gpt-6 family.
    context_tokens: int = 922_000
    error_rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def drawn_fault(self, luck: float) -> str | None:
        """The kind of fault for a random number from 0 to 1; None for most numbers."""
        for kind, rate in self.error_rates.items():
            if luck < rate:
                return kind
            luck -= rate
        return None


def _listed() -> Mapping[str, ModelBehaviour]:
    return MappingProxyType({model: ModelBehaviour(price) for model, price in _LIST_PRICES.items()})


@dataclass(frozen=True)
class UpstreamConfig:
    """All models that are served, and the seed of the random numbers."""

    models: Mapping[str, ModelBehaviour] = field(default_factory=_listed)
    seed: int = 0

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a TOML file. Raises `ConfigError` if it cannot be read or used."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(str(path), "file", f"cannot be read: {error}") from error
        return cls.from_toml(text, file=str(path))

    @classmethod
    def from_toml(cls, text: str, *, file: str = "upstream.toml") -> Self:
        """From a TOML text; `file` is its name in a `ConfigError`. Without models in it, the listed ones are served."""
        top = Table.parse(file, text)
        seed = top.take_integer("seed", 0)
        tables = top.take_table("models")
        top.close()
        models = {model: _behaviour(model, tables.take_table(model)) for model in tables.names()}
        return cls(MappingProxyType(models) if models else _listed(), seed)


def _behaviour(model: str, table: Table) -> ModelBehaviour:
    own_price = table.take_table("price")
    price = _price(own_price) if own_price.names() else _LIST_PRICES.get(model)
    if price is None:
        table.refuse("price", "is missing, and the model has no list price; give it one")
    rates = table.take_table("error_rates")
    error_rates = {kind: rates.take_number(kind, positive=False) for kind in rates.names()}
    for kind in error_rates:
        if kind not in KINDS:
            rates.refuse(kind, f"is no kind of fault; the kinds are: {', '.join(KINDS)}")
    if sum(error_rates.values()) > 1:
        table.refuse("error_rates", "add up to more than 1")
    plain = ModelBehaviour(price)
    behaviour = ModelBehaviour(
        price=price,
        latency_seconds=table.take_number("latency_seconds", plain.latency_seconds, positive=False),
        latency_jitter_seconds=table.take_number(
            "latency_jitter_seconds", plain.latency_jitter_seconds, positive=False
        ),
        retry_after_seconds=table.take_number("retry_after_seconds", plain.retry_after_seconds),
        context_tokens=table.take_integer("context_tokens", plain.context_tokens, minimum=1),
        error_rates=MappingProxyType(error_rates),
    )
    table.close()
    return behaviour


def _price(table: Table) -> Price:
    price = Price(
        input=table.take_integer("input"),
        cached=table.take_integer("cached"),
        cache_write=table.take_integer("cache_write"),
        output=table.take_integer("output"),
    )
    table.close()
    return price
