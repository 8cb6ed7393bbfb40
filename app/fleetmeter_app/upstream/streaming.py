"""Sends a stream of server-sent events, with the trouble that the request wished for, and reports how it ended.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html, as OpenAI's SDK reads it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fleetmeter_app.upstream.ledger import BilledUsage
from fleetmeter_app.upstream.wishes import AnswerWish

_BREAK = "fleetmeter_app.upstream.break"
_FIRST_BYTES_SECONDS = 0.02
"""Time for sent bytes to leave before the connection is closed."""


@dataclass(frozen=True)
class Event:
    """One event; `name` is its `event:` line, which chat streams lack; `told` is the usage that it states."""

    data: dict[str, Any] | str
    name: str | None = None
    told: BilledUsage | None = None

    def encoded(self) -> bytes:
        """The event in bytes, as it is sent."""
        data = self.data if isinstance(self.data, str) else json.dumps(self.data, separators=(",", ":"))
        head = f"event: {self.name}\n" if self.name else ""
        return f"{head}data: {data}\n\n".encode()


@dataclass(frozen=True)
class Ending:
    """How a stream ended.

    `complete` says that all events were sent, `left` that the client was gone before. `told` is the usage that the
    sent events stated, None if they stated none.
    """

    complete: bool
    left: bool
    told: BilledUsage | None


class Breakable:
    """Lets an application's handlers close the connection in the middle of an answer, for which ASGI has no message."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope[_BREAK] = getattr(send, "__self__", None)  # uvicorn's cycle of request and response
        await self._app(scope, receive, send)


async def break_connection(request: Request) -> None:
    """Close the connection of a request, as if the server had died."""
    await asyncio.sleep(_FIRST_BYTES_SECONDS)
    request.scope[_BREAK].transport.close()


class EventStream(StreamingResponse):
    """Sends events, and then `data: [DONE]` if `done`. `ended` is called once at the end, with how it ended."""

    def __init__(
        self,
        request: Request,
        events: Sequence[Event],
        wish: AnswerWish,
        ended: Callable[[Ending], None],
        *,
        done: bool,
        error: Event,
    ) -> None:
        self._request, self._events, self._wish, self._ended = request, events, wish, ended
        self._done, self._error = done, error
        super().__init__(self._sent(), media_type="text/event-stream", headers={"cache-control": "no-cache"})

    async def _sent(self) -> AsyncIterator[bytes]:
        numbers = self._wish.numbers
        complete = broken = False
        told: BilledUsage | None = None
        try:
            for at, event in enumerate(self._events):
                if at == numbers.get("cut"):
                    broken = True
                    await break_connection(self._request)
                    return
                if at == numbers.get("end"):
                    broken = True
                    return
                if at == numbers.get("error"):
                    broken = True
                    yield self._error.encoded()
                    return
                if at == numbers.get("stall"):
                    await asyncio.Event().wait()
                if at and self._wish.delay:
                    await asyncio.sleep(self._wish.delay)
                told = event.told or told
                yield event.encoded()
            complete = True
            if self._done:
                yield b"data: [DONE]\n\n"
        finally:
            # if the wish cut the stream short, the client did not leave
            self._ended(Ending(complete=complete, left=not (complete or broken), told=told))
