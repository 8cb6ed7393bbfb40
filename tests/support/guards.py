"""The gateway's guards in tests: on a store of the test's own, started and closed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from fleetmeter_app.guarding.breaker.breakers import Breakers
from fleetmeter_app.guarding.breaker.config import BreakerConfig
from fleetmeter_app.guarding.budgets.budgets import Budgets
from fleetmeter_app.guarding.budgets.config import BudgetsConfig, read_budgets
from fleetmeter_app.guarding.budgets.scopes import Scopes
from fleetmeter_app.guarding.caller import ANONYMOUS, Caller
from fleetmeter_app.guarding.door import Door
from fleetmeter_app.guarding.keys.keys import Keys
from fleetmeter_app.tables import Table
from support.store import StoreAddress

PATIENT = 30.0
"""Seconds: a busy machine must not look like a store in trouble."""

USD = 1_000_000_000
"""Nano-dollars."""


async def until(condition: Callable[[], bool], seconds: float = PATIENT) -> None:
    """Wait until a condition holds; an AssertionError if it does not in time."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true in time")


def budgets_of(text: str) -> BudgetsConfig:
    """The budgets of a TOML text, in which `[name]` stands for `[budgets.name]`."""
    return read_budgets(Table.parse("gateway.toml", text), ["cheap", "premium"])


def scopes(
    *, key: str = "", team: str = "", intent: str = "general", model: str = "gpt-6-luna", budgets: tuple[str, ...] = ()
) -> Scopes:
    """A call's."""
    caller = Caller(key_id=key, team=team, budgets=budgets) if key or budgets or team else ANONYMOUS
    return Scopes(caller, team, intent, model)


@asynccontextmanager
async def opened(store: StoreAddress, url: str = "", wait: float = PATIENT) -> AsyncIterator[Door]:
    """A door to the store."""
    door = Door(url or store.url, store.keys, timeout=wait)
    try:
        yield door
    finally:
        await door.close()


Guard = TypeVar("Guard", Budgets, Breakers, Keys)


@asynccontextmanager
async def _started(guard: Guard) -> AsyncIterator[Guard]:
    await guard.start()
    try:
        yield guard
    finally:
        await guard.close()


@asynccontextmanager
async def budgets(
    store: StoreAddress, text: str, *, fail_open: bool = True, url: str = "", wait: float = PATIENT
) -> AsyncIterator[Budgets]:
    """One replica's budgets."""
    async with (
        opened(store, url, wait) as door,
        _started(Budgets(door, budgets_of(text), fail_open=fail_open)) as found,
    ):
        yield found


@asynccontextmanager
async def breakers(
    store: StoreAddress, config: BreakerConfig, *names: str, url: str = "", wait: float = PATIENT
) -> AsyncIterator[Breakers]:
    """One replica's circuit breakers; each deployment's model is `gpt-6-luna`."""
    async with (
        opened(store, url, wait) as door,
        _started(Breakers(door, config, dict.fromkeys(names, "gpt-6-luna"))) as found,
    ):
        yield found


@asynccontextmanager
async def checked(store: StoreAddress, url: str = "", wait: float = PATIENT, **options: bool) -> AsyncIterator[Keys]:
    """One replica's check of API keys."""
    async with opened(store, url, wait) as door, _started(Keys(door, **options)) as found:
        yield found
