"""Reads along in a stream that is handed on: model, usage, the first token, the end, errors.

Most events are handed on unread: a search for a few words in their bytes tells that there is nothing to read. Usage is
asked for on each chat stream, and hidden from a client that did not ask for it.
"""

import re
from abc import ABC, abstractmethod
from typing import Any

from fleetmeter.pricing import StreamedAnswer
from fleetmeter.pricing.answer import Answer
from fleetmeter_app.wire.answers import error_of, read_document
from fleetmeter_app.wire.events import DONE, data_of, encode, name_of

_USAGE = re.compile(rb'"usage"\s*:\s*(?!null)')
_NEWS = re.compile(rb'"(?:error|x_groq)"\s*:|"finish_reason"\s*:\s*"')
_SEQUENCE = re.compile(rb'"sequence_number"\s*:\s*([0-9]{1,15})')
_TYPE = re.compile(rb'"type"\s*:\s*"((?:response\.|error)[a-z_.]*)"')
_WORDS_OF_DELTA = ("content", "tool_calls", "function_call", "refusal", "reasoning_content", "reasoning", "audio")
_COMPLETE = {b"response.completed", b"response.incomplete"}
_FAILED = b"response.failed"


class Stream(ABC):
    """What is known of a stream so far.

    `seen` is set by the first event that is no comment, `began` by the first token, `finished` once nothing of the
    answer is missing, `ended` by the last event, `error` by one that tells of an error.
    """

    done: bytes
    """The event that says that no other follows."""

    def __init__(self, endpoint: str) -> None:
        self._answer = StreamedAnswer(endpoint=endpoint)
        self.characters = 0
        self.seen = False
        self.began = False
        self.finished = False
        self.ended = False
        self.error: Any = None

    def see(self, event: bytes) -> bytes:
        """What of an event is for the client: mostly the event as it is."""
        if event.startswith(b":"):
            return event
        self.seen = True
        return self._see(event)

    def answer(self) -> Answer:
        """What was stated so far."""
        return self._answer.answer()

    @abstractmethod
    def _see(self, event: bytes) -> bytes: ...

    @abstractmethod
    def last(self) -> bytes:
        """What the client gets before the end."""

    @abstractmethod
    def failure(self, error: dict[str, Any]) -> bytes:
        """The event that tells the client of an error."""


class ChatStream(Stream):
    """A stream of `/v1/chat/completions`; `asks_usage` says whether the client asked for the usage chunk."""

    done = DONE

    def __init__(self, *, asks_usage: bool) -> None:
        super().__init__("chat.completions")
        self._asks_usage = asks_usage
        self._usage_chunk: bytes | None = None
        self._knows_model = False

    def _see(self, event: bytes) -> bytes:
        unread = self.began and self._knows_model
        if unread and not _USAGE.search(event) and not _NEWS.search(event) and b"[DONE]" not in event:
            self.characters += max(0, len(event) - 200)  # a chunk without its content has about 200 bytes
            return event
        data = data_of(event)
        if data.strip() == b"[DONE]":
            self.finished = self.ended = True
            return self.last() + event
        return self._read(event, read_document(data))

    def _read(self, event: bytes, chunk: Any) -> bytes:
        if not isinstance(chunk, dict):
            return event if not data_of(event) else self._fail({"message": "a chunk is no JSON object"})
        error = error_of(chunk)
        if error is not None:
            return self._fail(error)
        self._answer.see(chunk)
        self._knows_model = self._knows_model or bool(chunk.get("model"))
        choices = chunk.get("choices")
        choices = choices if isinstance(choices, list) else []
        for choice in choices:
            if isinstance(choice, dict):
                self._see_choice(choice)
        if chunk.get("usage") is None:
            usage = (chunk.get("x_groq") or {}).get("usage") if isinstance(chunk.get("x_groq"), dict) else None
            if usage is not None:
                self._keep_usage(chunk, usage)
            return event
        self._keep_usage(chunk, chunk["usage"], None if choices else event)
        if not choices:
            return b""
        bare = {**chunk, "usage": None}
        if not self._asks_usage:
            del bare["usage"]
        return encode(bare)

    def _see_choice(self, choice: dict[str, Any]) -> None:
        if choice.get("finish_reason"):
            self.finished = True
        delta = choice.get("delta")
        if isinstance(delta, dict):
            for word in _WORDS_OF_DELTA:
                if delta.get(word):
                    self.began = True
                    self.characters += len(str(delta[word]))

    def _keep_usage(self, chunk: dict[str, Any], usage: Any, event: bytes | None = None) -> None:
        if event is None:
            event = encode({**{k: v for k, v in chunk.items() if k != "x_groq"}, "choices": [], "usage": usage})
        self._usage_chunk = event

    def _fail(self, error: Any) -> bytes:
        self.error = error
        return b""

    def last(self) -> bytes:
        """What the client gets before the end: the usage chunk, if it asked for it and there is one."""
        chunk, self._usage_chunk = self._usage_chunk, None
        return chunk if chunk is not None and self._asks_usage else b""

    def failure(self, error: dict[str, Any]) -> bytes:
        """The event that tells the client of an error."""
        return encode({"error": error})


class ResponseStream(Stream):
    """A stream of `/v1/responses`; all of it is for the client but an error, and the event of a failed response."""

    done = b""

    def __init__(self) -> None:
        super().__init__("responses")
        self._snapshot: dict[str, Any] = {}
        self._last = b""

    def _see(self, event: bytes) -> bytes:
        name = name_of(event) or self._named_inside(event)
        if name != _FAILED:  # in its place the client gets one of ours
            self._last = event
        if name.endswith(b".delta"):
            self.began = True
            self.characters += max(0, len(event) - 250)  # an event without its text has about 250 bytes
            return event
        if name == b"error":
            found = read_document(data_of(event))
            self.error = error_of(found) or (found if isinstance(found, dict) else {})
            return b""
        if name in _COMPLETE or name == _FAILED or not self._snapshot:
            self._read(name, read_document(data_of(event)))
        return event if self.error is None else b""

    def _named_inside(self, event: bytes) -> bytes:
        found = _TYPE.search(event)
        return found[1] if found else b""

    def _read(self, name: bytes, document: Any) -> None:
        if not isinstance(document, dict):
            self.error = {"message": "an event is no JSON object"}
            return
        error = error_of(document)
        if error is not None:
            self.error = error
            return
        self._answer.see(document)
        response = document.get("response")
        self._snapshot = response if isinstance(response, dict) else self._snapshot
        if name in _COMPLETE:
            self.finished = self.ended = True
        elif name == _FAILED:
            self.error = error_of(self._snapshot) or {"message": "the response failed"}

    def last(self) -> bytes:
        """Nothing: the usage stands in the last event."""
        return b""

    def failure(self, error: dict[str, Any]) -> bytes:
        """`response.failed`, so that the client is not left with a bare end."""
        number = _SEQUENCE.search(self._last)
        told = {"code": error.get("code") or "server_error", "message": error.get("message")}
        return encode(
            {
                "type": "response.failed",
                "sequence_number": int(number[1]) + 1 if number else 0,
                "response": {**self._snapshot, "status": "failed", "error": told},
            },
            "response.failed",
        )
