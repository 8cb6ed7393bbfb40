"""The way of all guards to the store, on a real one: a process that does not listen, and what the log tells."""

import asyncio
import logging
import time
from typing import Any

import pytest

from fleetmeter.errors import SettingError, StoreUnreachable
from fleetmeter_app.guarding.door import Door
from fleetmeter_app.store.script import Script
from support.guards import opened
from support.silence import silent_store
from support.store import StoreAddress

TAKE = Script("rates_take")


def test_a_burst_of_work_is_not_the_stores_fault(store: StoreAddress, caplog: pytest.LogCaptureFixture) -> None:
    """A process that computes for longer than the limit while its calls are on their way has their replies."""

    async def run() -> None:
        async with opened(store, wait=0.4) as door:

            def calls() -> list[Any]:
                return [
                    door.call(TAKE, [store.keys.rates], ["1", "key 1000/60", "1000", "60"]),
                    door.read("HGET", store.keys.api_keys, "@version"),
                ]

            await asyncio.gather(*calls())  # connected
            for steps in range(1, 12):  # somewhere here both are on their way
                under_way = [asyncio.ensure_future(call) for call in calls()]
                for _ in range(steps):
                    await asyncio.sleep(0)
                time.sleep(0.6)  # noqa: ASYNC251  # the computation, during which the replies come
                assert await asyncio.gather(*under_way) == [[b"0"], None]

    with caplog.at_level(logging.WARNING, "fleetmeter.app"):
        asyncio.run(run())
    assert caplog.messages == []


def test_a_store_that_hangs_is_told_of_once(store: StoreAddress, caplog: pytest.LogCaptureFixture) -> None:
    """Each call ends after its limit with an error that names it; the log has one line."""

    async def run(silent: str) -> None:
        async with opened(store, silent, 0.2) as door:
            for _ in range(2):
                with pytest.raises(StoreUnreachable, match=r"did not answer in time: it had 0\.2 s"):
                    await door.read("PING")
            assert door.away

    with caplog.at_level(logging.WARNING, "fleetmeter.app"), silent_store() as silent:
        asyncio.run(run(silent))
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "keys, budgets and circuits go by what was known last"
    ]


def test_a_url_that_only_the_librarys_client_takes_is_refused(store: StoreAddress) -> None:
    """A parameter that the asynchronous client lacks is found at the start, not at the first request."""
    with pytest.raises(SettingError, match=r"FLEETMETER_REDIS_URL.*budgets and circuits.*ssl_validate_ocsp"):
        Door("rediss://127.0.0.1:1/0?ssl_validate_ocsp=yes", store.keys)
