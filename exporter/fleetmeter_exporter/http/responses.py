"""What ASGI calls things, and short answers to requests."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from fleetmeter_exporter.answers import compressed
from fleetmeter_exporter.exposition.body import Body

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_NEVER = re.compile(rb"\s*q\s*=\s*0(\.0*)?\s*")  # a coding's weight in Accept-Encoding (RFC 9110, 12.4.2)


@dataclass(frozen=True)
class Response:
    """An answer; `coding` is that of a body which is compressed already. A `Body` is sent piece by piece."""

    status: int
    body: bytes | Body
    content_type: str = "text/plain; charset=utf-8"
    coding: str = ""
    headers: Headers = field(default_factory=list)


async def respond(scope: Message, send: Send, response: Response) -> None:
    """Send an answer, compressed if the client accepts that; to HEAD without its body."""
    body, coding = response.body, response.coding
    if response.status == 200 and not coding and accepts_gzip(headers_of(scope)):
        body, coding = compressed([body] if isinstance(body, bytes) else body), "gzip"
    headers: Headers = [(b"content-type", response.content_type.encode()), (b"vary", b"Accept, Accept-Encoding")]
    headers += response.headers
    if coding:
        headers.append((b"content-encoding", coding.encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    last = body if isinstance(body, bytes) else b""
    if not isinstance(body, bytes) and scope["method"] != "HEAD":
        for piece in body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else last})


def headers_of(scope: Message) -> dict[bytes, bytes]:
    """The request's headers; what was sent in several lines, as one list."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        found[name] = found[name] + b"," + value if name in found else value
    return found


def accepts_gzip(headers: dict[bytes, bytes]) -> bool:
    """Whether Accept-Encoding lists gzip with a weight above 0."""
    codings = (item.partition(b";") for item in headers.get(b"accept-encoding", b"").lower().split(b","))
    return any(coding.strip() == b"gzip" and not _NEVER.fullmatch(weight) for coding, _, weight in codings)
