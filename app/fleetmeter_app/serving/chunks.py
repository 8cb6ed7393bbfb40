"""The bytes of an answer on their way to whoever reads them, and its record once they end, however they end."""

from fleetmeter_app.serving.call import Call
from fleetmeter_app.serving.open_stream import OpenStream
from fleetmeter_app.serving.upstream_calls import ModelCall
from fleetmeter_app.transport.failures import UpstreamFailure

JSON = "application/json"
"""The content type of an answer in one piece, whatever its upstream called it: it was read as JSON."""
EVENTS = "text/event-stream; charset=utf-8"


class OneChunk:
    """An answer in one piece, as chunks."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    def __aiter__(self) -> "OneChunk":
        return self

    async def __anext__(self) -> bytes:
        body, self._body = self._body, None
        if body is None:
            raise StopAsyncIteration
        return body


class StreamChunks:
    """The events of a stream, as they come. It must be closed (`aclose`), however reading it ends.

    A failure of the upstream becomes the last event; `failed` tells it. No generator, as one that was never begun would
    not notice that it is closed.
    """

    def __init__(self, call: Call, model_call: ModelCall, stream: OpenStream) -> None:
        self._call = call
        self._model_call = model_call
        self._stream = stream
        self._ended = False

    def __aiter__(self) -> "StreamChunks":
        return self

    async def __anext__(self) -> bytes:
        if self._ended:
            raise StopAsyncIteration
        try:
            chunk = await self._stream.next()
        except UpstreamFailure as failure:
            chunk = self._failure(failure)
            await self._end(failure)
        except BaseException:
            await self._end(left=True)
            raise
        if not chunk:
            await self._end()
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Read no more: the upstream is closed, if it has not ended."""
        await self._end(left=True)

    def _failure(self, failure: UpstreamFailure) -> bytes:
        refusal = failure.for_caller(self._model_call.step.model)
        self._call.broke = refusal
        return self._stream.reader.failure(refusal.body()["error"])

    async def _end(self, failure: UpstreamFailure | None = None, *, left: bool = False) -> None:
        if self._ended:
            return
        self._ended = True
        self._stream.close()
        charge = self._model_call.finished(self._stream, failure, left=left)
        if failure is None and not left:
            self._call.answered(self._model_call.step, charge, EVENTS)
        if self._call.ended is not None:
            await self._call.ended()
