"""Circuit breakers on a real server: when they open, for how long, who tries, and what a lost store changes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from fleetmeter.errors import StoreError
from fleetmeter.llm import catalogue
from fleetmeter_app.errors import ConfigError
from fleetmeter_app.guarding.breaker.breakers import Breakers
from fleetmeter_app.guarding.breaker.circuit import MOST_ASKED, Circuit, Told
from fleetmeter_app.guarding.breaker.config import BreakerConfig, read_breaker
from fleetmeter_app.guarding.door import Door
from fleetmeter_app.store.script import Script
from fleetmeter_app.tables import Table
from support.guards import breakers, opened, until
from support.reachable import reachable
from support.store import StoreAddress

RULES = BreakerConfig(consecutive_failures=3, open_seconds=0.2, longest_seconds=0.5, minimum_calls=10)


def use(store: StoreAddress, work: Callable[[Breakers, Breakers], Awaitable[Any]], rules: BreakerConfig = RULES) -> Any:
    """What `work` returns for two replicas' breakers."""

    async def run() -> Any:
        async with breakers(store, rules, "a", "b") as one, breakers(store, rules, "a", "b") as two:
            return await work(one, two)

    return asyncio.run(run())


def fail(found: Breakers, times: int = 3, retry_after: float | None = None) -> None:
    """Report failures of the deployment `a`."""
    for _ in range(times):
        found.report("a", failed=True, retry_after=retry_after)


async def probing(found: Breakers) -> None:
    """Wait until this replica may make the probe."""
    await until(lambda: found.refuses("a") is None)
    assert found.state("a") == "half_open"
    found.begins("a")


def test_failures_in_a_row_open_a_circuit_for_all(store: StoreAddress) -> None:
    """One replica's failures close the way for all, to that deployment alone, unless a call succeeds in between."""

    async def work(one: Breakers, two: Breakers) -> None:
        fail(one, 2)
        one.report("a", failed=False)
        fail(one, 2)
        assert (one.refuses("a"), one.state("a")) == (None, "closed")
        fail(one, 1)
        assert one.refuses("a") is not None
        await until(lambda: two.state("a") == "open")
        assert (two.refuses("b"), two.state("b")) == (None, "closed")

    use(store, work, replace(RULES, open_seconds=60, longest_seconds=60))


def test_failures_of_several_replicas_in_a_row_open_it(store: StoreAddress) -> None:
    """What no replica alone has seen often enough, the fleet has."""

    async def work(one: Breakers, two: Breakers) -> None:
        fail(one, 2)
        await until(lambda: not one._circuits["a"]._calls)
        fail(two, 1)
        await until(lambda: one.state("a") == two.state("a") == "open")

    use(store, work, replace(RULES, open_seconds=60, longest_seconds=60))


def test_a_share_of_failures_opens_it(store: StoreAddress) -> None:
    """Half of the fleet's calls within the window do, though never in a row; of too few calls no share does."""

    async def mixed(found: Breakers, calls: int) -> None:
        for number in range(calls):
            found.report("a", failed=number % 2 == 0)
        await until(lambda: not found._circuits["a"]._calls)

    async def work(one: Breakers, two: Breakers) -> None:
        await mixed(one, 4)
        await mixed(two, 4)
        assert (one.state("a"), two.state("a")) == ("closed", "closed")
        await mixed(two, 4)
        await until(lambda: one.state("a") == two.state("a") == "open")

    use(store, work, replace(RULES, open_seconds=60, longest_seconds=60, window_seconds=600))


def test_one_probe_for_the_fleet(store: StoreAddress) -> None:
    """Once its time is over one call passes, at one replica, and no other until it ended, however long it takes."""

    async def work(one: Breakers, two: Breakers) -> None:
        fail(one)
        await until(lambda: two.state("a") == "open")
        passed: list[Breakers] = []
        for _ in range(150):
            for found in (one, two):
                if found.refuses("a") is None:
                    found.begins("a")
                    passed.append(found)
            await asyncio.sleep(0.01)
        assert len(passed) == 1
        passed[0].report("a", failed=False)
        assert passed[0].refuses("a") is None
        await until(lambda: one.state("a") == two.state("a") == "closed")

    use(store, work, replace(RULES, probe_seconds=1.0))


def test_a_failed_probe_opens_it_for_longer(store: StoreAddress, client: Any) -> None:
    """Each failed probe doubles the time, up to the longest; a success begins anew."""

    def openings() -> int:
        stored = client.hget(store.keys.circuits, "a")
        return int(stored.split(b" ")[3]) if stored else 0

    def opened_so_often(times: int) -> bool:
        return openings() == times

    async def work(one: Breakers, _: Breakers) -> None:
        fail(one)
        for opening in (1, 2, 3):
            await until(partial(opened_so_often, opening))
            await probing(one)
            one.report("a", failed=opening < 3)
        await until(lambda: one._circuits["a"].change is None)
        assert openings() == 0

    use(store, work)


def test_what_a_deployment_asks_for_is_respected(store: StoreAddress) -> None:
    """A circuit stays open for as long as the longest Retry-After of the failures that opened it, up to ten minutes."""

    async def work(one: Breakers, two: Breakers) -> None:
        fail(one, 1, 50.0)
        fail(one, 2)
        assert 49 < (one.refuses("a") or 0) <= 50
        await until(lambda: two.state("a") == "open")
        assert 45 < (two.refuses("a") or 0) <= 50
        one.report("b", failed=True, retry_after=1e9)
        for _ in range(2):
            two.report("b", failed=True)
        await until(lambda: one.state("b") == "open")
        assert (one.refuses("b") or 0) <= MOST_ASKED

    use(store, work)


def test_a_probe_whose_client_left_is_made_again(store: StoreAddress) -> None:
    """A call that says nothing about the deployment neither closes nor opens its circuit."""

    async def work(one: Breakers, _: Breakers) -> None:
        fail(one)
        await probing(one)
        assert one.refuses("a") is not None
        one.abandon("a")
        assert one.refuses("a") is None

    use(store, work)


def test_a_dead_prober_does_not_keep_it_shut(store: StoreAddress) -> None:
    """A replica that has the probe and gives no sign loses it to another one."""

    async def work(one: Breakers, two: Breakers) -> None:
        fail(one)
        await probing(one)
        assert one._background._task is not None
        one._background._task.cancel()
        await until(lambda: two.state("a") != "closed")
        await probing(two)

    use(store, work, replace(RULES, probe_seconds=0.5))


def test_without_the_store_each_replica_goes_alone(store: StoreAddress, caplog: pytest.LogCaptureFixture) -> None:
    """A replica that reaches no store opens, probes and closes by what it sees itself, and says so once."""

    async def run() -> None:
        async with breakers(store, RULES, "a", url="redis://127.0.0.1:1/0") as found:
            await until(lambda: found._away)
            fail(found)
            assert found.refuses("a") is not None
            await probing(found)
            assert found.refuses("a") is not None
            found.report("a", failed=True)
            await probing(found)
            found.report("a", failed=False)
            assert found.refuses("a") is None

    with caplog.at_level(logging.WARNING, "fleetmeter.app"):
        asyncio.run(run())
    assert sum("go by what was known last" in message for message in caplog.messages) == 1


def test_a_long_outage_leaves_the_last_change_to_tell() -> None:
    """However often a circuit opens and closes meanwhile, the store is told where it stands, in one word."""
    circuit = Circuit("a", "m")

    def flap(times: int) -> int:
        for _ in range(times):
            for _ in range(RULES.consecutive_failures):
                circuit.report(RULES, 0.0, failed=True, retry_after=None)
            assert circuit.refuses(1.0) is not None
            circuit.probe_alone(RULES, 1.0)
            circuit.report(RULES, 1.0, failed=False, retry_after=None)
        return reachable(circuit)

    assert flap(1) == flap(100)
    sent = circuit.change
    assert circuit.take_events(1.0) == [["a", "close", 0]]
    flap(1)
    stored = Told("open", 1, 60.0, "-")
    assert (circuit.told(stored, sent, "replica"), circuit.state) == (False, "closed")  # of what it does not know yet
    assert circuit.told(stored, circuit.change, "replica")
    assert (circuit.state, circuit.change) == ("open", None)


def test_what_was_known_last_holds_while_the_store_is_away(
    store: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A circuit that another replica opened stays open here; what changed meanwhile is told once the store is back."""
    call = Door.call
    away = False

    async def cut(door: Door, *arguments: Any) -> Any:
        if away:
            raise StoreError("unreachable", "gone")
        return await call(door, *arguments)

    monkeypatch.setattr(Door, "call", cut)

    async def work(one: Breakers, two: Breakers) -> None:
        nonlocal away
        fail(one)
        await until(lambda: two.state("a") == "open")
        away = True
        await until(lambda: one._away and two._away)
        assert two.state("a") == "open"
        for _ in range(3):
            two.report("b", failed=True)
        assert one.refuses("b") is None
        away = False
        await until(lambda: one.state("b") == "open")

    use(store, work, replace(RULES, open_seconds=60, longest_seconds=60))


def test_states_and_changes_are_metrics(store: StoreAddress) -> None:
    """The gauge shows the best of a model's deployments; each change of the fleet is counted by one replica."""

    def changes(state: str) -> float:
        return float(catalogue.MODEL_CIRCUIT_CHANGES.labels("gpt-6-luna", state)._value.get())

    def shown() -> float:
        return float(catalogue.MODEL_CIRCUIT_STATE.labels("gpt-6-luna")._value.get())

    async def work(one: Breakers, two: Breakers) -> None:
        assert shown() == 0
        fail(one)
        await until(lambda: two.state("a") == "open")
        assert shown() == 0
        for _ in range(3):
            one.report("b", failed=True)
        await until(lambda: two.state("b") == "open")
        assert shown() == 2
        await probing(one)
        assert shown() == 1
        one.report("a", failed=False)
        await until(lambda: two.state("a") == "closed")
        assert shown() == 0

    before = {state: changes(state) for state in ("open", "half_open", "closed")}
    use(store, work)
    after = {state: changes(state) - before[state] for state in before}
    assert after["open"] == 2
    assert after["closed"] == 1
    assert after["half_open"] >= 1


def test_other_deployments_after_a_reload(store: StoreAddress) -> None:
    """A deployment that stays keeps its state, a new one is closed, and one that went is nobody's any more."""

    async def work(one: Breakers, _: Breakers) -> None:
        fail(one)
        one.configure(RULES, {"a": "gpt-6-luna", "c": "gpt-6-luna"})
        assert one.state("a") == "open"
        assert one.refuses("c") is None
        one.report("b", failed=True)
        one.begins("b")
        one.abandon("b")
        assert one.refuses("b") is None

    use(store, work)


@pytest.mark.parametrize("text", [b"", b"open", b"open x 1 1 -", b"ajar 1 1 1 -", b"open 1 1 1 - -", b"\xff 1 1 1 -"])
def test_a_circuit_that_cannot_be_read_is_closed(store: StoreAddress, client: Any, text: bytes) -> None:
    """Whatever stands in the store, calls pass, and failures open it again."""
    client.hset(store.keys.circuits, "a", text)

    async def work(one: Breakers, two: Breakers) -> None:
        await asyncio.sleep(0.1)
        assert one.refuses("a") is None
        fail(one)
        await until(lambda: two.state("a") == "open")

    use(store, work, replace(RULES, open_seconds=60, longest_seconds=60))


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.pop(),
        lambda a: a.__setitem__(0, "not hex"),
        lambda a: a.__setitem__(1, "{}"),
        lambda a: a.__setitem__(2, "{"),
        lambda a: a.__setitem__(2, "[[1]]"),
    ],
)
def test_malformed_arguments_write_nothing(
    store: StoreAddress, client: Any, change: Callable[[list[str]], Any]
) -> None:
    """The script looks at all its arguments before it writes."""

    async def run() -> None:
        async with opened(store) as door:
            arguments = ["ab", Breakers(door, RULES, {})._rules, '[["a","open",0,1]]']
            change(arguments)
            with pytest.raises(StoreError, match="FLEETMETER circuit_report"):
                await door.call(Script("circuit_report"), [store.keys.circuits, store.keys.circuit_calls], arguments)

    asyncio.run(run())
    assert not client.exists(store.keys.circuits, store.keys.circuit_calls)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("consecutive_failures = 0", "consecutive_failures: is 0"),
        ("failure_share = 1.5", "a share from 0 to 1"),
        ("open_seconds = 300", "below open_seconds"),
        ("opens = 1", "unknown key"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(text: str, reason: str) -> None:
    """Each mistake is refused at start, with file, key and what was expected."""
    with pytest.raises(ConfigError) as caught:
        read_breaker(Table.parse("gateway.toml", text))
    assert reason in str(caught.value)


def test_an_absent_table_has_defaults() -> None:
    """Nothing need be said about breakers."""
    assert read_breaker(Table.parse("gateway.toml", "")) == BreakerConfig()
