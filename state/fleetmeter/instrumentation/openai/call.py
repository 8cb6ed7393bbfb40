"""One call of the SDK: from the request to its one end, whichever form it takes.

A call that is no stream ends when `request()` returns or raises. A call whose body the caller reads (a stream, a raw
response) ends with the bytes: read to their end, closed, broken, or let go. Nothing here raises into the caller.
"""

import json
import os
import sys
from time import monotonic
from typing import Any

from fleetmeter.attribution.context import current_attributes
from fleetmeter.instrumentation.openai.captured import Capture, Events, UsageFilter, documents_in
from fleetmeter.instrumentation.openai.mishaps import complain, quietly
from fleetmeter.instrumentation.openai.options import Options
from fleetmeter.instrumentation.openai.progress import Progress
from fleetmeter.instrumentation.openai.recording import Outcome, record
from fleetmeter.instrumentation.openai.resources import asked_model, asks_for_usage, resource_of, response_id_of
from fleetmeter.llm.genai import trace_exemplar
from fleetmeter.llm.outcomes import error_type_of, request_of, retries_of

_NOTHING: list[str] = []
"""What was delivered of an answer that is no stream, as far as an estimate needs it."""

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
    """One call. `sent` says how often the SDK has sent it, `data` is the parsed body of an answer that is no stream.

    Most calls are no streams and come to no harm: what only others need is set when they need it.
    """

    sent = 0
    data: Any = None
    exemplar: dict[str, str] | None = None
    body: Any = None
    asked_for_usage = answered = watched = False
    first_content: float | None = None
    progress: Progress
    filter: UsageFilter | None = None
    _capture: Capture | None = None
    _events: Events | None = None
    _error: str | None = None
    _tail = (b"", b"")
    _exhausted = False
    _request: Any = None

    def __init__(self, options: Options, client: Any, request: Any, *, stream: bool) -> None:
        url = str(request.url)
        self.options = options
        self.resource = resource_of(request.method, url)
        self.base_url = getattr(client, "base_url", None)
        self.model = asked_model(request, url, self.base_url)
        self.response_id = response_id_of(url)
        self.stream = stream
        self.attributes = current_attributes()
        if options.genai:
            self.exemplar = trace_exemplar()
        if options.tokenizer is not None:
            self.body = request.json_data
        if stream:
            self.asked_for_usage = asks_for_usage(request)
            self.progress = Progress(keep_text=options.tokenizer is not None)
        self._open = [True]
        self.started = monotonic()

    # what the SDK's hooks tell

    def attempt(self, retries_taken: int) -> None:
        """The SDK is about to send it, for the first time or again."""
        self.sent = retries_taken + 1

    def got(self, response: Any, retries_taken: int) -> None:
        """An answer came; its body may not be read yet."""
        self.answered = True
        self.sent = retries_taken + 1
        self._request = response.request

    def watch(self, coding: str) -> None:
        """The bytes of the answer are on their way, in this content coding."""
        self.watched = True
        self._capture = Capture(coding)
        self._events = Events() if self.stream and coding.strip().lower() in {"", "identity"} else None
        reading.add(self)

    def see(self, data: Any) -> None:
        """The SDK has parsed something: the body, or one event of a stream."""
        self._capture = self._events = None  # whoever parses by the SDK reads all by it
        if not self.stream:
            self.data = data
            return
        if type(data) is dict and len(data) == 2 and "event" in data and "data" in data:
            data = data["data"]
        progress = self.progress
        progress.see(data)
        if self.first_content is None and progress.has_content:
            self.first_content = monotonic()

    def returned(self, response: Any) -> None:
        """`request()` returned to its caller; a call that is not watched has ended with it."""
        if self.watched:
            return
        if self.data is None and response is not None:
            self.data = quietly(_body, response)
        self.end()

    def raised(self, error: BaseException) -> None:
        """`request()` raised."""
        try:
            self._error = error_type_of(error)
            self.sent = max(self.sent, retries_of(error) + 1)
        finally:
            self.end()

    # what the bytes tell: see `watched.Watcher`

    def pass_on(self, chunk: bytes) -> bytes:
        """Take note of a chunk of the body."""
        try:
            self._tail = (self._tail[1], chunk)
            if self._capture is not None:
                self._capture.add(chunk)
                if self._events is not None:
                    self._look_for_content(self._events, chunk)
        except Exception as error:  # noqa: BLE001  the bytes are the caller's
            complain("pass_on", error)
        return chunk if self.filter is None else self.filter.pass_on(chunk)

    def _look_for_content(self, events: Events, chunk: bytes) -> None:
        """When the first content comes, for a caller who reads without the SDK's parser."""
        looked = Progress(keep_text=False)
        for document in events.in_chunk(chunk):
            looked.see(document)
        if looked.has_content:
            self.first_content, self._events = monotonic(), None

    def rest(self) -> bytes:
        """The bytes came to their end: what the filter held back."""
        self._exhausted = True
        return b"" if self.filter is None else self.filter.rest()

    def broken(self, error: BaseException) -> None:
        """The bytes ended with an error, or the caller stopped reading."""
        self._error = self._error or quietly(error_type_of, error)
        if self._error is not None:
            self.end()

    def closed(self) -> None:
        """The response was closed."""
        error = sys.exc_info()[1]
        if error is not None and self._error is None and request_of(error) is self._request:
            self._error = quietly(error_type_of, error)  # what the SDK raises for an error event
        self.end()

    def end(self) -> None:
        """Record it, once; also for a response that nobody holds any more."""
        try:
            self._open.pop()
        except IndexError:
            return
        reading.discard(self)
        quietly(self._record)

    def disown(self) -> None:
        """Another process records it."""
        self._open.clear()

    def _record(self) -> None:
        ended = monotonic()
        if self.watched:
            quietly(self._read_captured)
        parts: tuple[Any, ...] = (self.data,)
        document, delivered = self.data, _NOTHING
        if self.stream:
            progress = self.progress
            parts, document, delivered, failed = progress.parts, progress.last, progress.text, progress.failed
        else:
            failed = _has_failed(document)
        record(
            Outcome(
                options=self.options,
                resource=self.resource,
                base_url=str(self.base_url),
                asked_model=self.model,
                attributes=self.attributes,
                exemplar=self.exemplar,
                parts=parts,
                document=document,
                stream=self.stream,
                answered=self.answered,
                complete=self._is_complete(),
                error=self._error or ("APIError" if failed and not self.response_id else None),
                retries=self.sent - 1 if self.sent else 0,
                duration=ended - self.started,
                time_to_first_token=None if self.first_content is None else self.first_content - self.started,
                delivered=delivered,
                body=self.body,
                response_id=self.response_id,
            )
        )

    def _read_captured(self) -> None:
        """What was not parsed by the SDK, or is in the last bytes that arrived."""
        if self._capture is not None:
            for document in self._capture.documents():
                if self.stream:
                    self.progress.see(document)
                else:
                    self.data = document
        if self.filter is not None and self.filter.removed is not None:
            self.progress.see_usage(self.filter.removed)
        if self.stream and not self.progress.tells_usage and self._tail[1]:
            for document in documents_in(b"".join(self._tail)):
                if type(document) is dict:
                    told = document.get("response")
                    self.progress.see_usage(told if type(told) is dict else document)

    def _is_complete(self) -> bool:
        """Whether the caller had all that there was, and the answer was whole."""
        if not self.stream:
            return True
        at_end = self._exhausted or _DONE in b"".join(self._tail)
        if not self.resource.finishes:
            return at_end or self.progress.complete
        waits = self.asked_for_usage and not self.progress.tells_usage
        return self.progress.complete and (at_end or not waits)


def _has_failed(data: Any) -> bool:
    return isinstance(data, dict) and data.get("object") == "response" and data.get("status") == "failed"


def _body(response: Any) -> Any:
    """The JSON body of a response that has been read; None if it is none."""
    raw = getattr(response, "http_response", response)  # the SDK's raw response has it inside
    if not getattr(raw, "is_closed", False):
        return None
    try:
        return json.loads(raw.content)
    except (ValueError, RecursionError, AttributeError):
        return None
