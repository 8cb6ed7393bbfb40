"""Hands a stream on to its client while it comes, and keeps the connection alive while it does not."""

import asyncio
from collections.abc import Awaitable, Mapping

from fleetmeter_app.caching.cache import Reply
from fleetmeter_app.errors import ApiError
from fleetmeter_app.serving.call import Call
from fleetmeter_app.serving.chunks import EVENTS
from fleetmeter_app.serving.exchange import Exchange
from fleetmeter_app.wire.events import KEEP_ALIVE, encode

_ENDING = {
    "message": "This replica ends, and cannot finish the answer; ask again.",
    "type": "server_error",
    "param": None,
    "code": "shutting_down",
}


class StreamBrokeError(ApiError):
    """A stream that ended in an error after its first byte: the client was told inside the stream."""

    def __init__(self, cause: ApiError) -> None:
        super().__init__(cause.status, cause.type, cause.message, code=cause.code)


class Relay:
    """One stream on its way to one client. `headers` are sent with its first byte."""

    def __init__(self, exchange: Exchange, call: Call, headers: Mapping[str, str]) -> None:
        self._exchange = exchange
        self._call = call
        self._headers = {"cache-control": "no-cache", "x-accel-buffering": "no", **headers}
        self._seconds = call.loaded.config.limits.keepalive_seconds
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()

    async def run(self, answer: Awaitable[Reply]) -> None:
        """Relay an answer to its end, which is the client's too; raises `StreamBrokeError` after an error inside."""
        keeping = asyncio.create_task(self._keep_alive())
        try:
            reply = await answer
            try:
                self._headers["x-fleetmeter-cache"] = reply.result
                async for chunk in reply.chunks:
                    await self._say(chunk)
            finally:
                await reply.chunks.aclose()
        except asyncio.CancelledError:
            if self._exchange.started and not self._exchange.left:  # this replica ends
                await self._say(self._ending())
            raise
        except ApiError as error:
            if not self._exchange.started or self._exchange.left:
                raise
            await self._say(self._told(error))
            raise StreamBrokeError(error) from error
        finally:
            keeping.cancel()
        if self._call.broke is not None:
            raise StreamBrokeError(self._call.broke) from self._call.broke
        if not self._exchange.started:
            await self._start()

    async def _keep_alive(self) -> None:
        """Send a comment whenever nothing was sent for a while."""
        while True:
            silent = self._loop.time() - self._last
            if silent >= self._seconds:
                await self._say(KEEP_ALIVE)
                silent = 0.0
            await asyncio.sleep(self._seconds - silent)

    async def _say(self, data: bytes) -> None:
        if not self._exchange.started:
            await self._start()
        if data:
            self._last = self._loop.time()
            await self._exchange.send(data, more=True)

    async def _start(self) -> None:
        self._exchange.streaming = True
        await self._exchange.start(200, EVENTS, self._headers)

    def _ending(self) -> bytes:
        return self._event(_ENDING)

    def _told(self, error: ApiError) -> bytes:
        """An error of a stream of which only comments were sent so far."""
        return self._event(error.body()["error"])

    def _event(self, error: Mapping[str, str | None]) -> bytes:
        if self._call.endpoint == "responses":
            return encode({**error, "type": "error", "sequence_number": 0}, "error")
        return encode({"error": error})
