"""Budgets on a real server: what is held, charged, refused, and what a store in trouble costs."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.errors import StoreError
from fleetmeter.llm import catalogue
from fleetmeter_app.errors import ApiError, ConfigError
from fleetmeter_app.guarding.budgets import conversation as module
from fleetmeter_app.guarding.budgets import exchange
from fleetmeter_app.guarding.budgets.budgets import Budgets
from fleetmeter_app.guarding.budgets.refusals import OverBudget, usd
from fleetmeter_app.guarding.budgets.windows import WINDOWS, Window, end_of, start_of
from fleetmeter_app.guarding.door import Door
from fleetmeter_app.store.script import Script
from support.guards import USD, budgets, budgets_of, opened, scopes, until
from support.reachable import reachable
from support.store import StoreAddress

DAY = '[all]\nlimit_usd = 1\nwindow = "day"\n'
CALL = scopes()


async def refusal(found: Budgets, nanodollars: int = USD // 10, **traits: Any) -> OverBudget:
    """The error that a call is refused with."""
    with pytest.raises(OverBudget) as caught:
        await found.reserve(scopes(**traits), nanodollars)
    return caught.value


def totals(store: StoreAddress, window: str, account: str) -> dict[str, int]:
    """What the store has of an account's present period."""
    client = store.client()
    fields = {name.decode(): text.decode() for name, text in client.hgetall(store.keys.budget(window, account)).items()}
    client.close()
    start = fields.get("@period", "").partition(" ")[0]
    return {name: int(fields.get(f"{start} @{name}", "0")) for name in ("spent", "held", "assumed")}


async def told(found: Budgets) -> None:
    """Wait until the store has been told everything."""
    await until(lambda: not any(account.untold for account in found._accounts.every()))


def test_what_is_held_and_spent_by_all_replicas_stays_within_the_limit(store: StoreAddress) -> None:
    """Two replicas share one limit: what one holds or has spent, the other cannot have."""

    async def run() -> None:
        async with budgets(store, DAY) as one, budgets(store, DAY) as other:
            held = await one.reserve(CALL, 6 * USD // 10)
            assert totals(store, "day", "all") == {"spent": 0, "held": 6 * USD // 10, "assumed": 0}
            await other.reserve(CALL, 4 * USD // 10)
            await refusal(other, 1)
            await one.settle(held, USD // 10)
            await told(one)
            assert totals(store, "day", "all") == {"spent": USD // 10, "held": 4 * USD // 10, "assumed": 0}
            await other.reserve(CALL, 5 * USD // 10)
            await refusal(one, 1)

    asyncio.run(run())


def test_a_call_settles_once(store: StoreAddress) -> None:
    """A second settlement of a call changes nothing; an unknown cost charges all that was held, and is marked."""

    async def run() -> None:
        async with budgets(store, DAY) as found:
            known, unknown = await found.reserve(CALL, 100), await found.reserve(CALL, 70)
            for _ in range(2):
                await found.settle(known, 30)
                await found.settle(unknown, None)
            await told(found)

    asyncio.run(run())
    assert totals(store, "day", "all") == {"spent": 100, "held": 0, "assumed": 70}


def test_a_call_that_cost_more_than_was_held_is_charged_in_full(store: StoreAddress) -> None:
    """What was held is an estimate; what is charged is what was spent, above the limit too."""

    async def run() -> None:
        async with budgets(store, DAY) as found:
            await found.settle(await found.reserve(CALL, 10), 2 * USD)
            await told(found)
            error = await refusal(found, 1)
            assert error.headers()["x-should-retry"] == "false"

    asyncio.run(run())
    assert totals(store, "day", "all")["spent"] == 2 * USD


def test_a_refusal_says_what_how_much_and_until_when(store: StoreAddress) -> None:
    """A used-up budget is a 429 that no client tries again, with the budget, the amounts and the end of its period."""

    async def run() -> OverBudget:
        async with budgets(store, DAY) as found:
            await found.settle(await found.reserve(CALL, USD), 95 * USD // 100)
            return await refusal(found)

    error = asyncio.run(run())
    until = end_of("day", start_of("day", datetime.now(UTC).timestamp()))
    assert str(error) == (
        "The budget 'all' has no room for this call: 0.95 of 1 USD are spent this day, calls under way hold 0, and "
        f"this one may cost 0.1. It begins anew at {until:%Y-%m-%d} 00:00 UTC."
    )
    assert (error.status, error.code, error.headers()["x-should-retry"]) == (429, "insufficient_quota", "false")


def test_room_that_only_calls_under_way_have_taken_may_be_asked_for_again(store: StoreAddress) -> None:
    """A call that would fit once others have settled is a 429 that the client may repeat in a second."""

    async def run() -> OverBudget:
        async with budgets(store, DAY) as found:
            await found.reserve(CALL, USD)
            return await refusal(found)

    error = asyncio.run(run())
    assert (error.code, error.headers()["x-should-retry"], error.retry_after) == ("budget_held", "true", 1.0)


def test_a_call_is_under_all_budgets_or_none(store: StoreAddress) -> None:
    """Where one budget has no room, nothing is held in the others."""
    text = DAY + '[search]\nlimit_usd = 0.5\nwindow = "month"\nteam = "search"\n'

    async def run() -> None:
        async with budgets(store, text) as found:
            await found.reserve(scopes(key="k", team="search"), USD // 2)
            assert (await refusal(found, 1, key="k", team="search")).budget == "search"
            await found.reserve(scopes(key="k", team="other"), USD // 2)
            assert totals(store, "day", "all")["held"] == USD
            assert totals(store, "month", "search")["held"] == USD // 2

    asyncio.run(run())


@pytest.mark.parametrize("trait", ["key", "team", "intent", "model"])
def test_each_value_of_a_trait_has_an_account(store: StoreAddress, trait: str) -> None:
    """`each` gives every key, team, intent or model the whole limit for itself."""
    text = f'[own]\nlimit_usd = 1\nwindow = "hour"\neach = "{trait}"\n'

    async def run() -> None:
        async with budgets(store, text) as found:
            for value in ("one", "two"):
                made: dict[str, Any] = {trait: value}
                await found.reserve(scopes(**made), USD)
                await refusal(found, 1, **made)

    asyncio.run(run())


def test_only_the_named_are_bound(store: StoreAddress) -> None:
    """A budget of one team and one intent binds calls that have both, and nobody else."""
    text = '[narrow]\nlimit_usd = 1\nwindow = "day"\nteam = "search"\nintent = "news"\n'

    async def run() -> None:
        async with budgets(store, text) as found:
            await refusal(found, 2 * USD, team="search", intent="news")
            await found.reserve(scopes(team="search", intent="other"), 2 * USD)
            await found.reserve(scopes(team="other", intent="news"), 2 * USD)

    asyncio.run(run())


def test_an_assigned_budget_binds_keys_that_name_it(store: StoreAddress) -> None:
    """Others do not meet it, and a key that names one which is not configured is refused, not unlimited."""
    text = '[pilot]\nlimit_usd = 1\nwindow = "day"\nassigned = true\n'

    async def run() -> None:
        async with budgets(store, text) as found:
            await found.reserve(scopes(key="a"), 2 * USD)
            await refusal(found, 2 * USD, key="b", budgets=("pilot",))
            with pytest.raises(ApiError) as caught:
                await found.reserve(scopes(key="c", budgets=("pilto",)), 1)
            assert (caught.value.status, caught.value.code) == (403, "unknown_budget")

    asyncio.run(run())


def test_a_downgrade_names_the_tier_and_charges_there(store: StoreAddress) -> None:
    """Without room nothing is held and the tier is named; the downgraded call is counted, whatever is left."""
    text = '[soft]\nlimit_usd = 1\nwindow = "day"\naction = "downgrade"\ntier = "cheap"\n'

    async def run() -> None:
        async with budgets(store, text) as found:
            await found.settle(await found.reserve(CALL, USD), USD)
            for _ in range(2):
                refused = await found.reserve(CALL, 1)
                assert (refused.downgrade_to, refused.parts) == ("cheap", ())
            cheap = await found.reserve(CALL, 5, downgraded=True)
            assert cheap.downgrade_to is None
            await found.settle(cheap, 5)
            await told(found)

    before = catalogue.BUDGET_REJECTIONS.labels("soft", "downgrade")._value.get()
    asyncio.run(run())
    assert totals(store, "day", "soft") == {"spent": USD + 5, "held": 0, "assumed": 0}
    assert catalogue.BUDGET_REJECTIONS.labels("soft", "downgrade")._value.get() - before == 2


def test_an_alert_lets_calls_go_on(store: StoreAddress, caplog: pytest.LogCaptureFixture) -> None:
    """A used-up budget that only alerts counts the calls that met it, and says so in the log once."""
    text = '[watch]\nlimit_usd = 1\nwindow = "day"\naction = "alert"\n'

    async def run() -> None:
        async with budgets(store, text) as found:
            await found.settle(await found.reserve(CALL, 3 * USD), 2 * USD)
            for _ in range(3):
                await found.settle(await found.reserve(CALL, 1), 1)

    before = catalogue.BUDGET_REJECTIONS.labels("watch", "alert")._value.get()
    with caplog.at_level(logging.WARNING, "fleetmeter.app"):
        asyncio.run(run())
    assert catalogue.BUDGET_REJECTIONS.labels("watch", "alert")._value.get() - before == 3
    assert caplog.messages == ["the budget watch is used up: 2 of 1 USD; calls go on"]


def test_periods_that_were_used_up_leave_nothing_behind(store: StoreAddress, caplog: pytest.LogCaptureFixture) -> None:
    """The log tells of each period, and a replica that runs for years remembers the last one only."""
    found = Budgets(
        Door(store.url, store.keys), budgets_of('[watch]\nlimit_usd = 1\nwindow = "hour"\naction = "alert"\n')
    )
    charges = found._accounts.of(CALL)
    account = charges[0].account
    account.spent = USD

    def pass_hours(first: int, last: int) -> int:
        for hour in range(first, last):
            account.start = 3600 * hour
            for _ in range(2):
                found._alert(charges)
        return reachable(found)

    with caplog.at_level(logging.WARNING, "fleetmeter.app"):
        held = pass_hours(500_000, 500_003)
        assert pass_hours(500_003, 500_100) == held
    assert len(caplog.messages) == 100


def test_gauges_show_what_is_spent_and_not_what_is_held(store: StoreAddress) -> None:
    """Limit and settled money by budget and window; of a budget for each key, the key that has spent most."""
    text = DAY + '[own]\nlimit_usd = 2\nwindow = "hour"\neach = "key"\n'
    text += '[team]\nlimit_usd = 3\nwindow = "month"\neach = "team"\n'

    async def run() -> None:
        async with budgets(store, text) as found:
            for key, amount in (("a", 3), ("b", 5)):
                await found.settle(await found.reserve(scopes(key=key, team="x"), USD // 4), amount * USD // 100)
            await found.reserve(scopes(key="b", team="x"), USD // 4)
            await told(found)

    asyncio.run(run())
    shown = {
        (sample.labels["budget"], sample.labels["window"]): sample.value
        for family in catalogue.BUDGET_SPENT_USD.collect()
        for sample in family.samples
    }
    assert shown["all", "day"] == 0.08
    assert shown["own", "hour"] == 0.05
    assert shown["team/x", "month"] == 0.08
    assert catalogue.BUDGET_LIMIT_USD.labels("own", "hour")._value.get() == 2


# what goes wrong


def test_what_a_dead_replica_held_is_free_again(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that gives no sign for a lease holds nothing any more; what it had spent stays spent."""
    monkeypatch.setattr(exchange, "LEASE", 0.3)
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)

    async def run() -> None:
        async with budgets(store, DAY) as other, opened(store) as door:
            dying = Budgets(door, budgets_of(DAY))
            await dying.start()
            await dying.settle(await dying.reserve(CALL, 10), 7)
            await told(dying)
            await dying.reserve(CALL, USD // 2)
            await refusal(other, 6 * USD // 10)
            assert dying._conversation._background._task is not None
            dying._conversation._background._task.cancel()  # SIGKILL: no goodbye
            await until(lambda: not totals(store, "day", "all")["held"])
            await other.reserve(CALL, 6 * USD // 10)

    asyncio.run(run())
    assert totals(store, "day", "all")["spent"] == 7


def test_what_a_living_replica_holds_stays_held(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats renew what is held: a call may take many leases."""
    monkeypatch.setattr(exchange, "LEASE", 0.6)
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)

    async def run() -> None:
        async with budgets(store, DAY) as one, budgets(store, DAY) as other:
            held = await one.reserve(CALL, USD)
            for _ in range(15):
                await asyncio.sleep(0.1)
                await refusal(other, 1)
            await one.settle(held, 0)

    asyncio.run(run())


def test_a_lost_reply_holds_and_charges_nothing_twice(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that the store has run and whose answers are lost leave no trace that the next call does not set right."""
    call = Door.call
    lost = 0

    async def losing(door: Door, *arguments: Any) -> Any:
        nonlocal lost
        reply = await call(door, *arguments)
        lost += 1
        if lost % 5 in (2, 3):
            raise StoreError("timeout", "the answer is lost")
        return reply

    monkeypatch.setattr(Door, "call", losing)
    monkeypatch.setattr(module, "_AGAIN", 0.01)

    async def run() -> None:
        async with budgets(store, DAY) as found:
            for _ in range(40):
                await found.settle(await found.reserve(CALL, 1000), 10)
                await told(found)

    asyncio.run(run())
    assert lost > 40
    assert totals(store, "day", "all") == {"spent": 400, "held": 0, "assumed": 0}


def test_a_call_that_comes_late_changes_nothing(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of an earlier call, from a connection that hung, is answered `stale`."""
    call = Door.call
    copies: list[tuple[Any, ...]] = []

    async def copying(door: Door, *arguments: Any) -> Any:
        copies.append(arguments)
        return await call(door, *arguments)

    monkeypatch.setattr(Door, "call", copying)

    async def run() -> None:
        async with budgets(store, DAY) as found, opened(store) as door:
            for _ in range(3):
                await found.settle(await found.reserve(CALL, 1000), 10)
                await told(found)
            before = totals(store, "day", "all")
            sent = [copy for copy in copies if "all" in copy[1][0]]
            assert {str(await call(door, *copy)) for copy in sent} == {"[b'stale']"}
            assert totals(store, "day", "all") == before == {"spent": 30, "held": 0, "assumed": 0}

    asyncio.run(run())


def test_a_copy_of_a_process_takes_another_name(store: StoreAddress) -> None:
    """Two processes with one name, as after a restored checkpoint, both count: the one that comes late is renamed."""

    async def run() -> None:
        async with budgets(store, DAY) as one, budgets(store, DAY) as copy:
            await one.settle(await one.reserve(CALL, 10), 10)
            await told(one)
            copy._conversation._exchange._name = one._conversation._exchange._name
            await copy.settle(await copy.reserve(CALL, 10), 5)
            await told(copy)
            await one.settle(await one.reserve(CALL, 10), 1)
            await told(one)
            assert copy._conversation._exchange._name != one._conversation._exchange._name

    asyncio.run(run())
    assert totals(store, "day", "all")["spent"] == 16


def test_a_store_that_was_rolled_back_is_right_again(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the store goes back to, each living replica's next sign restores what it has spent and holds."""
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)

    async def run() -> None:
        client, key = store.client(), store.keys.budget("day", "all")
        right = {"spent": 50, "held": 500, "assumed": 0}
        async with budgets(store, DAY) as one, budgets(store, DAY) as other:
            await one.settle(await one.reserve(CALL, 100), 40)
            await other.settle(await other.reserve(CALL, 100), 2)
            await told(one)
            await told(other)
            old = client.dump(key)
            await one.settle(await one.reserve(CALL, 100), 8)
            await one.reserve(CALL, 500)
            await told(one)
            for dump in (old, None):  # an older state, and none at all
                client.delete(key)
                if dump:
                    client.restore(key, 0, dump)
                await until(lambda: client.exists(key) and totals(store, "day", "all") == right)
        client.close()

    asyncio.run(run())


def test_a_replica_that_was_cut_off_for_long_is_another_one(store: StoreAddress) -> None:
    """Its rows may be gone by then: under a new name it tells only what the store does not have."""
    now = [0.0]

    async def run() -> None:
        async with opened(store) as door:
            found = Budgets(door, budgets_of(DAY), clock=lambda: now[0])
            await found.start()
            await found.settle(await found.reserve(CALL, 100), 40)
            await told(found)
            name = found._conversation._exchange._name
            now[0] += exchange.RENEWED_AFTER + 1
            await found.settle(await found.reserve(CALL, 100), 2)
            await told(found)
            assert found._conversation._exchange._name != name
            await found.close()

    asyncio.run(run())
    assert totals(store, "day", "all") == {"spent": 42, "held": 0, "assumed": 0}


def test_rows_of_silent_replicas_go_and_their_money_stays(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet that is deployed often leaves no row per process that ever lived."""
    monkeypatch.setattr(exchange, "SILENCE", 0.2)
    monkeypatch.setattr(exchange, "LEASE", 0.1)

    async def run() -> None:
        for _ in range(5):
            async with budgets(store, DAY) as found:
                await found.settle(await found.reserve(CALL, 100), 1)
        await asyncio.sleep(1.3)
        async with budgets(store, DAY) as found:
            await found.settle(await found.reserve(CALL, 1), 0)

    asyncio.run(run())
    client = store.client()
    rows = [field for field in client.hkeys(store.keys.budget("day", "all")) if b"@" not in field]
    client.close()
    assert len(rows) == 1
    assert totals(store, "day", "all") == {"spent": 5, "held": 0, "assumed": 0}


def test_without_the_store_the_last_figures_decide(store: StoreAddress) -> None:
    """A replica that is cut off goes on within what was left, and tells what it spent once the store is back."""
    later = EmbeddedStore()

    async def run() -> None:
        with later:
            async with budgets(store, DAY, url=later.url, wait=1.0) as found:
                await found.settle(await found.reserve(CALL, USD // 2), USD // 2)
                await told(found)
                later.stop()
                await found.settle(await found.reserve(CALL, USD // 4), USD // 4)
                error = await refusal(found, USD // 2)
                assert error.headers()["x-should-retry"] == "false"

    asyncio.run(run())


def test_closed_guards_refuse_without_the_store(store: StoreAddress) -> None:
    """With `fail_closed` a call under a budget is a 503 while the store is away; one without a budget goes on."""
    text = DAY.replace("[all]", "[one]") + 'team = "search"\n'

    async def run() -> None:
        async with budgets(store, text, fail_open=False, url="redis://127.0.0.1:1/0") as found:
            for _ in range(2):
                with pytest.raises(ApiError) as caught:
                    await found.reserve(scopes(team="search"), 1)
                assert (caught.value.status, caught.value.code) == (503, "store_unavailable")
            assert (await found.reserve(scopes(team="other"), 1)).parts == ()

    asyncio.run(run())


def test_a_caller_that_leaves_while_it_asks_holds_nothing(store: StoreAddress) -> None:
    """A cancelled reservation is given back, whether it was granted already or not."""

    async def run() -> None:
        async with budgets(store, DAY) as found:
            for delay in (0.0, 0.0, 0.001, 0.002, 0.005):
                task = asyncio.create_task(found.reserve(CALL, USD))
                await asyncio.sleep(delay)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                if not task.cancelled():
                    await found.settle(task.result(), 0)
            await told(found)
            await until(lambda: not totals(store, "day", "all")["held"])
            await found.reserve(CALL, USD)

    asyncio.run(run())


def test_large_amounts_are_exact(store: StoreAddress) -> None:
    """Sums beyond 2^53 nano-dollars are whole numbers to the last one, though scripts count in floating point."""
    text = '[big]\nlimit_usd = 1\nwindow = "month"\naction = "alert"\n'
    amount = 2**52 - 1

    async def run() -> None:
        async with budgets(store, text) as found:
            for _ in range(5):
                await found.settle(await found.reserve(CALL, 1), amount)
                await told(found)

    asyncio.run(run())
    assert totals(store, "month", "big")["spent"] == 5 * amount


# periods


@pytest.mark.parametrize("window", WINDOWS)
def test_the_store_begins_periods_as_this_process_does(store: StoreAddress, window: Window) -> None:
    """Script and Python agree when an hour, a day and a month of UTC begin."""

    async def run() -> int:
        async with budgets(store, f'[all]\nlimit_usd = 1\nwindow = "{window}"\n') as found:
            ((_, start),) = (await found.reserve(CALL, 1)).parts
            return start

    client = store.client()
    seconds, _ = client.time()
    client.close()
    assert asyncio.run(run()) in (start_of(window, seconds), start_of(window, seconds + 60))


def test_a_new_period_begins_empty_and_old_calls_settle_in_theirs(store: StoreAddress) -> None:
    """A call counts in the period in which it was reserved; of older periods nothing stays."""

    async def run() -> None:
        client, key = store.client(), store.keys.budget("hour", "all")
        async with budgets(store, DAY.replace("day", "hour")) as found:
            held = await found.reserve(CALL, USD)
            ((account, start),) = held.parts
            # an hour passes: what stands in the store is renamed to the hour before
            fields = client.hgetall(key)
            client.delete(key)
            old = start - 3600
            renamed = {name.replace(str(start).encode(), str(old).encode()): text for name, text in fields.items()}
            client.hset(key, mapping={**renamed, "@period": f"{old} {old - 3600}", f"{old - 3600} @spent": "5"})
            account.rows[old] = account.rows.pop(start)
            account.start = old
            held.parts = ((account, old),)
            fresh = await found.reserve(CALL, USD)
            await found.settle(held, 30)
            await found.settle(fresh, 4)
            await told(found)
            found_fields = {name.decode(): text.decode() for name, text in client.hgetall(key).items()}
        client.close()
        assert found_fields["@period"] == f"{start} {old}"
        assert (found_fields[f"{old} @spent"], found_fields[f"{start} @spent"]) == ("30", "4")
        assert not any(name.startswith(str(old - 3600)) for name in found_fields)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("window", "at", "start", "end"),
    [
        ("hour", "2024-02-29T23:59:59", "2024-02-29T23:00:00", "2024-03-01T00:00:00"),
        ("day", "2024-02-28T12:00:00", "2024-02-28T00:00:00", "2024-02-29T00:00:00"),
        ("month", "2024-02-29T23:59:59", "2024-02-01T00:00:00", "2024-03-01T00:00:00"),
        ("month", "2025-12-31T00:00:00", "2025-12-01T00:00:00", "2026-01-01T00:00:00"),
    ],
)
def test_periods_of_utc(window: Window, at: str, start: str, end: str) -> None:
    """Hours, days and months begin and end with those of UTC."""

    def seconds(text: str) -> float:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    assert start_of(window, seconds(at)) == seconds(start)
    assert end_of(window, int(seconds(start))).timestamp() == seconds(end)


# configuration


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[a]\nwindow = "day"', "a.limit_usd: is missing"),
        ('[a]\nlimit_usd = 0\nwindow = "day"', "a.limit_usd: is 0"),
        ('[a]\nlimit_usd = 1e-10\nwindow = "day"', "at least a nano-dollar"),
        ('[a]\nlimit_usd = 9e9\nwindow = "day"', "at most 9000000"),
        ("[a]\nlimit_usd = 1", "a.window: is missing"),
        ('[a]\nlimit_usd = 1\nwindow = "week"', "one of: hour, day, month"),
        ('[a]\nlimit_usd = 1\nwindow = "day"\naction = "stop"', "one of: reject, downgrade, alert"),
        ('[a]\nlimit_usd = 1\nwindow = "day"\naction = "downgrade"', "the tiers are: cheap, premium"),
        ('[a]\nlimit_usd = 1\nwindow = "day"\naction = "downgrade"\ntier = "x"', "names no tier"),
        ('[a]\nlimit_usd = 1\nwindow = "day"\neach = "user"', "one of: key, team, intent, model"),
        ('[a]\nlimit_usd = 1\nwindow = "day"\neach = "team"\nteam = "x"', "has only one: 'x'"),
        ('[a]\nlimit_usd = 1\nwindow = "day"\nassigned = 1', "must be true or false"),
        ('[a]\nlimit_usd = 1\nwindow = "day"\nlimit = 1', "unknown key"),
        ('["a b"]\nlimit_usd = 1\nwindow = "day"', "no usable name"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(text: str, reason: str) -> None:
    """Each mistake in a budget is refused at start, with file, key and what was expected."""
    with pytest.raises(ConfigError, match=r"^gateway\.toml: ") as caught:
        budgets_of(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(("amount", "text"), [(0, "0"), (1, "0.000000001"), (USD, "1"), (1_250_000_000, "1.25")])
def test_money_is_written_exactly(amount: int, text: str) -> None:
    """Nano-dollars as dollars, with no digit more than needed and none less."""
    assert usd(amount) == text


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.pop(),
        lambda a: a.__setitem__(0, "not hex"),
        lambda a: a.__setitem__(1, "-1"),
        lambda a: a.__setitem__(4, "{"),
        lambda a: a.__setitem__(4, '[["week",[]]]'),
        lambda a: a.__setitem__(4, '[["day",[["1","2","3"]]]]'),
        lambda a: a.__setitem__(4, '[["day",[["1","2","3",4]]]]'),
        lambda a: a.__setitem__(4, "[]"),
        lambda a: a.__setitem__(5, '[["1",[[2,""]]]]'),
        lambda a: a.__setitem__(5, '[["9007199254740992",[[1,""]]]]'),
        lambda a: a.__setitem__(5, '[["1",[[1,"x"]]]]'),
    ],
)
def test_malformed_arguments_write_nothing(store: StoreAddress, change: Callable[[list[str]], Any]) -> None:
    """The script looks at all its arguments before it writes."""
    arguments = ["ab", "1", "1000000", "2000000", '[["day",[["1","2","3","4"]]]]', '[["1",[[1,"5"]]]]']
    change(arguments)
    key = store.keys.budget("day", "a")

    async def run() -> None:
        async with opened(store) as door:
            with pytest.raises(StoreError, match="malformed arguments"):
                await door.call(Script("budget_exchange"), [key], arguments)

    asyncio.run(run())
    client = store.client()
    assert not client.exists(key)
    client.close()
