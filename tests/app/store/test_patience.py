"""A time limit that counts only the time in which this process listens."""

import asyncio
import socket
import time

import pytest

from fleetmeter_app.store.patience import within


def test_a_process_that_does_not_listen_is_not_the_stores_fault() -> None:
    """A reply that came while this process computed for many times the limit counts as in time."""

    async def work() -> str:
        loop = asyncio.get_running_loop()
        reader, writer = socket.socketpair()
        reader.setblocking(False)  # socket's own signature
        pending = asyncio.ensure_future(within(0.2, loop.sock_recv(reader, 10)))
        await asyncio.sleep(0)
        writer.send(b"reply")
        time.sleep(0.6)  # noqa: ASYNC251  # the computation
        with reader, writer:
            return (await pending).decode()

    assert asyncio.run(work()) == "reply"


def test_what_does_not_come_in_time_is_cancelled() -> None:
    """The limit ends the work, and so does the caller's own end."""

    async def work() -> None:
        endings = []

        async def hang() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                endings.append("cancelled")
                raise

        with pytest.raises(TimeoutError):
            await within(0.05, hang())
        waiting = asyncio.create_task(within(60, hang()))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0.01)
        assert endings == ["cancelled"] * 2

    asyncio.run(work())
