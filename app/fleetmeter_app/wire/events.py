"""Server-sent events as they come over the wire, taken apart at their blank lines and never re-encoded.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import re
from typing import Any

KEEP_ALIVE = b": keep-alive\n\n"
"""A comment, which every client skips."""

DONE = b"data: [DONE]\n\n"
"""The end of a chat stream."""

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_DATA = re.compile(rb"(?:^|\r\n|\n|\r)data:[ ]?([^\r\n]*)")
_NAME = re.compile(rb"(?:^|\r\n|\n|\r)event:[ ]?([^\r\n]*)")


class TooLargeError(ValueError):
    """An event is larger than is held."""


class EventSplitter:
    """Takes bytes as they arrive, and gives whole events, each with the blank line that ends it."""

    __slots__ = ("_most", "_rest")

    def __init__(self, most_bytes: int) -> None:
        self._rest = b""
        self._most = most_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The events that are complete now; raises `TooLargeError` for one that never is."""
        data = self._rest + data if self._rest else data
        if b"\r" not in data:
            parts = data.split(b"\n\n")
            self._keep(parts.pop())
            return [part + b"\n\n" for part in parts if part]
        events = []
        at = 0
        for blank in _BLANK_LINE.finditer(data):
            if blank.start() > at:
                events.append(data[at : blank.end()])
            at = blank.end()
        self._keep(data[at:])
        return events

    def _keep(self, rest: bytes) -> None:
        if len(rest) > self._most:
            raise TooLargeError(f"an event has more than {self._most} bytes")
        self._rest = rest

    def rest(self) -> bytes:
        """What came after the last blank line: an event whose end is missing, or nothing."""
        return self._rest


def data_of(event: bytes) -> bytes:
    """The data of an event; empty for a comment."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2:  # the usual case: one line
        return event[6:-2]
    return b"\n".join(_DATA.findall(event))


def name_of(event: bytes) -> bytes:
    """The name of an event; empty if it has none."""
    found = _NAME.search(event)
    return found[1] if found else b""


def encode(document: Any, name: str = "") -> bytes:
    """An event of ours."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(document, separators=(',', ':'))}\n\n".encode()
