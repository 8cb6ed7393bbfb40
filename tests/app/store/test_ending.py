"""Ending a task, also one that does not take the first cancellation for its end."""

import asyncio

import pytest

from fleetmeter_app.store import ending
from fleetmeter_app.store.ending import end


def test_a_task_that_swallows_a_cancellation_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cancelled again until it is over; no task, and one that is over, are nothing to wait for."""
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 2:
                    raise

    async def run() -> None:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        await end(task)
        assert task.cancelled()
        await end(task)
        await end(None)

    monkeypatch.setattr(ending, "_PATIENCE", 0.01)
    asyncio.run(run())
    assert swallowed == 3
