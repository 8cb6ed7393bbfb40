"""One call of the SDK: from the request to its one end, whichever form it takes, and what is recorded then.

A call that is no stream ends when `request()` returns or raises. A call whose body the caller reads (a stream, a raw
response) ends with the bytes: read to their end, closed, broken, or let go. Nothing here raises into the caller.
"""

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from fleetmeter.attribution.context import current_attributes
from fleetmeter.instrumentation.openai.captured import Capture, UsageFilter
from fleetmeter.instrumentation.openai.estimates import Tokenizer
from fleetmeter.instrumentation.openai.outcomes import error_type_of
from fleetmeter.instrumentation.openai.progress import Progress
from fleetmeter.instrumentation.openai.recording import Outcome, record
from fleetmeter.instrumentation.openai.resources import asked_model, resource_of, response_id_of
from fleetmeter.pricing import PriceList

log = logging.getLogger("fleetmeter")

P = ParamSpec("P")
R = TypeVar("R")
_complained: set[str] = set()


@dataclass(frozen=True, eq=False)
class Options:
    """How calls are counted; see `instrument_openai`."""

    prices: PriceList
    ask_for_usage: bool = False
    tokenizer: Tokenizer | None = None
    asked_for: tuple[Any, ...] = ()
    """The arguments that it was made from, to compare two of them."""


def quietly(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R | None:
    """What a function of ours returns; None, and one log line, if it raises: the caller's call goes on."""
    try:
        return function(*arguments, **named)
    except Exception as error:
        kind = f"{getattr(function, '__qualname__', function)} {type(error).__name__}"
        if kind not in _complained:
            _complained.add(kind)
            log.warning("fleetmeter: a call of openai could not be counted in full: %r", error, exc_info=error)
        return None


class Call:
    """One call. `sent` says how often the SDK has sent it."""

    def __init__(self, options: Options, client: Any, request: Any, *, stream: bool) -> None:
        url = str(request.url)
        self.options = options
        self.resource = resource_of(request.method, url)
        self.base_url = getattr(client, "base_url", None)
        self.model = asked_model(request, url)
        self.response_id = response_id_of(url)
        self.stream = stream
        self.attributes = current_attributes()
        self.body = request.json_data if options.tokenizer else None
        self.asked_for_usage = _asks_for_usage(request.json_data)
        self.sent = 0
        self.started = monotonic()
        self.first_content: float | None = None
        self.progress = Progress(keep_text=options.tokenizer is not None)
        self.filter: UsageFilter | None = None
        self.data: Any = None
        """The parsed body of an answer that is no stream."""
        self.answered = self.watched = False
        self._capture: Capture | None = None
        self._error: str | None = None
        self._open = [True]
        self._last = b""
        self._response_request: Any = None

    # what the SDK's hooks tell

    def attempt(self, retries_taken: int) -> None:
        """The SDK is about to send it, for the first time or again."""
        self.sent = retries_taken + 1

    def got(self, response: Any, retries_taken: int) -> None:
        """An answer came; its body may not be read yet."""
        self.answered = True
        self.sent = retries_taken + 1
        self._response_request = response.request
        if not response.is_closed:
            self.watched = True
            self._capture = Capture(response.headers.get("content-encoding", ""))

    def see(self, data: Any) -> None:
        """The SDK has parsed something: the body, or one event of a stream."""
        self._capture = None  # whoever parses by the SDK reads all by it
        if not self.stream:
            self.data = data
            return
        inner = data.get("data") if type(data) is dict and data.keys() == {"data", "event"} else data
        self._see_event(inner)

    def _see_event(self, event: Any) -> None:
        progress = self.progress
        progress.see(event)
        if self.first_content is None and progress.has_content:
            self.first_content = monotonic()

    def returned(self, response: Any) -> None:
        """`request()` returned to its caller; a call that is not watched has ended with it."""
        if self.watched:
            return
        if self.data is None and response is not None:
            self.data = _body(response)
        self.end()

    def raised(self, error: BaseException) -> None:
        """`request()` raised."""
        request = getattr(error, "request", None)
        count = getattr(request, "headers", {}).get("x-stainless-retry-count", "")
        if count.isdecimal():
            self.sent = int(count) + 1
        self._error = error_type_of(error)
        self.end()

    # what the bytes tell: see `watched.Watcher`

    def pass_on(self, chunk: bytes) -> bytes:
        """Take note of a chunk of the body."""
        try:
            self._last = chunk
            if self._capture is not None:
                self._capture.add(chunk)
                if self.stream and self.first_content is None and _tells_content(chunk):
                    self.first_content = monotonic()
            return chunk if self.filter is None else self.filter.pass_on(chunk)
        except Exception as error:  # noqa: BLE001  the bytes are the caller's
            quietly(_raise, error)
            return chunk

    def rest(self) -> bytes:
        """What the filter held back at the end."""
        return b"" if self.filter is None else self.filter.rest()

    def broken(self, error: BaseException) -> None:
        """The bytes ended with an error, or the caller stopped reading."""
        self._error = self._error or error_type_of(error)
        if self._error is not None:
            self.end()

    def closed(self) -> None:
        """The response was closed."""
        error = sys.exc_info()[1]
        if error is not None and getattr(error, "request", None) is self._response_request and self._error is None:
            self._error = error_type_of(error)  # what the SDK raises for an error event
        self.end()

    def let_go(self) -> None:
        """Nobody holds the response any more."""
        self.end()

    def end(self) -> None:
        """Record it, once."""
        try:
            self._open.pop()
        except IndexError:
            return
        quietly(self._record)

    def _record(self) -> None:
        ended = monotonic()
        if self._capture is not None:
            for document in self._capture.documents():
                if self.stream:
                    self.progress.see(document)
                else:
                    self.data = document
        if self.filter is not None and self.filter.removed is not None:
            self.progress.see(self.filter.removed)
        if self.stream and not self.progress.complete and self._error is None and b'"error"' in self._last:
            self.progress.failed = True
        record(
            Outcome(
                options=self.options,
                resource=self.resource,
                base_url=self.base_url,
                asked_model=self.model,
                attributes=self.attributes,
                parts=tuple(self.progress.parts) if self.stream else (self.data,),
                stream=self.stream,
                answered=self.answered,
                complete=not self.stream or self.progress.complete,
                asked_for_usage=self.asked_for_usage,
                error=self._error or ("APIError" if self.progress.failed else None),
                retries=max(0, self.sent - 1),
                duration=ended - self.started,
                time_to_first_token=None if self.first_content is None else self.first_content - self.started,
                delivered=self.progress.text,
                body=self.body,
                response_id=self.response_id,
            )
        )


def _raise(error: Exception) -> None:
    raise error


def _asks_for_usage(body: Any) -> bool:
    options = body.get("stream_options") if isinstance(body, dict) else None
    return isinstance(options, dict) and options.get("include_usage") is True


def _body(response: Any) -> Any:
    """The JSON body of a response that has been read; None if it is none."""
    raw = getattr(response, "http_response", response)  # the SDK's raw response has it inside
    try:
        return json.loads(raw.content) if raw.is_closed else None
    except (ValueError, RecursionError, AttributeError, RuntimeError):
        return None


def _tells_content(chunk: bytes) -> bool:
    """Whether an uncompressed chunk of a stream holds content: of chat, or of a response."""
    return b".delta" in chunk or (
        any(mark in chunk for mark in (b'"content":"', b'"content": "'))
        and not (b'"content":""' in chunk or b'"content": ""' in chunk)
    )
