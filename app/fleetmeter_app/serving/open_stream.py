"""The open stream of one call: what its upstream sends, as events for the client."""

from time import perf_counter

from fleetmeter_app.serving.call import Call
from fleetmeter_app.transport.client import Reply
from fleetmeter_app.transport.failures import UpstreamFailure, failure_inside, failure_unreadable
from fleetmeter_app.wire.events import EventSplitter, TooLargeError
from fleetmeter_app.wire.streams import ChatStream, ResponseStream, Stream


class OpenStream:
    """A stream of events of which the first one is known; `next` gives what is for the client."""

    def __init__(self, call: Call, reply: Reply) -> None:
        self._reply = reply
        self._splitter = EventSplitter(call.loaded.config.upstream.max_answer_bytes)
        self._parts = reply.parts()
        self._waiting: list[bytes] = []
        self.reader: Stream = (
            ResponseStream() if call.endpoint == "responses" else ChatStream(asks_usage=call.asks_usage)
        )
        self.first_token: float | None = None

    async def begin(self) -> None:
        """Wait for the first event; raises `UpstreamFailure` for an error in its place, or an end without any."""
        while not self.reader.seen:
            data = await anext(self._parts, None)
            if data is None:
                raise UpstreamFailure(
                    "APIConnectionError",
                    reason="upstream_error",
                    message="the stream ended before it began",
                    retryable=True,
                )
            self._waiting += self._read(data)
        if self.reader.error is not None and all(event.startswith(b":") for event in self._waiting):
            raise failure_inside(self.reader.error, self.reader.answer())

    async def next(self) -> bytes:
        """What is for the client next; empty at the end, which is the upstream's or `[DONE]`.

        Raises `UpstreamFailure` if the upstream breaks off or reports an error, after what came before.
        """
        found, self._waiting = b"".join(self._waiting), []
        while not found and self.reader.error is None and not self.reader.ended:
            data = await anext(self._parts, None)
            if data is None:
                return self._end()
            found = b"".join(self._read(data))
        if not found and self.reader.error is not None:
            raise failure_inside(self.reader.error, self.reader.answer())
        return found

    def _end(self) -> bytes:
        """The upstream has ended without saying so."""
        if not self.reader.finished:
            raise UpstreamFailure(
                "APIConnectionError", reason="upstream_error", message="the stream ended before its end"
            )
        self.reader.ended = True
        return self.reader.last()

    def _read(self, data: bytes) -> list[bytes]:
        try:
            events = self._splitter.feed(data)
        except TooLargeError as error:
            raise failure_unreadable(str(error), self.reader.answer()) from error
        found = []
        began = self.reader.began
        for event in events:
            if self.reader.error is not None or self.reader.ended:
                break
            seen = self.reader.see(event)
            if seen:
                found.append(seen)
        if self.reader.began and not began:
            self.first_token = perf_counter()
        return found

    def close(self) -> None:
        """End the upstream's answer."""
        self._reply.close()
