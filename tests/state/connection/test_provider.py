"""A credential provider: asked for each new connection of every kind, followed through rotations, never shown."""

import asyncio
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from prometheus_client import CollectorRegistry, Counter

import fleetmeter
from fleetmeter.connection.client import connect
from fleetmeter.connection.client_async import connect_async
from fleetmeter.connection.credentials import PROVIDER, Credentials
from fleetmeter.errors import SettingError, StoreRefused
from fleetmeter.reader.reading import Reader
from fleetmeter.settings import Settings
from fleetmeter.writer.messages import Hello
from fleetmeter.writer.store import Store
from fleetmeter_exporter import RedisCollector, get_metrics, make_asgi_app
from support.cluster import ClusterStore
from support.node import Node, until
from support.sentinel import SentinelStore
from support.store import StoreAddress
from support.upstream import free_port

SECRET = "hunter2"
USER = "app"


class Vault:
    """Hands out the password that is in force, and counts how often it was asked."""

    def __init__(self, password: str = SECRET, user: str = USER) -> None:
        self.password = password
        self.user = user
        self.asked = 0

    def __call__(self) -> tuple[str, str]:
        """User and password."""
        self.asked += 1
        return self.user, self.password


class RedisPyVault(redis.CredentialProvider):
    """The same as an object of redis-py's kind."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def get_credentials(self) -> tuple[str, str]:
        """User and password."""
        return self._vault()


@pytest.fixture
def node() -> Iterator[Node]:
    """A server that is open to the test, with a user whose password changes."""
    with Node() as running:
        running.run("ACL", "SETUSER", USER, "on", f">{SECRET}", "~*", "+@all")
        yield running


@pytest.fixture
def vault() -> Vault:
    """What the user's password is now."""
    return Vault()


def rotate(node: Node, vault: Vault, password: str) -> None:
    """Change the password, and end every connection that was made with the old one."""
    node.run("ACL", "SETUSER", USER, "resetpass", f">{password}")
    vault.password = password
    node.run("CLIENT", "KILL", "USER", USER)


def total(text: bytes, name: str) -> float:
    """The value of a series without labels in an exposition."""
    return float(next(line for line in text.decode().splitlines() if line.startswith(f"{name} ")).split()[1])


async def served(app: Any) -> bytes:
    """What an application answers to a scrape."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://exporter") as client:
        return (await client.get("/metrics")).content


@pytest.mark.parametrize("wrapped", [lambda vault: vault, RedisPyVault], ids=["function", "object"])
def test_writers_and_exporters_go_on_when_the_password_changes(
    node: Node, vault: Vault, wrapped: Callable[[Vault], Any]
) -> None:
    """Totals stay exact over two rotations, by a writer, a collector, `get_metrics` and an ASGI application."""
    provider = wrapped(vault)
    fleetmeter.install(url=node.url, namespace="n", flush_interval=60, credential_provider=provider)
    try:
        counter = Counter("provided", "help", registry=None)
        registry = CollectorRegistry(support_collectors_without_names=True)
        RedisCollector(registry, url=node.url, namespace="n", credential_provider=provider)
        app = make_asgi_app(url=node.url, namespace="n", credential_provider=provider)
        for done, password in enumerate(("second", "third", "fourth"), 1):
            counter.inc()
            assert fleetmeter.flush()
            assert registry.get_sample_value("provided_total") == done
            assert total(get_metrics(), "provided_total") == done
            assert total(asyncio.run(served(app)), "provided_total") == done
            before = vault.asked
            rotate(node, vault, password)
            with pytest.raises(StoreRefused):
                Reader(node.url.replace("//", f"//{USER}:{SECRET}@"), "n").read()
            counter.inc(0)
            assert fleetmeter.flush()
            assert vault.asked > before
    finally:
        fleetmeter.uninstall()


def test_it_is_asked_once_for_each_connection(node: Node, vault: Vault) -> None:
    """Calls on an open connection do not ask it; an asynchronous client asks it as well, outside its event loop."""
    credentials = Credentials(provider=vault)
    client: Any = connect(node.url, credentials=credentials)
    assert [client.execute_command("ACL", "WHOAMI") for _ in range(3)] == [USER.encode()] * 3
    assert vault.asked == 1
    client.close()
    threads = []

    def provider() -> tuple[str, str]:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        threads.append(1)
        return vault()

    async def twin() -> Any:
        client: Any = connect_async(node.url, "k", Credentials(provider=provider), 1.0, 2)
        try:
            return await client.execute_command("ACL", "WHOAMI")
        finally:
            await client.aclose()

    assert asyncio.run(twin()) == USER.encode()
    assert threads == [1]


def test_a_password_alone_goes_with_the_user_of_the_url(node: Node) -> None:
    """A provider that names no user leaves that to the URL, then to the environment, then to the store's default."""
    for url, environ in ((node.url.replace("//", f"//{USER}@"), {}), (node.url, {"FLEETMETER_REDIS_USERNAME": USER})):
        settings = Settings.from_env(environ, url=url, credential_provider=lambda: (SECRET,))
        client: Any = connect(url, credentials=settings.credentials)
        assert client.execute_command("ACL", "WHOAMI") == USER.encode()
        client.close()


def test_a_cluster_asks_it_for_every_node() -> None:
    """The nodes that are asked for the slot, and the one that has it, all get the provider's password."""
    vault = Vault(user="default")
    with ClusterStore(password=SECRET) as cluster:
        open_url = cluster.url.replace(f":{SECRET}@", "").replace("redis+", "valkey+")
        address = StoreAddress(open_url, "n")
        door = Store(open_url, address.keys, credentials=Credentials(provider=vault))
        assert door.hello(Hello("w", "E"), {}).status == "hello"
        assert vault.asked == 2  # one asked, one that has the slot
        former = cluster.owner(address.keys.writers)
        cluster.switch(address.keys.writers)
        assert door.hello(Hello("w", "E"), {}).status == "hello"
        assert cluster.owner(address.keys.writers) is not former
        assert vault.asked > 2
        door.close()


def test_a_master_behind_sentinels_gets_it() -> None:
    """The sentinels are asked without it; the master that they name gets the provider's password."""
    vault = Vault(user="default")
    with SentinelStore(password=SECRET) as sentinel:
        open_url = sentinel.url.replace(f":{SECRET}@", "").replace("redis+", "valkey+")
        door = Store(open_url, StoreAddress(open_url, "n").keys, credentials=Credentials(provider=vault))
        assert door.hello(Hello("w", "E"), {}).status == "hello"
        assert vault.asked == 1
        door.close()


def refusing() -> tuple[str, str]:
    """Fails as a provider does whose token endpoint is away; its words hold a secret."""
    raise OSError(f"no token for {SECRET}")


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        (refusing, "refusing raised OSError"),
        (lambda: None, "returned a NoneType; expected"),
        (lambda: ("a", "b", "c"), "returned a tuple of 3; expected"),
        (lambda: (USER, ""), "an empty password"),
        (lambda: (USER, b"x"), "no text"),
        (lambda: (USER, SECRET + "\udc80"), "no text"),
    ],
)
def test_a_provider_that_fails_is_a_trouble_of_the_store(
    node: Node, provider: Any, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is reported by its name, without what it said or returned, along the whole chain of causes."""
    door = Store(node.url, StoreAddress(node.url, "n").keys, credentials=Credentials(provider=provider))
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreRefused, match=words) as caught:
        door.hello(Hello("w", "E"), {})
    assert caught.value.reason == "auth"
    assert "test_provider" in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert all(SECRET not in line for line in shown.splitlines() if "raise OSError" not in line)


def test_recording_goes_on_while_it_fails(node: Node, vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing reaches the caller, the log names the provider, and what was recorded arrives once it works again."""
    broken = [True]

    def provider() -> tuple[str, str]:
        return refusing() if broken else vault()

    fleetmeter.install(url=node.url, namespace="n", flush_interval=60, credential_provider=provider)
    try:
        counter = Counter("kept", "help", registry=None)
        counter.inc(3)
        assert not fleetmeter.flush(0.5)
        counter.inc(4)
        broken.clear()
        assert fleetmeter.flush(10)
        assert total(get_metrics(), "kept_total") == 7
    finally:
        fleetmeter.uninstall()
    assert "provider raised OSError" in caplog.text
    assert SECRET not in caplog.text


async def asynchronous() -> tuple[str, str]:
    """What no thread can call."""
    return USER, SECRET


@pytest.mark.parametrize(
    ("url", "provider", "problem"),
    [
        (f"redis://:{SECRET}@h", Vault(), "holds a password too"),
        (f"redis://h?password={SECRET}", Vault(), "holds a password too"),
        ("redis://h", "secret", "cannot be asked"),
        ("redis://h", Vault, "cannot be asked"),
        ("redis://h", asynchronous, "asynchronous"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(url: str, provider: Any, problem: str) -> None:
    """By the name of the argument, without calling it and without a password."""
    with pytest.raises(SettingError, match=problem) as caught:
        fleetmeter.install(url=url, credential_provider=provider)
    assert caught.value.setting == "credential_provider"
    assert SECRET not in str(caught.value)
    with pytest.raises(SettingError, match=problem):
        RedisCollector(url=url, credential_provider=provider)


def test_the_environment_names_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`module:function`; a URL with a password is complete, and what cannot be imported is refused by name."""
    (tmp_path / "vaults.py").write_text(f"def token():\n    return '{USER}', '{SECRET}'\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    provider = Settings.from_env({PROVIDER: "vaults:token"}).credentials.provider
    assert callable(provider)
    assert Settings.from_env({PROVIDER: "no:thing"}, url=f"redis://:{SECRET}@h").credentials == Credentials()
    refused = {
        "vaults": "names no function",
        "vaults:none": "AttributeError",
        "nowhere:token": "ModuleNotFoundError",
        "vaults:__name__": "cannot be asked",
    }
    for name, problem in refused.items():
        with pytest.raises(SettingError, match=problem) as caught:
            Settings.from_env({PROVIDER: name})
        assert caught.value.setting == PROVIDER
    with pytest.raises(SettingError, match="set one of the two"):
        Settings.from_env({PROVIDER: "vaults:token", "FLEETMETER_REDIS_PASSWORD": "x"})


def test_the_exporter_program_takes_it_from_the_environment(node: Node, vault: Vault, tmp_path: Path) -> None:
    """It goes on serving after a rotation that ended its connections."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET, encoding="utf-8")
    code = f"import pathlib\n\ndef token():\n    return '{USER}', pathlib.Path({str(secret)!r}).read_text()\n"
    (tmp_path / "vaults.py").write_text(code, encoding="utf-8")
    port = free_port()
    environ = {**os.environ, PROVIDER: "vaults:token", "PYTHONPATH": str(tmp_path)}
    words = ["--redis.url", node.url, "--namespace", "n", "--web.listen-address", f"127.0.0.1:{port}"]
    program = [sys.executable, "-m", "fleetmeter_exporter.main", *words]
    exporter = subprocess.Popen(program, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        until("the exporter reads", lambda: _up(port))
        rotate(node, vault, "second")
        until("nothing can be read", lambda: not _up(port))
        secret.write_text("second", encoding="utf-8")
        until("the exporter reads again", lambda: _up(port))
    finally:
        exporter.terminate()
        log = exporter.communicate(timeout=20)[1]
    assert SECRET not in log
    assert "second" not in log


def _up(port: int) -> bool:
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    except httpx.TransportError:
        return False
    return "fleetmeter_up 1.0" in text or "fleetmeter_up 1\n" in text
