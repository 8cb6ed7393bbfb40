"""Pages of other sites may not ask a board by way of a user's browser; WebSockets pass the same gate as requests."""

import asyncio
import base64
from typing import Any

import bcrypt
import pytest

from fleetmeter_board.gate import SameSite
from fleetmeter_exporter.http.gate import Gate
from fleetmeter_exporter.http.responses import Message, Receive, Send
from fleetmeter_exporter.http.web_config import RateLimit, WebConfig


async def application(scope: Message, _receive: Receive, send: Send) -> None:
    """Lets everybody in."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})


def asked(gate: Any, kind: str = "http", **headers: str) -> list[Message]:
    """What a gate sends to a client with these headers."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(gate({"type": kind, "method": "GET", "path": "/", "headers": encoded}, receive, send))
    return sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("headers", "only_here", "let_in"),
    [
        ({"host": "127.0.0.1:9848"}, True, True),
        ({"host": "localhost:9848", "origin": "http://localhost:9848"}, True, True),
        ({"host": "[::1]:9848", "origin": "http://[::1]:9848"}, True, True),
        ({"host": "127.0.0.1:9848", "origin": "http://evil.example"}, True, False),
        ({"host": "127.0.0.1:9848", "origin": "http://127.0.0.1:1"}, True, False),
        ({"host": "127.0.0.1:9848", "origin": "null"}, True, False),
        ({"host": "evil.example", "origin": "http://evil.example"}, True, False),
        ({}, True, False),
        ({"host": "board.example"}, False, True),
        ({"host": "board.example", "origin": "https://board.example"}, False, True),
        ({"host": "board.example", "origin": "https://evil.example"}, False, False),
        ({"host": "[", "origin": "http://["}, False, False),
    ],
)
def test_only_its_own_page_may_ask(kind: str, headers: dict[str, str], only_here: bool, let_in: bool) -> None:
    """Another origin is refused; on a board for this machine alone, so is another machine's name."""
    first = asked(SameSite(application, lambda: only_here), kind, **headers)[0]
    if kind == "websocket":
        assert first["type"] == ("websocket.accept" if let_in else "websocket.close")
    else:
        assert first["status"] == (200 if let_in else 403)


def test_a_websocket_needs_the_password_that_a_request_needs() -> None:
    """It is closed before it is open without the right password, and above the rate limit."""
    config = WebConfig(users={"ann": bcrypt.hashpw(b"pass", bcrypt.gensalt(4)).decode()})
    gate = Gate(application, lambda: config)
    right = "Basic " + base64.b64encode(b"ann:pass").decode()
    wrong = "Basic " + base64.b64encode(b"ann:guess").decode()
    assert asked(gate, "websocket")[0]["type"] == "websocket.close"
    assert asked(gate, "websocket", authorization=wrong)[0]["type"] == "websocket.close"
    assert asked(gate, "websocket", authorization=right)[0]["type"] == "websocket.accept"
    limited = Gate(application, lambda: WebConfig(rate_limit=RateLimit(3600, 1)))
    assert [asked(limited, "websocket")[0]["type"] for _ in range(2)] == ["websocket.accept", "websocket.close"]
