"""What a response's bytes say, for callers who read them without the SDK's parser.

Formats: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) with JSON as their data,
or one JSON body; compressed by gzip or deflate, if at all.
"""

import json
import zlib
from collections.abc import Iterator
from typing import Any

LARGEST = 8 * 2**20
"""Bytes that are kept of one response; of a longer one the beginning and the end are read."""

_WINDOW_BITS = {"gzip": 31, "deflate": 47}
"""For zlib: gzip's header is wanted, or whichever there is."""


class Capture:
    """The bytes of one response as they came, until somebody else has read them."""

    def __init__(self, coding: str) -> None:
        self._coding = coding.strip().lower()
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Keep a chunk; above the limit the middle of what came is let go."""
        self._parts.append(chunk)
        self._size += len(chunk)
        while self._size > LARGEST and len(self._parts) > 2:
            self._size -= len(self._parts.pop(len(self._parts) // 2))

    def documents(self) -> Iterator[Any]:
        """The JSON objects in it: the data of each event, or the body; what cannot be read is left out."""
        return documents_in(self._text())

    def _text(self) -> bytes:
        raw = b"".join(self._parts)
        if self._coding in {"", "identity"}:
            return raw
        if self._coding not in _WINDOW_BITS:
            return b""
        try:
            return zlib.decompressobj(_WINDOW_BITS[self._coding]).decompress(raw, 8 * LARGEST)
        except zlib.error:
            return b""


def documents_in(text: bytes) -> Iterator[Any]:
    """The JSON objects in a body: itself, or the data of its events; what cannot be read is left out."""
    if text.lstrip()[:1] == b"{":
        candidates: list[bytes] = [text]
    else:
        candidates = [line[5:] for line in text.splitlines() if line.startswith(b"data:")]
    for candidate in candidates:
        try:
            yield json.loads(candidate)
        except (ValueError, RecursionError):
            continue


class Events:
    """Cuts an uncompressed stream into its events while it comes, wherever the network cut it."""

    def __init__(self) -> None:
        self._held = b""

    def in_chunk(self, chunk: bytes) -> Iterator[Any]:
        """The data of the lines that this chunk completes."""
        lines = (self._held + chunk).split(b"\n")
        self._held = lines.pop()
        return documents_in(b"\n".join(lines))


class UsageFilter:
    """Takes out of a chat stream the chunk that only tells usage, which the caller has not asked for.

    Bytes are handed on event by event; an event that is not complete yet is held back until it is.
    """

    def __init__(self) -> None:
        self._held = b""
        self.removed: Any = None
        """The chunk that was taken out, parsed."""

    def pass_on(self, chunk: bytes) -> bytes:
        """The complete events in what was held and this chunk, without the one that only tells usage."""
        text = self._held + chunk
        end = max(text.rfind(b"\n\n"), text.rfind(b"\r\n\r\n") + 2 if b"\r\n\r\n" in text else -1)
        if end < 0:
            self._held = text
            return b""
        complete, self._held = text[: end + 2], text[end + 2 :]
        if b'"choices":[]' not in complete.replace(b" ", b""):
            return complete
        return self._without_usage(complete)

    def rest(self) -> bytes:
        """What is still held back at the end."""
        held, self._held = self._held, b""
        return held

    def _without_usage(self, complete: bytes) -> bytes:
        kept = []
        separator = b"\r\n\r\n" if b"\r\n\r\n" in complete else b"\n\n"
        for event in complete.split(separator):
            if self._only_tells_usage(event):
                continue
            kept.append(event)
        return separator.join(kept)

    def _only_tells_usage(self, event: bytes) -> bool:
        for line in event.splitlines():
            if line.startswith(b"data:"):
                try:
                    chunk = json.loads(line[5:])
                except (ValueError, RecursionError):
                    return False
                if isinstance(chunk, dict) and chunk.get("choices") == [] and chunk.get("usage") is not None:
                    self.removed = chunk
                    return True
        return False


def body_of(response: Any) -> Any:
    """The JSON body of a response that has been read; None if it is none."""
    raw = getattr(response, "http_response", response)  # the SDK's raw response has it inside
    if not getattr(raw, "is_closed", False):
        return None
    try:
        return json.loads(raw.content)
    except (ValueError, RecursionError, AttributeError):
        return None
