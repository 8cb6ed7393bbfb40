"""One HTTP request as the gateway's routes see it: headers, body, answer, and whether the client is there."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from fleetmeter_app.errors import ApiError, InvalidRequestError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
"""https://www.w3.org/TR/trace-context/"""
REQUEST_ID = "x-request-id"


class ClientLeftError(ApiError):
    """Nobody reads the answer."""

    def __init__(self, when: str) -> None:
        super().__init__(499, "invalid_request_error", f"The client left {when}.")


class Exchange:
    """A request and its answer over ASGI. `template` is the route, for records."""

    def __init__(self, scope: Message, receive: Receive, send: Send, template: str) -> None:
        self.scope = scope
        self.template = template
        self._receive = receive
        self._send = send
        self._watch: asyncio.Task[None] | None = None
        self.headers: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.request_id: str = scope["state"]["request_id"]
        self.traceparent = _continued(self.headers.get("traceparent"))
        self.started = False
        self.left = False
        self.streaming = False
        self._read = False
        self.extra: dict[str, str] = {}

    async def body(self, most_bytes: int, seconds: float) -> bytes:
        """The body, which has to be JSON by its content type.

        `InvalidRequestError` for another content type, too many bytes, or one that takes too long.
        """
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise InvalidRequestError(
                f"The content type is {content_type or 'missing'}; send application/json.",
                code="content_type",
                status=415,
            )
        self.refuse_large(most_bytes)
        message = await self._first_part(seconds)
        if not message.get("more_body"):
            body = message.get("body", b"")
        else:
            body = await self._rest(message.get("body", b""), most_bytes, seconds)
        if len(body) > most_bytes:
            raise _too_large(most_bytes)
        self._read = True
        return bytes(body)

    def refuse_large(self, most_bytes: int) -> None:
        """`InvalidRequestError` for a body that is said to have more bytes."""
        stated = self.headers.get("content-length")
        if stated is not None and stated.isdecimal() and (len(stated) > 18 or int(stated) > most_bytes):
            raise _too_large(most_bytes)

    @property
    def body_is_left(self) -> bool:
        """Whether there is a body which has not been read, and is not a small one that is there anyway."""
        length = self.headers.get("content-length", "0")
        small = length.isdecimal() and len(length) < 6 and "transfer-encoding" not in self.headers
        return not self._read and not small

    async def _first_part(self, seconds: float) -> Message:
        try:
            async with asyncio.timeout(seconds):
                return self._part(await self._receive())
        except TimeoutError as error:
            raise _too_slow(seconds) from error

    async def _rest(self, body: bytes, most_bytes: int, seconds: float) -> bytes:
        collected = bytearray(body)
        try:
            async with asyncio.timeout(seconds):
                while len(collected) <= most_bytes:
                    message = self._part(await self._receive())
                    collected += message.get("body", b"")
                    if not message.get("more_body"):
                        return bytes(collected)
        except TimeoutError as error:
            raise _too_slow(seconds) from error
        raise _too_large(most_bytes)

    def _part(self, message: Message) -> Message:
        if message["type"] == "http.disconnect":
            self.left = True
            raise ClientLeftError("before its request was complete")
        return message

    def watch(self) -> None:
        """Cancel the current task as soon as the client leaves; call `unwatch` before the answer is complete."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - handlers run in tasks
        self._watch = asyncio.create_task(self._wait_until_left(task))

    async def _wait_until_left(self, task: "asyncio.Task[Any]") -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        task.cancel()

    def unwatch(self) -> None:
        """The client may leave now."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def start(
        self, status: int, content_type: str, headers: Mapping[str, str], length: int | None = None
    ) -> None:
        """Send status and headers."""
        self.started = True
        found = {"content-type": content_type, **headers, **self.extra}
        if self.traceparent is not None:
            found["traceparent"] = self.traceparent
        if length is not None:
            found["content-length"] = str(length)
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in found.items()]
        raw.append((REQUEST_ID.encode(), self.request_id.encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def send(self, data: bytes, *, more: bool) -> None:
        """Send a part of the body; `ClientLeftError` if nobody is there any more."""
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except OSError as error:
            self.left = True
            raise ClientLeftError("before its answer was complete") from error

    async def answer(self, status: int, body: bytes, content_type: str, headers: Mapping[str, str]) -> None:
        """Send a whole answer."""
        await self.start(status, content_type, headers, len(body))
        await self.send(body, more=False)


def _continued(given: str | None) -> str | None:
    """The `traceparent` to hand on: the same trace, with a span of ours; None if the caller has sent none."""
    found = _TRACEPARENT.fullmatch(given or "")
    if found is None or found[1] == "0" * 32 or found[2] == "0" * 16 or given is None or given.startswith("ff"):
        return None
    return f"00-{found[1]}-{os.urandom(8).hex()}-{found[3]}"


def _too_large(most_bytes: int) -> InvalidRequestError:
    return InvalidRequestError(f"The body has more than {most_bytes} bytes.", code="body_too_large", status=413)


def _too_slow(seconds: float) -> InvalidRequestError:
    return InvalidRequestError(
        f"The body was not complete after {seconds:g} seconds.", code="body_too_slow", status=408
    )
