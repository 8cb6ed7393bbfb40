"""An upstream that costs next to nothing: the same answer, or the same stream of 22 chunks, to every request.

`python -m bench.canned_upstream PORT`. Chunks leave a millisecond apart, so that each arrives by itself.
"""

import asyncio
import json
import re
import sys
from typing import cast

import uvloop

CHUNKS = 22
_BETWEEN = 0.001
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream": *true')
_HEAD = {"id": "chatcmpl-1", "created": 1_790_000_000, "model": "gpt-6-luna", "system_fingerprint": None}
_USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 20,
    "total_tokens": 40,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


def _whole() -> bytes:
    message = {"role": "assistant", "content": " word" * 20, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = json.dumps({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def _chunks() -> list[bytes]:
    deltas = [{"role": "assistant", "content": ""}, *({"content": " word"} for _ in range(CHUNKS - 3)), {}]
    events = []
    for at, delta in enumerate(deltas):
        reason = "stop" if at == len(deltas) - 1 else None
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        events.append({**_HEAD, "object": "chat.completion.chunk", "choices": [choice], "usage": None})
    events.append({**_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    texts = [b"data: %b\n\n" % json.dumps(event, separators=(",", ":")).encode() for event in events]
    texts[-1] += b"data: [DONE]\n\n"
    return [b"%x\r\n%b\r\n" % (len(text), text) for text in texts]


_WHOLE = _whole()
_PARTS = _chunks()
_BEGIN = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Canned(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._data = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's have their names, and another ancestor

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is complete."""
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or len(body) < (int(length[1]) if length else 0):
            return
        self._data = b""
        if _STREAM.search(body):
            self._transport.write(_BEGIN)
            self._send(0)
        else:
            self._transport.write(_WHOLE)

    def _send(self, at: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(_PARTS[at])
        if at + 1 < len(_PARTS):
            asyncio.get_running_loop().call_later(_BETWEEN, self._send, at + 1)
        else:
            self._transport.write(b"0\r\n\r\n")


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
