"""Many streams open at once in one process, a third of which are left, each in another way."""

import asyncio
import gc
from dataclasses import dataclass
from typing import Any

import openai

from fleetmeter.instrumentation.openai.call import Call, reading
from support.counts import Counts

MODEL = "gpt-6-luna"
NANODOLLARS = 20_000
"""What a stream costs that was read to its end."""
_ASKED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
_READ = "[[answer:chunks=4]] [[usage:prompt=100,completion=20]]"
_LEFT = "[[answer:stall=2]] [[usage:prompt=100,completion=20]]"
"""The upstream says no more after its second chunk."""


@dataclass(frozen=True)
class Wave:
    """What one wave of streams has left behind. `open` are calls that nobody has ended, `alive` those in memory."""

    streams: int
    left: int
    calls: int
    durations: int
    aborts: dict[str, int]
    errors: dict[str, int]
    unpriced: int
    nanodollars: int
    open: int
    alive: int
    objects: int

    def differences(self) -> list[str]:
        """What is not as it should be: each stream ended once, those that were left as aborts of unknown price."""
        read = self.streams - self.left
        wanted = {
            "calls": self.streams,
            "durations": self.streams,
            "aborts": {"unknown": self.left},
            "errors": {},
            "unpriced": self.left,
            "nanodollars": read * NANODOLLARS,
            "open": 0,
            "alive": 0,
        }
        return [
            f"{name} {getattr(self, name)}, not {value}"
            for name, value in wanted.items()
            if getattr(self, name) != value
        ]


async def _break_off(stream: Any) -> None:
    async for _ in stream:
        break


async def _close(stream: Any) -> None:
    await anext(stream)
    await stream.close()


async def _leave_its_block(stream: Any) -> None:
    async with stream:
        async for _ in stream:
            break


async def _cancel(stream: Any) -> None:
    async def read() -> None:
        async for _ in stream:
            pass

    task = asyncio.ensure_future(read())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _drop(stream: Any) -> None:
    """Never look at it."""


_WAYS = (_break_off, _close, _leave_its_block, _cancel, _drop)


async def _all_at_once(base_url: str, number: int) -> int:
    """Open them all, then read or leave each; how many were left."""
    async with openai.AsyncOpenAI(api_key="x", base_url=base_url, timeout=300.0) as client:

        async def opened(text: str) -> Any:
            message: Any = [{"role": "user", "content": text}]
            return await client.chat.completions.create(model=MODEL, messages=message, **_ASKED)

        async def read(stream: Any) -> None:
            async for _ in stream:
                pass

        streams = await asyncio.gather(*(opened(_READ if at % 3 else _LEFT) for at in range(number)))
        ends = [read(stream) if at % 3 else _WAYS[at // 3 % 5](stream) for at, stream in enumerate(streams)]
        del streams
        await asyncio.gather(*ends)
        ends.clear()
        gc.collect()
        await asyncio.sleep(0.1)
    return (number + 2) // 3


def wave(base_url: str, number: int) -> Wave:
    """Open so many streams at once, end them, and look what is left of them."""
    counts = Counts()
    left = asyncio.run(_all_at_once(base_url, number))
    gc.collect()
    return Wave(
        streams=number,
        left=left,
        calls=counts.calls,
        durations=counts.durations,
        aborts=counts.aborts,
        errors=counts.errors,
        unpriced=counts.unpriced,
        nanodollars=counts.nanodollars,
        open=len(reading),
        alive=sum(type(one) is Call for one in gc.get_objects()),
        objects=len(gc.get_objects()),
    )
