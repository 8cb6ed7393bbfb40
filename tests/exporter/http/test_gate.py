"""What stands before every path of the exporter: users, response headers, a rate limit."""

import asyncio
import base64
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import bcrypt
import pytest

from fleetmeter_exporter.http.basic_auth import REMEMBERED, WAITING, BasicAuth, TooMany, credentials
from fleetmeter_exporter.http.gate import Gate
from fleetmeter_exporter.http.responses import Message, Receive, Send
from fleetmeter_exporter.http.web_config import RateLimit, WebConfig
from support.web import PATIENCE


class Thread(ThreadPoolExecutor):
    """One thread, which notes the hashes that it is asked to check a password against."""

    def __init__(self) -> None:
        super().__init__(1)
        self.checked: list[str] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Note it, and run it."""
        self.checked.append(args[-1].decode())
        return super().submit(fn, *args, **kwargs)


def hashed(password: bytes, cost: int = 4) -> str:
    """A bcrypt hash."""
    return bcrypt.hashpw(password[:72], bcrypt.gensalt(cost)).decode()


USERS = {"alice": hashed(b"pass"), "jürg": hashed("geheim:ü".encode()), "long": hashed(b"x" * 100)}


async def page(scope: Message, receive: Receive, send: Send) -> None:
    """What is behind the gate."""
    headers = [(b"content-length", b"4"), (b"X-Frame-Options", b"deny")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"page"})


def basic(login: str | bytes) -> bytes:
    """An Authorization header's value."""
    return b"Basic " + base64.b64encode(login.encode() if isinstance(login, str) else login)


async def ask(gate: Gate, *authorization: bytes, method: str = "GET", path: str = "/metrics") -> Any:
    """Status, headers and body of one answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    headers = [(b"authorization", value) for value in authorization]
    await gate({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"]


def test_without_a_configuration_everybody_comes_in() -> None:
    """No users, no extra headers, no limit: what the application says is what the client gets."""
    status, headers, body = asyncio.run(ask(Gate(page, WebConfig)))
    assert (status, body) == (200, b"page")
    assert headers == {b"content-length": b"4", b"X-Frame-Options": b"deny"}


@pytest.mark.parametrize("login", ["alice:pass", "jürg:geheim:ü", "long:" + "x" * 100])
def test_a_known_user_with_the_right_password_comes_in(login: str) -> None:
    """Names and passwords are UTF-8, a password may hold a colon, and counts for its first 72 bytes."""
    gate = Gate(page, lambda: WebConfig(users=USERS))
    for scheme in (b"Basic ", b"bAsIc   "):
        given = scheme + base64.b64encode(login.encode())
        assert asyncio.run(ask(gate, given))[0] == 200


@pytest.mark.parametrize(
    "authorization",
    [
        [],
        [b""],
        [b"Basic"],
        [b"Basic !!!"],
        [b"Basic " + base64.b64encode(b"alice")],
        [b"Bearer " + base64.b64encode(b"alice:pass")],
        [basic("alice:wrong")],
        [basic("alice:")],
        [basic("alice:pass\0more")],
        [basic("Alice:pass")],
        [basic("nobody:pass")],
        [basic(b"\xff:pass")],
        [basic("alice:pass"), basic("alice:pass")],
        [basic("long:" + "x" * 71)],
    ],
)
def test_everybody_else_is_asked_for_a_password(authorization: list[bytes]) -> None:
    """401 and the challenge on every path, twice the same, and nothing of the page; a HEAD gets no body."""
    gate = Gate(page, lambda: WebConfig(users=USERS, headers={"X-Frame-Options": "sameorigin"}))
    for path in ("/metrics", "/-/healthy", "/", "/metrics"):
        status, headers, body = asyncio.run(ask(gate, *authorization, path=path))
        assert (status, body) == (401, b"user and password needed\n")
        assert headers[b"www-authenticate"] == b'Basic realm="fleetmeter-exporter", charset="UTF-8"'
        assert headers[b"x-frame-options"] == b"sameorigin"
    assert asyncio.run(ask(gate, *authorization, method="HEAD"))[2] == b""


def test_an_unknown_user_costs_a_check_too() -> None:
    """The thread that checks is asked for an unknown user as for a known one, against the dearest of the hashes."""
    thread = Thread()
    users = {"cheap": hashed(b"a", 4), "dear": hashed(b"b", 5)}

    async def run() -> list[bool]:
        auth = BasicAuth(thread)
        return [await auth.allows(users, user, b"b") for user in (b"cheap", b"dear", b"nobody", b"nobody")]

    assert asyncio.run(run()) == [False, True, False, False]
    assert thread.checked == [users["cheap"], users["dear"], users["dear"]]


def test_a_password_is_checked_once() -> None:
    """What was found is remembered, for requests at the same time too, and forgotten with the hash that it fitted."""
    thread = Thread()
    users = dict(USERS)

    async def run() -> None:
        gate = Gate(page, lambda: WebConfig(users=users), auth=BasicAuth(thread))
        answers = await asyncio.gather(*(ask(gate, basic("alice:pass")) for _ in range(20)))
        assert {answer[0] for answer in answers} == {200}
        assert len(thread.checked) == 1
        assert (await ask(gate, basic("alice:pass")))[0] == 200
        assert len(thread.checked) == 1
        users["alice"] = hashed(b"new")
        assert (await ask(gate, basic("alice:pass")))[0] == 401
        assert (await ask(gate, basic("alice:new")))[0] == 200
        assert len(thread.checked) == 3

    asyncio.run(run())


def test_a_user_who_is_let_in_later_comes_in() -> None:
    """What was found for an unknown user does not hold for a known one, even with the hash it was compared with."""
    users = {"alice": USERS["alice"]}
    gate = Gate(page, lambda: WebConfig(users=users))

    async def run() -> None:
        assert (await ask(gate, basic("bob:pass")))[0] == 401
        users["bob"] = users.pop("alice")
        assert (await ask(gate, basic("bob:pass")))[0] == 200
        assert (await ask(gate, basic("alice:pass")))[0] == 401

    asyncio.run(run())


def test_guesses_drive_out_no_right_password() -> None:
    """Memory for wrong passwords is bounded, and apart from that for right ones; no password is in it."""

    async def run() -> None:
        auth = BasicAuth()
        assert await auth.allows(USERS, b"alice", b"pass")
        for number in range(REMEMBERED + 10):
            assert not await auth.allows(USERS, b"alice", f"guess {number}".encode())
        assert len(auth._found[False]) == REMEMBERED
        assert len(auth._found[True]) == 1
        assert b"pass" not in b"".join(key for found in auth._found.values() for key in found)

    asyncio.run(run())


def test_more_guesses_than_there_is_time_for_are_turned_away() -> None:
    """Beyond so many waiting checks it is 503, at once; a password that is remembered passes all the same."""
    go = threading.Event()

    async def run() -> None:
        thread = ThreadPoolExecutor(1)
        auth = BasicAuth(thread)
        gate = Gate(page, lambda: WebConfig(users=USERS), auth=auth)
        assert (await ask(gate, basic("alice:pass")))[0] == 200
        thread.submit(go.wait, PATIENCE)
        guesses = [asyncio.create_task(ask(gate, basic(f"alice:{number}"))) for number in range(WAITING)]
        await asyncio.sleep(0.01)
        status, headers, _ = await ask(gate, basic("alice:one more"))
        assert (status, headers[b"retry-after"]) == (503, b"5")
        with pytest.raises(TooMany):
            await auth.allows(USERS, b"alice", b"one more")
        assert (await ask(gate, basic("alice:pass")))[0] == 200
        go.set()
        assert {(await guess)[0] for guess in guesses} == {401}

    asyncio.run(run())


def test_headers_are_set_on_every_answer() -> None:
    """The configured headers take the place of the application's own of that name."""
    config = WebConfig(headers={"X-Frame-Options": "sameorigin", "Strict-Transport-Security": "max-age=1"})
    _, headers, _ = asyncio.run(ask(Gate(page, lambda: config)))
    assert headers == {
        b"content-length": b"4",
        b"x-frame-options": b"sameorigin",
        b"strict-transport-security": b"max-age=1",
    }


def test_the_rate_limit_is_a_bucket_of_tokens() -> None:
    """A burst passes, then one request per interval; what is over it is 429, before any password is asked for."""
    now = 0.0
    config = WebConfig(rate_limit=RateLimit(2.0, 3), users=USERS)
    gate = Gate(page, lambda: config, lambda: now)

    def statuses(count: int) -> list[int]:
        return [asyncio.run(ask(gate))[0] for _ in range(count)]

    assert statuses(5) == [401, 401, 401, 429, 429]
    now = 1.9
    assert statuses(1) == [429]
    now = 4.1
    assert statuses(3) == [401, 401, 429]
    now = 1000.0
    assert statuses(4) == [401, 401, 401, 429]
    config = WebConfig(rate_limit=RateLimit(2.0, 1))
    assert statuses(2) == [200, 429]


def test_what_is_no_request_passes() -> None:
    """A lifespan goes on to the application."""
    seen: list[str] = []

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> Any:
        return {}

    asyncio.run(Gate(application, lambda: WebConfig(users=USERS))({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]


def test_credentials_are_read_as_they_are_sent() -> None:
    """Bytes in, bytes out: the name ends at the first colon."""
    assert credentials(basic(":")) == (b"", b"")
    assert credentials(basic("a:b:c")) == (b"a", b"b:c")
