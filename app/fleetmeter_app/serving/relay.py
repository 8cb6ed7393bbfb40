"""Hands a stream on to its client while it comes, keeps the connection alive while it does not, and keeps a copy."""

import asyncio
from collections.abc import Mapping

from fleetmeter_app.accounting.calls import Charge
from fleetmeter_app.errors import ApiError
from fleetmeter_app.routing.router import Step
from fleetmeter_app.seams import Answer
from fleetmeter_app.serving.call import Call
from fleetmeter_app.serving.exchange import Exchange
from fleetmeter_app.serving.pipeline import Pipeline, answer_of
from fleetmeter_app.serving.upstream_calls import ModelCall, OpenStream
from fleetmeter_app.transport.failures import UpstreamFailure
from fleetmeter_app.wire.events import KEEP_ALIVE

_ENDING = {
    "message": "This replica ends, and cannot finish the answer; ask again.",
    "type": "server_error",
    "param": None,
    "code": "shutting_down",
}


class StreamBrokeError(ApiError):
    """A stream that ended in an error after its first byte: the client was told inside the stream."""


class Relay:
    """One stream on its way to one client; `answer` is what the pipeline calls for it."""

    def __init__(self, exchange: Exchange, pipeline: Pipeline, content_type: str, headers: Mapping[str, str]) -> None:
        self._exchange = exchange
        self._pipeline = pipeline
        self._content_type = content_type
        self._headers = {**headers, "cache-control": "no-cache", "x-accel-buffering": "no"}
        self._copy: list[bytes] = []

    async def answer(self, call: Call) -> Answer:
        """Relay the stream of the first model of the chain that begins one; all events of it, once it has ended."""

        async def ask(step: Step) -> Answer:
            model_call = self._pipeline.model_call(call, step)
            stream = await self._kept_alive(model_call, call)
            charge = await self._relay(model_call, stream)
            return answer_of(call, step, charge, b"".join(self._copy), self._content_type)

        return await self._pipeline.along(call, ask)

    async def _kept_alive(self, model_call: ModelCall, call: Call) -> OpenStream:
        """The stream, once it has begun; comments go out meanwhile, so that nothing on the way gives up."""
        seconds = call.loaded.config.limits.keepalive_seconds
        opening = asyncio.ensure_future(model_call.opened())
        try:
            while True:
                done, _ = await asyncio.wait([opening], timeout=seconds)
                if done:
                    return opening.result()
                await self._say(KEEP_ALIVE)
        finally:
            if not opening.done():
                opening.cancel()
                await asyncio.wait([opening])

    async def _relay(self, model_call: ModelCall, stream: OpenStream) -> Charge:
        failure: UpstreamFailure | None = None
        left = True
        try:
            async for data in stream.events():
                self._copy.append(data)
                await self._say(data)
            left = False
        except UpstreamFailure as error:
            failure, left = error, False
        except asyncio.CancelledError:
            if not self._exchange.left:  # this replica ends
                await self._say(stream.reader.failure(_ENDING))
            raise
        finally:
            stream.close()
            charge = model_call.finished(stream, failure, left=left)
        if failure is not None:
            refusal = failure.for_caller(model_call.step.model)
            event = stream.reader.failure(refusal.body()["error"])
            await self._say(event)
            raise StreamBrokeError(refusal.status, refusal.type, refusal.message, code=refusal.code) from failure
        return charge

    async def _say(self, data: bytes) -> None:
        if not self._exchange.started:
            self._exchange.streaming = True
            await self._exchange.start(200, self._content_type, self._headers)
        if data:
            await self._exchange.send(data, more=True)
