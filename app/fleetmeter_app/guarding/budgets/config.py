"""The tables `[budgets.NAME]`: how much may be spent, by whom, within which period, and what follows."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, TypeAlias, cast

from fleetmeter_app.guarding.budgets.windows import WINDOWS, Window
from fleetmeter_app.tables import Table

Action: TypeAlias = Literal["reject", "downgrade", "alert"]
Trait: TypeAlias = Literal["key", "team", "intent", "model"]
ACTIONS: tuple[Action, ...] = ("reject", "downgrade", "alert")
TRAITS: tuple[Trait, ...] = ("key", "team", "intent", "model")

MOST_USD = 9_000_000
"""The largest limit: nano-dollars up to 2^53 are exact in every script of the store."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NANO = 1_000_000_000


@dataclass(frozen=True)
class Budget:
    """What may be spent within a period by the calls that have all of `only`: for example `{"team": "search"}`.

    With `each` every value of that trait has an account of its own. An `assigned` budget holds for keys that name it,
    and for nobody else. `tier` is where a budget that downgrades sends calls.
    """

    name: str
    limit_nanodollars: int
    window: Window
    action: Action
    tier: str
    only: Mapping[Trait, str]
    each: Trait | None
    assigned: bool


BudgetsConfig: TypeAlias = tuple[Budget, ...]


def read_budgets(tables: Table, tiers: Collection[str] | None = None) -> BudgetsConfig:
    """Read the tables; raises `ConfigError` for what cannot be used. `tiers` are those that there are, if known."""
    found = []
    for name in tables.names():
        if _NAME.fullmatch(name) is None:
            tables.refuse(name, "is no usable name: 1 to 64 letters, digits, _, . and -, the first a letter or digit")
        found.append(_budget(name, tables.take_table(name), tiers))
    return tuple(found)


def _budget(name: str, table: Table, tiers: Collection[str] | None) -> Budget:
    limit = table.take_number("limit_usd")
    if limit > MOST_USD:
        table.refuse("limit_usd", f"is {limit}; it must be at most {MOST_USD}")
    nanodollars = int(Decimal(str(limit)) * _NANO)
    if nanodollars < 1:
        table.refuse("limit_usd", f"is {limit}; it must be at least a nano-dollar, 0.000000001")
    window = _one_of(table, "window", WINDOWS)
    action = _one_of(table, "action", ACTIONS, "reject")
    tier = table.take_text("tier", "") if action == "downgrade" else ""
    if action == "downgrade" and (not tier or (tiers is not None and tier not in tiers)):
        known = "" if tiers is None else f"; the tiers are: {', '.join(tiers)}"
        table.refuse("tier", f"names no tier to downgrade to{known}")
    each = _one_of(table, "each", ("", *TRAITS), "")
    only = {trait: text for trait in TRAITS if (text := table.take_text(trait, ""))}
    if each in only:
        table.refuse("each", f"is {each!r}, of which this budget has only one: {only[each]!r}")
    budget = Budget(
        name=name,
        limit_nanodollars=nanodollars,
        window=cast("Window", window),
        action=cast("Action", action),
        tier=tier,
        only=MappingProxyType(only),
        each=cast("Trait", each) if each else None,
        assigned=table.take_boolean("assigned", default=False),
    )
    table.close()
    return budget


def _one_of(table: Table, key: str, allowed: Collection[str], default: str | None = None) -> str:
    value = table.take_text(key, default)
    if value not in allowed:
        table.refuse(key, f"is {value!r}; it must be one of: {', '.join(filter(None, allowed))}")
    return value
