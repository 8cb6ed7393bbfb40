"""Tiers, models and intents of a configuration, and the rules that keep their chains sound."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fleetmeter_app.config.deployments import DEFAULT
from fleetmeter_app.config.names import require_name
from fleetmeter_app.tables import Table

AUTO = "auto"
"""Asked for as a model: the router chooses by intent."""


@dataclass(frozen=True)
class Tier:
    """A model, where it is served, and the names of the tiers to try when it does not answer.

    After `hedge_after_seconds` without an answer a second deployment is asked, too; None: never.
    """

    name: str
    model: str
    fallback: tuple[str, ...]
    deployments: tuple[str, ...] = (DEFAULT,)
    hedge_after_seconds: float | None = None


@dataclass(frozen=True)
class Model:
    """A model that callers may ask for by its name: where it is served, and the tiers or models to try after it.

    `hedge_after_seconds` is that of a tier.
    """

    name: str
    fallback: tuple[str, ...] = ()
    deployments: tuple[str, ...] = (DEFAULT,)
    hedge_after_seconds: float | None = None


@dataclass(frozen=True)
class Intent:
    """A kind of question: how it is recognised, and how it is answered.

    `system_prompt` may be empty; `max_tokens` limits the completion, None leaves it to the model; `tools` are the names
    of those that the model may ask for. All three are for `/ask` only: requests in OpenAI's format are passed on as
    they come.
    """

    name: str
    tier: str
    keywords: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]
    system_prompt: str
    max_tokens: int | None
    tools: tuple[str, ...] = ()


def read_tiers(top: Table, deployments: Collection[str]) -> Mapping[str, Tier]:
    """The table `[tiers]`, without circles."""
    tables: dict[str, Table] = {}
    tiers: dict[str, Tier] = {}
    for name in top.names():
        require_name(top, name)
        if name == AUTO:
            top.refuse(name, f"is no name for a tier: a request for the model {AUTO!r} leaves the choice to the router")
        table = tables[name] = top.take_table(name)
        model, fallback = table.take_text("model"), table.take_texts("fallback", may_be_empty=True)
        places = _deployments(table, deployments)
        tiers[name] = Tier(name, model, fallback, places, _hedge_after(table, places))
        table.close()
    for name, tier in tiers.items():
        for other in tier.fallback:
            require_tier(tables[name], "fallback", other, tiers)
    for name in tiers:
        _refuse_cycles(tables, tiers, (name,))
    return MappingProxyType(tiers)


def read_models(top: Table, tiers: Mapping[str, Tier], deployments: Collection[str]) -> Mapping[str, Model]:
    """The table `[models]`, and a model without fallback for each tier whose model is not in it."""
    models: dict[str, Model] = {}
    tables: dict[str, Table] = {}
    for name in top.names():
        if name in tiers or name == AUTO:
            top.refuse(name, "is the name of a tier, which a request for it would mean")
        table = tables[name] = top.take_table(name)
        of_tier = next((tier.deployments for tier in tiers.values() if tier.model == name), (DEFAULT,))
        fallback = table.take_texts("fallback", may_be_empty=True)
        places = _deployments(table, deployments, of_tier)
        models[name] = Model(name, fallback, places, _hedge_after(table, places))
        table.close()
    for tier in tiers.values():
        models.setdefault(tier.model, Model(tier.model, (), tier.deployments, tier.hedge_after_seconds))
    for name, table in tables.items():
        for other in models[name].fallback:
            if other not in tiers and other not in models:
                known = ", ".join([*tiers, *models])
                table.refuse("fallback", f"{other!r} is neither a tier nor a model; there are: {known}")
            if other == name:
                table.refuse("fallback", f"is a circle: {name} -> {name}; end the chain somewhere")
    return MappingProxyType(models)


def read_intents(tables: Table, tiers: Mapping[str, Tier], tools: Collection[str] = ()) -> Mapping[str, Intent]:
    """The table `[intents]`; `tools` are the names of the tools that there are."""
    intents: dict[str, Intent] = {}
    for name in tables.names():
        require_name(tables, name)
        table = tables.take_table(name)
        tier = table.take_text("tier")
        require_tier(table, "tier", tier, tiers)
        intents[name] = Intent(
            name=name,
            tier=tier,
            keywords=table.take_texts("keywords"),
            patterns=tuple(_pattern(table, text) for text in table.take_texts("patterns")),
            system_prompt=table.take_text("system_prompt", "").strip(),
            max_tokens=table.take_optional_integer("max_tokens", minimum=1),
            tools=_tools(table, tools),
        )
        table.close()
    return MappingProxyType(intents)


def require_tier(table: Table, key: str, name: str, tiers: Mapping[str, Tier]) -> None:
    """Refuse a name that no tier has."""
    if name not in tiers:
        table.refuse(key, f"{name!r} is no tier; the tiers are: {', '.join(tiers)}")


def _tools(table: Table, known: Collection[str]) -> tuple[str, ...]:
    names = table.take_texts("tools", may_be_empty=True)
    for name in names:
        if name not in known:
            table.refuse(
                "tools", f"{name!r} is no tool; the tools of the table [tools] are: {', '.join(known) or 'none'}"
            )
    return tuple(dict.fromkeys(names))


def _deployments(table: Table, known: Collection[str], default: tuple[str, ...] = (DEFAULT,)) -> tuple[str, ...]:
    names = table.take_texts("deployments") or default
    for name in names:
        if name != DEFAULT and name not in known:
            table.refuse("deployments", f"{name!r} is no deployment; there are: {', '.join([DEFAULT, *known])}")
    return names


def _hedge_after(table: Table, deployments: Collection[str]) -> float | None:
    seconds = table.take_optional_number("hedge_after_seconds")
    if seconds is not None and len(set(deployments)) < 2:
        table.refuse("hedge_after_seconds", "needs a second deployment to ask; name two or more in 'deployments'")
    return seconds


def _refuse_cycles(tables: Mapping[str, Table], tiers: Mapping[str, Tier], path: tuple[str, ...]) -> None:
    for other in tiers[path[-1]].fallback:
        if other in path:
            cycle = " -> ".join((*path[path.index(other) :], other))
            tables[path[-1]].refuse("fallback", f"is a circle: {cycle}; end the chain somewhere")
        _refuse_cycles(tables, tiers, (*path, other))


def _pattern(table: Table, text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        table.refuse("patterns", f"{text!r} is no regular expression: {error}")
    if pattern.search(""):
        table.refuse("patterns", f"{text!r} fits the empty text, so it would take every question")
    return pattern
