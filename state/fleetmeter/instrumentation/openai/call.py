"""One call of the SDK: from the request to its one end, whichever form it takes.

A call that is no stream ends when `request()` returns or raises. A call whose body the caller reads (a stream, a raw
response) ends with the bytes: read to their end, closed, broken, or let go. Nothing here raises into the caller.
"""

import os
import sys
from collections.abc import Sequence
from time import monotonic
from typing import Any

from fleetmeter.attribution.context import current_attributes
from fleetmeter.instrumentation.openai.captured import Capture, Events, UsageFilter, body_of, documents_in
from fleetmeter.instrumentation.openai.mishaps import complain, quietly
from fleetmeter.instrumentation.openai.options import Options
from fleetmeter.instrumentation.openai.progress import Progress
from fleetmeter.instrumentation.openai.recording import record
from fleetmeter.instrumentation.openai.resources import asked_model, asks_for_usage, target_of, text_of
from fleetmeter.llm.genai import trace_exemplar
from fleetmeter.llm.outcomes import error_type_of, request_of, retries_of

_DONE = b"data: [DONE]"
"""The last line of a chat stream."""

reading: set["Call"] = set()
"""Calls whose bytes are being read."""


def _forget_all() -> None:
    """In a forked child: what the parent reads is the parent's call, though the child has a copy of it."""
    for call in reading:
        call.disown()
    reading.clear()


os.register_at_fork(after_in_child=_forget_all)


class Call:
    """One call.

    `sent` says how often the SDK has sent it. `document` is the parsed body of an answer that is no stream. The values
    that `recording.Ended` names are right once the call has ended.

    Most calls are no streams and come to no harm, so what only others need is set when they need it.
    """

    sent = 0
    document: Any = None
    parts: tuple[Any, ...] = ()
    delivered: Sequence[str] = ()
    exemplar: dict[str, str] | None = None
    body: Any = None
    asked_for_usage = answered = watched = False
    complete = True
    first_content: float | None = None
    error: str | None = None
    duration = 0.0
    progress: Progress
    filter: UsageFilter | None = None
    listens = False
    """Whether the bytes have to be looked at: nobody has parsed any yet, or something is taken out of them."""
    last = before_last = b""
    """The latest chunks of bytes."""
    _capture: Capture | None = None
    _events: Events | None = None
    _exhausted = False
    _request: Any = None

    def __init__(self, options: Options, client: Any, request: Any, *, stream: bool) -> None:
        url, body = request.url, request.json_data
        self.options = options
        self.client_url = base_url = client.base_url
        self.resource, self.response_id = target_of(request.method, url)
        model = body.get("model") if request.extra_json is None and type(body) is dict else None
        self.model = model if type(model) is str and model else asked_model(request, url, base_url)
        self.stream = stream
        self.attributes = current_attributes()
        if options.asks_more:
            self.exemplar = trace_exemplar() if options.genai else None
            self.body = None if options.tokenizer is None else body
        if stream:
            self.asked_for_usage = asks_for_usage(request)
            self.progress = Progress(keep_text=options.tokenizer is not None)
        self._open = [True]
        self.started = monotonic()

    @property
    def base_url(self) -> str:
        """The base URL of the client."""
        return text_of(self.client_url)

    @property
    def retries(self) -> int:
        """How often the SDK has sent it again."""
        return self.sent - 1 if self.sent else 0

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds to the first content of a stream; None if there was none."""
        return None if self.first_content is None else self.first_content - self.started

    # what the SDK's hooks tell

    def attempt(self, retries_taken: int) -> None:
        """The SDK is about to send it, for the first time or again."""
        self.sent = retries_taken + 1

    def got(self, retries_taken: int) -> None:
        """An answer came; its body may not be read yet."""
        self.answered = True
        self.sent = retries_taken + 1

    def watch(self, response: Any) -> None:
        """The bytes of the answer are on their way."""
        coding = response.headers.get("content-encoding", "")
        self._request = response.request
        self.watched = self.listens = True
        self._capture = Capture(coding)
        self._events = Events() if self.stream and coding.strip().lower() in {"", "identity"} else None
        reading.add(self)

    def see(self, data: Any) -> None:
        """The SDK has parsed the body; of a stream the progress sees each event."""
        self.document = data
        if self.watched:
            self._capture = self._events = None  # whoever parses by the SDK reads all by it

    def returned(self, response: Any) -> None:
        """`request()` returned to its caller; a call that is not watched has ended with it."""
        if self.watched:
            return
        if self.document is None and response is not None and not self.stream:
            self.document = quietly(body_of, response)
        self.end()

    def raised(self, error: BaseException) -> None:
        """`request()` raised."""
        quietly(self._note, error)
        self.end()

    def _note(self, error: BaseException) -> None:
        self.error = error_type_of(error)
        self.sent = max(self.sent, retries_of(error) + 1)

    # what the bytes tell: see `watched.Watcher`

    def pass_on(self, chunk: bytes) -> bytes:
        """Take note of a chunk of the body."""
        try:
            if self._capture is not None:
                self._listen(self._capture, chunk)
        except Exception as error:  # noqa: BLE001  the bytes are the caller's
            complain("pass_on", error)
        if self.filter is not None:
            return self.filter.pass_on(chunk)
        self.listens = self._capture is not None
        return chunk

    def _listen(self, capture: Capture, chunk: bytes) -> None:
        """Keep the bytes until the SDK parses them; its parser may be the caller's choice at the first chunk."""
        if self.stream and self.progress.seen:
            self._capture = self._events = None
            return
        capture.add(chunk)
        if self._events is not None:
            self._look_for_content(self._events, chunk)

    def _look_for_content(self, events: Events, chunk: bytes) -> None:
        """When the first content comes, for a caller who reads without the SDK's parser."""
        looked = Progress(keep_text=False)
        for document in events.in_chunk(chunk):
            looked.see(document)
        if looked.began is not None:
            self.first_content, self._events = looked.began, None

    def rest(self) -> bytes:
        """The bytes came to their end: what the filter held back."""
        self._exhausted = True
        return b"" if self.filter is None else self.filter.rest()

    def broken(self, error: BaseException) -> None:
        """The bytes ended with an error, or the caller stopped reading."""
        self.error = self.error or quietly(error_type_of, error)
        if self.error is not None:
            self.end()

    def closed(self) -> None:
        """The response was closed."""
        error = sys.exc_info()[1]
        if error is not None and self.error is None and request_of(error) is self._request:
            self.error = quietly(error_type_of, error)  # what the SDK raises for an error event
        self.end()

    def end(self) -> None:
        """Record it, once; also for a response that nobody holds any more."""
        try:
            self._open.pop()
        except IndexError:
            return
        if self.watched:
            reading.discard(self)
        try:
            self._record()
        except Exception as error:  # noqa: BLE001  the call is the caller's
            complain("_record", error)

    def disown(self) -> None:
        """Another process records it."""
        self._open.clear()

    def _record(self) -> None:
        self.duration = monotonic() - self.started
        if self.stream and self.first_content is None:
            self.first_content = self.progress.began
        if self.watched:
            quietly(self._read_captured)
        if self.stream:
            progress = self.progress
            self.parts, self.document, self.delivered = progress.parts, progress.last, progress.text
            self.complete = self._is_complete()
            if progress.failed and self.error is None and not self.response_id:
                self.error = "APIError"
        record(self)

    def _read_captured(self) -> None:
        """What was not parsed by the SDK, or is in the last bytes that arrived."""
        if self._capture is not None and not (self.stream and self.progress.seen):
            for document in self._capture.documents():
                if self.stream:
                    self.progress.see(document)
                else:
                    self.document = document
        if self.filter is not None and self.filter.removed is not None:
            self.progress.see_usage(self.filter.removed)
        if self.stream and not self.progress.tells_usage and self.last:
            for document in documents_in(self.before_last + self.last):
                if type(document) is dict:
                    told = document.get("response")
                    self.progress.see_usage(told if type(told) is dict else document)

    def _is_complete(self) -> bool:
        """Whether the caller had all that there was, and the answer was whole."""
        at_end = self._exhausted or _DONE in self.before_last + self.last
        if not self.resource.finishes:
            return at_end or self.progress.complete
        waits = self.asked_for_usage and not self.progress.tells_usage
        return self.progress.complete and (at_end or not waits)
