"""An upstream that answers with exactly the bytes that a test gives it, and keeps what it was sent."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

COMPLETION: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-6-luna",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7},
}
"""A chat completion that nothing is wrong with."""


@dataclass
class RawUpstream:
    """`answer` is sent to each request as it stands, then the connection is closed, unless it `stays`.

    One that `hangs` answers nothing; `left` counts the clients that went away from it.
    """

    port: int
    answer: bytes = b""
    hangs: bool = False
    stays: bool = False
    left: int = 0
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def base_url(self) -> str:
        """The value for OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def says(self, body: bytes, status: str = "200 OK", content_type: str = "application/json", more: str = "") -> None:
        """Answer from now on with this body."""
        head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n{more}content-length: {len(body)}\r\n\r\n"
        self.answer = head.encode() + body

    def serve(self, listener: socket.socket) -> None:
        """Answer until the listener is closed."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                part = connection.recv(65536)
                if not part:
                    return
                data += part
            head, _, body = data.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").lower().split("\r\n")
            length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
            while len(body) < length:
                body += connection.recv(65536)
            self.heads.append(head.decode("latin-1"))
            self.bodies.append(body)
            if self.hangs:
                self._wait_until_left(connection)
                return
            connection.sendall(self.answer)
            if self.stays:
                self.ended.wait(60)

    def _wait_until_left(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)
        while not self.ended.is_set():
            try:
                if not connection.recv(1):
                    self.left += 1
                    return
            except TimeoutError:
                continue


@contextmanager
def raw_upstream() -> Iterator[RawUpstream]:
    """One that listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = RawUpstream(listener.getsockname()[1])
        thread = threading.Thread(target=upstream.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield upstream
        finally:
            upstream.ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
