"""What the gateway is told: the TOML file of tiers and intents, and the settings of one replica.

Everything is checked here, at start: what is refused raises `ConfigError` with file, key and reason.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Self

from fleetmeter_app.errors import ConfigError
from fleetmeter_app.tables import Table

_PACKAGED = "gateway.toml"
_SHORTEST_TTL = 0.001
"""Seconds. The store keeps whole microseconds, and an entry that lives for less than a millisecond helps nobody."""
# Tiers and intents become label values, which have to stay short and plain.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Tier:
    """A model, and the names of the tiers to try when it does not answer."""

    name: str
    model: str
    fallback: tuple[str, ...]


@dataclass(frozen=True)
class Intent:
    """A kind of question: how it is recognised, and how it is answered.

    `system_prompt` may be empty; `max_tokens` limits the completion, None leaves it to the model.
    """

    name: str
    tier: str
    keywords: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]
    system_prompt: str
    max_tokens: int | None


@dataclass(frozen=True)
class CacheConfig:
    """Bounds of the shared prompt cache."""

    ttl_seconds: float
    max_entries: int
    max_entry_bytes: int


@dataclass(frozen=True)
class LimitsConfig:
    """What a request may ask at most."""

    max_query_characters: int


@dataclass(frozen=True)
class UpstreamCalls:
    """How one model is called: seconds per attempt, and attempts after the first."""

    timeout_seconds: float
    max_retries: int


@dataclass(frozen=True)
class GatewayConfig:
    """A whole configuration; `intents` are in the order in which their rules are tried.

    `prices` holds the user's own prices as they stand in the file; whoever prices calls checks them.
    """

    tiers: Mapping[str, Tier]
    intents: Mapping[str, Intent]
    baseline_tier: str
    default_intent: str
    cache: CacheConfig
    limits: LimitsConfig
    upstream: UpstreamCalls
    prices: Mapping[str, Mapping[str, object]]

    @property
    def baseline_model(self) -> str:
        """The model whose price savings are measured against."""
        return self.tiers[self.baseline_tier].model

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a file, or the packaged one."""
        if path is None:
            return cls.from_toml(_packaged(), file=_PACKAGED)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(str(path), "file", f"cannot be read: {error}") from error
        return cls.from_toml(text, file=str(path))

    @classmethod
    def from_toml(cls, text: str, *, file: str = _PACKAGED) -> Self:
        """Read a TOML text; `file` names it in errors. What it may leave out comes from the packaged file."""
        top, packaged = Table.parse(file, text), Table.parse(_PACKAGED, _packaged())
        tiers = _tiers(top.take_table("tiers"))
        if not tiers:
            top.refuse("tiers", 'is missing; name at least one, as in [tiers.cheap] with model = "gpt-6-luna"')
        baseline_tier = top.take_text("baseline_tier", packaged.take_text("baseline_tier"))
        _require_tier(top, "baseline_tier", baseline_tier, tiers)
        intents = _intents(top.take_table("intents"), tiers)
        default_intent = top.take_text("default_intent", packaged.take_text("default_intent"))
        if default_intent not in intents:
            known = ", ".join(intents) or "none"
            top.refuse("default_intent", f"{default_intent!r} is no intent; the intents are: {known}")
        config = cls(
            tiers=tiers,
            intents=intents,
            baseline_tier=baseline_tier,
            default_intent=default_intent,
            cache=_cache(top.take_table("cache", packaged.take_mapping("cache"))),
            limits=_limits(top.take_table("limits", packaged.take_mapping("limits"))),
            upstream=_upstream(top.take_table("upstream", packaged.take_mapping("upstream"))),
            prices=_prices(top.take_table("prices")),
        )
        top.close()
        return config


def _packaged() -> str:
    return (resources.files("fleetmeter_app") / _PACKAGED).read_text(encoding="utf-8")


def _tiers(top: Table) -> Mapping[str, Tier]:
    tables: dict[str, Table] = {}
    tiers: dict[str, Tier] = {}
    for name in top.names():
        _require_name(top, name)
        table = tables[name] = top.take_table(name)
        tiers[name] = Tier(name, table.take_text("model"), table.take_texts("fallback", may_be_empty=True))
        table.close()
    for name, tier in tiers.items():
        for other in tier.fallback:
            _require_tier(tables[name], "fallback", other, tiers)
    for name in tiers:
        _refuse_cycles(tables, tiers, (name,))
    return MappingProxyType(tiers)


def _refuse_cycles(tables: Mapping[str, Table], tiers: Mapping[str, Tier], path: tuple[str, ...]) -> None:
    for other in tiers[path[-1]].fallback:
        if other in path:
            cycle = " -> ".join((*path[path.index(other) :], other))
            tables[path[-1]].refuse("fallback", f"is a circle: {cycle}; end the chain somewhere")
        _refuse_cycles(tables, tiers, (*path, other))


def _intents(tables: Table, tiers: Mapping[str, Tier]) -> Mapping[str, Intent]:
    intents: dict[str, Intent] = {}
    for name in tables.names():
        _require_name(tables, name)
        table = tables.take_table(name)
        tier = table.take_text("tier")
        _require_tier(table, "tier", tier, tiers)
        intents[name] = Intent(
            name=name,
            tier=tier,
            keywords=table.take_texts("keywords"),
            patterns=tuple(_pattern(table, text) for text in table.take_texts("patterns")),
            system_prompt=table.take_text("system_prompt", "").strip(),
            max_tokens=table.take_optional_integer("max_tokens", minimum=1),
        )
        table.close()
    return MappingProxyType(intents)


def _pattern(table: Table, text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        table.refuse("patterns", f"{text!r} is no regular expression: {error}")
    if pattern.search(""):
        table.refuse("patterns", f"{text!r} fits the empty text, so it would take every question")
    return pattern


def _cache(table: Table) -> CacheConfig:
    ttl = table.take_number("ttl_seconds")
    if ttl < _SHORTEST_TTL:
        table.refuse("ttl_seconds", f"is {ttl}; it must be at least {_SHORTEST_TTL}, a millisecond")
    cache = CacheConfig(
        ttl_seconds=ttl,
        max_entries=table.take_integer("max_entries", minimum=1),
        max_entry_bytes=table.take_integer("max_entry_bytes", minimum=1),
    )
    table.close()
    return cache


def _limits(table: Table) -> LimitsConfig:
    limits = LimitsConfig(max_query_characters=table.take_integer("max_query_characters", minimum=1))
    table.close()
    return limits


def _upstream(table: Table) -> UpstreamCalls:
    upstream = UpstreamCalls(
        timeout_seconds=table.take_number("timeout_seconds"),
        max_retries=table.take_integer("max_retries"),
    )
    table.close()
    return upstream


def _prices(tables: Table) -> Mapping[str, Mapping[str, object]]:
    return MappingProxyType({model: tables.take_mapping(model) for model in tables.names()})


def _require_name(tables: Table, name: str) -> None:
    if _NAME.fullmatch(name) is None:
        tables.refuse(name, "is no usable name: 1 to 64 letters, digits, _, . and -, the first a letter or digit")


def _require_tier(table: Table, key: str, name: str, tiers: Mapping[str, Tier]) -> None:
    if name not in tiers:
        table.refuse(key, f"{name!r} is no tier; the tiers are: {', '.join(tiers)}")
