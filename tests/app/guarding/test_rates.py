"""Rate limits on a real server: counted for all replicas, with the time to wait."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fleetmeter.errors import StoreError
from fleetmeter_app.errors import ApiError
from fleetmeter_app.guarding.caller import ANONYMOUS, Caller
from fleetmeter_app.guarding.rates.rate import Rate, parse_rates
from fleetmeter_app.guarding.rates.rates import Rates
from fleetmeter_app.store.script import Script
from support.guards import opened
from support.store import StoreAddress

HOLDER = Caller("k1", rates=parse_rates("10/day"))


async def taken(rates: Rates, caller: Caller, times: int) -> int:
    """How many of so many requests at once are let through."""
    results = await asyncio.gather(*(rates.take(caller) for _ in range(times)), return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), ApiError}
    return results.count(None)


def test_all_replicas_share_one_limit(store: StoreAddress) -> None:
    """Of 60 requests at once at three replicas exactly as many pass as the limit says; other keys have their own."""

    async def run() -> None:
        async with opened(store) as one, opened(store) as two, opened(store) as three:
            replicas = [Rates(door) for door in (one, two, three)]
            assert sum(await asyncio.gather(*(taken(rates, HOLDER, 20) for rates in replicas))) == 10
            assert await taken(replicas[0], Caller("k2", rates=HOLDER.rates), 20) == 10

    asyncio.run(run())


def test_who_has_no_limit_is_not_counted(store: StoreAddress) -> None:
    """Without a rate nothing is asked of the store."""

    async def run() -> None:
        async with opened(store, "redis://127.0.0.1:1/0") as door:
            assert await taken(Rates(door, fail_open=False), ANONYMOUS, 5) == 5

    asyncio.run(run())


def test_a_refusal_tells_how_long_to_wait(store: StoreAddress) -> None:
    """It is a 429 with retry-after; who waits that long is let through; a day is too long for a client's retry."""

    async def run() -> None:
        async with opened(store) as door:
            rates = Rates(door)
            short = Caller("k", rates=parse_rates("3/second"))
            assert await taken(rates, short, 3) == 3
            with pytest.raises(ApiError) as caught:
                await rates.take(short)
            error = caught.value
            assert (error.status, error.code, error.should_retry) == (429, "rate_limit_exceeded", None)
            assert error.retry_after is not None
            assert 0 < error.retry_after <= 2
            await asyncio.sleep(error.retry_after + 0.001)
            await rates.take(short)
            assert await taken(rates, HOLDER, 10) == 10
            with pytest.raises(ApiError) as caught:
                await rates.take(HOLDER)
            assert caught.value.headers()["x-should-retry"] == "false"

    asyncio.run(run())


def test_a_request_counts_under_all_its_limits_or_none(store: StoreAddress) -> None:
    """What one limit refuses uses up nothing of another."""

    async def run() -> None:
        async with opened(store) as door:
            rates = Rates(door)
            assert await taken(rates, Caller("k", rates=parse_rates("2/day; 5/hour")), 9) == 2
            assert await taken(rates, Caller("k", rates=parse_rates("5/hour")), 9) == 3

    asyncio.run(run())


def test_the_window_slides(store: StoreAddress) -> None:
    """What the window before took counts for the share of it that is within reach, and no longer."""
    client = store.client()
    seconds, _ = client.time()
    window = seconds // 86_400
    client.hset(store.keys.rates, "k1 10/86400", f"{window - 1} 10 3")

    async def run() -> int:
        async with opened(store) as door:
            return await taken(Rates(door), HOLDER, 20)

    passed = (seconds % 86_400) / 86_400
    assert abs(asyncio.run(run()) - 10 * passed) <= 1
    client.hset(store.keys.rates, "k1 10/86400", f"{window - 2} 10 3")
    assert asyncio.run(run()) == 10
    client.close()


@pytest.mark.parametrize("fail_open", [True, False])
def test_without_the_store_requests_go_on_or_are_refused(store: StoreAddress, *, fail_open: bool) -> None:
    """`fail_open` limits nobody while the store is away; its contrary answers 503."""

    async def run() -> int:
        async with opened(store, "redis://127.0.0.1:1/0") as door:
            return await taken(Rates(door, fail_open=fail_open), HOLDER, 20)

    assert asyncio.run(run()) == (20 if fail_open else 0)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("", ()),
        ("60/minute", (Rate(60, 60),)),
        (" 10 / Second ;5000 per days", (Rate(10, 1), Rate(5000, 86_400))),
    ],
)
def test_rates_as_people_write_them(text: str, rates: tuple[Rate, ...]) -> None:
    """Numbers per second, minute, hour or day, several between semicolons."""
    assert parse_rates(text) == rates


@pytest.mark.parametrize("text", ["60", "0/minute", "-1/minute", "1/week", "1/minute;", "x/minute", "1/2 minutes"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """The error says what was expected."""
    with pytest.raises(ValueError, match="60/minute"):
        parse_rates(text)


@pytest.mark.parametrize(
    "change", [list.pop, lambda a: a.__setitem__(0, "-1"), lambda a: a.__setitem__(2, "0"), lambda a: a.append("x")]
)
def test_malformed_arguments_write_nothing(store: StoreAddress, change: Callable[[list[str]], Any]) -> None:
    """The script looks at all its arguments before it writes."""
    arguments = ["1", "k 1/1", "1", "1"]
    change(arguments)

    async def run() -> None:
        async with opened(store) as door:
            with pytest.raises(StoreError, match="malformed arguments"):
                await door.call(Script("rates_take"), [store.keys.rates], arguments)

    asyncio.run(run())
    client = store.client()
    assert not client.exists(store.keys.rates)
    client.close()
