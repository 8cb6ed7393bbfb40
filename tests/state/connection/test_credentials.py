"""User and password: from the URL, from the environment, from a file that may be rotated; shown nowhere."""

import asyncio
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

import fleetmeter
from fleetmeter.connection.address import Address
from fleetmeter.connection.client import connect
from fleetmeter.connection.client_async import connect_async
from fleetmeter.connection.credentials import Credentials
from fleetmeter.errors import SettingError, StoreRefused
from fleetmeter.reader.reading import Reader
from fleetmeter.settings import Settings
from fleetmeter.writer.messages import Hello
from fleetmeter.writer.store import Store
from fleetmeter_app.config.settings import AppSettings
from fleetmeter_app.main import create_app
from fleetmeter_exporter import RedisCollector
from fleetmeter_exporter.settings import ExporterSettings
from support.lifespan import living
from support.node import Node, until
from support.store import StoreAddress

SECRET = "hunter2"
ENVIRON = {"FLEETMETER_REDIS_USERNAME": "ann", "FLEETMETER_REDIS_PASSWORD": SECRET}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A server with a password for its default user, and a user of its own."""
    with Node({"requirepass": SECRET}, client={"password": SECRET}) as running:
        running.run("ACL", "SETUSER", "ann", "on", f">{SECRET}", "~*", "+@all")
        yield running


@pytest.fixture
def url(node: Node) -> str:
    """The server, by a URL without user and password."""
    return f"redis://127.0.0.1:{node.port}/0"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with the password."""
    path = tmp_path / "password"
    path.write_text(SECRET + "\n", encoding="utf-8")
    return path


def whoami(settings: Settings) -> str:
    """The user that a store knows us by."""
    client: Any = connect(settings.url, credentials=settings.credentials)
    with client:
        return str(client.execute_command("ACL", "WHOAMI"), "utf-8")


def test_user_and_password_of_the_environment(url: str, file: Path) -> None:
    """They complete a URL that has none; without a user it is the default one."""
    assert whoami(Settings.from_env(ENVIRON, url=url)) == "ann"
    assert whoami(Settings.from_env({"FLEETMETER_REDIS_PASSWORD": SECRET}, url=url)) == "default"
    from_file = {"FLEETMETER_REDIS_USERNAME": "ann", "FLEETMETER_REDIS_PASSWORD_FILE": str(file)}
    assert whoami(Settings.from_env(from_file, url=url)) == "ann"


def test_a_url_with_a_password_is_complete(url: str) -> None:
    """The environment adds nothing to it, wrong as it may be."""
    environ = {"FLEETMETER_REDIS_USERNAME": "bob", "FLEETMETER_REDIS_PASSWORD_FILE": "/nowhere"}
    settings = Settings.from_env(environ, url=url.replace("//", f"//:{SECRET}@"))
    assert settings.credentials == Credentials()
    assert whoami(settings) == "default"


def test_a_url_that_names_a_user_takes_the_password(url: str) -> None:
    """The user of the URL wins, and the password comes from the environment."""
    environ = ENVIRON | {"FLEETMETER_REDIS_USERNAME": "bob"}
    assert whoami(Settings.from_env(environ, url=url.replace("//", "//ann@"))) == "ann"


def test_a_rotated_password_is_used_by_the_next_connection(node: Node, url: str, file: Path) -> None:
    """What is connected stays connected; what connects reads the file again. A file that is gone is a refusal."""
    credentials = Credentials.from_env({"FLEETMETER_REDIS_PASSWORD_FILE": str(file)})
    address = StoreAddress(url, "rotated")
    door = Store(url, address.keys, credentials=credentials)
    assert door.hello(Hello("w", "E"), {}).status == "hello"
    node.run("ACL", "SETUSER", "default", ">rotated", f"<{SECRET}")
    try:
        assert door.hello(Hello("w", "E"), {}).status == "hello"
        door.close()
        with pytest.raises(StoreRefused, match="refused the user or the password"):
            door.hello(Hello("w", "E"), {})
        file.write_text("rotated", encoding="utf-8")
        assert door.hello(Hello("w", "E"), {}).status == "hello"
        door.close()
        file.unlink()
        with pytest.raises(StoreRefused, match="cannot be read") as caught:
            door.hello(Hello("w", "E"), {})
        assert caught.value.reason == "auth"
        assert str(file) in str(caught.value)
        assert "FLEETMETER_REDIS_PASSWORD_FILE" in str(caught.value)
    finally:
        admin: Any = connect(url.replace("//", "//:rotated@"))
        admin.execute_command("ACL", "SETUSER", "default", f">{SECRET}", "<rotated")
        admin.close()


def test_a_file_that_cannot_be_read_is_a_setting_error(tmp_path: Path) -> None:
    """Absent, a directory, empty or no text: named when the program starts, without its content."""
    binary, empty = tmp_path / "binary", tmp_path / "empty"
    binary.write_bytes(b"\xff" + SECRET.encode())
    empty.write_text("\n", encoding="utf-8")
    for path, problem in ((tmp_path / "none", "cannot be read"), (tmp_path, "cannot be read"),
                          (binary, "no UTF-8"), (empty, "is empty")):  # fmt: skip
        with pytest.raises(SettingError, match=problem) as caught:
            Settings.from_env({"FLEETMETER_REDIS_PASSWORD_FILE": str(path)})
        assert caught.value.setting == "FLEETMETER_REDIS_PASSWORD_FILE"
        assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_two_passwords_are_one_too_many(file: Path) -> None:
    """Which of them is meant cannot be known."""
    environ = {"FLEETMETER_REDIS_PASSWORD": "x", "FLEETMETER_REDIS_PASSWORD_FILE": str(file)}
    with pytest.raises(SettingError, match="set one of the two"):
        Settings.from_env(environ)


@pytest.mark.parametrize(("variable", "text"), [("FLEETMETER_REDIS_USERNAME", "\udc80"),
                                                ("FLEETMETER_REDIS_PASSWORD", SECRET + "\udc80")])  # fmt: skip
def test_what_utf8_cannot_hold_is_refused(variable: str, text: str) -> None:
    """And not shown."""
    with pytest.raises(SettingError, match="UTF-8") as caught:
        Settings.from_env({variable: text})
    assert caught.value.setting == variable
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"redis://user:{SECRET}@h", f"unix://user:{SECRET}@/x.sock", f"rediss://user:{SECRET}@h",
        f"redis+sentinel://user:{SECRET}@h/s?sentinel_password={SECRET}", f"redis+cluster://user:{SECRET}@h",
        "redis://h",
    ],
)  # fmt: skip
def test_no_repr_shows_a_password(url: str, file: Path) -> None:
    """Settings, addresses, clients, their pools and their connections may be logged."""
    settings = Settings.from_env(ENVIRON, url=url)
    client = connect(url, "k", Credentials("ann", SECRET))
    twin = connect_async(url, "k", settings.credentials, 1.0, 1)
    pool = client.connection_pool
    door, reader = Store(url, StoreAddress(url, "n").keys, credentials=settings.credentials), Reader(url, "n")
    for thing in (settings, settings.credentials, Address.parse(url), client, pool, pool.make_connection(), twin,
                  twin.connection_pool, door, door.__dict__, reader.__dict__, pool.connection_kwargs):  # fmt: skip
        assert SECRET not in repr(thing)


def test_no_log_and_no_error_shows_a_password(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """With a wrong password, at the most talkative level, along the whole chain of causes."""
    wrong = Credentials("ann", SECRET + "-wrong")
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreRefused) as caught:
        Store(url, StoreAddress(url, "n").keys, credentials=wrong).hello(Hello("w", "E"), {})
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + caplog.text


def test_a_replica_takes_them_too(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process records is handed over with them."""
    for name, text in ENVIRON.items():
        monkeypatch.setenv(name, text)
    fleetmeter.install(url=url, namespace="n", flush_interval=60)
    try:
        Counter("credentials", "help", registry=None).inc()
        assert fleetmeter.flush()
    finally:
        fleetmeter.uninstall()


@pytest.mark.parametrize("parameters", ["", "?protocol=3"])
def test_a_store_that_repeats_the_password_is_not_quoted(parameters: str) -> None:
    """A server that does not know HELLO refuses it with all its arguments; the error has the command alone."""
    old = Node(config='rename-command HELLO ""\nrename-command AUTH ""\n').start()
    try:
        log = old.directory / "server.log"
        until("the server listens", lambda: log.exists() and "Ready to accept" in log.read_text(errors="replace"))
        reader = Reader(f"redis://ann:{SECRET}@127.0.0.1:{old.port}/0{parameters}", "n")
        with pytest.raises(StoreRefused, match="unknown command") as raised:
            reader.read()
        reader.close()
        assert SECRET not in str(raised.value)
        assert SECRET in str(raised.value.__cause__)  # it did repeat it
    finally:
        old.stop()


def test_an_exporter_takes_them_too(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector of the environment reads the store, and the program names a variable that cannot be used."""
    for name, text in ENVIRON.items():
        monkeypatch.setenv(name, text)
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=url, namespace="n")
    assert registry.get_sample_value("fleetmeter_up") == 1
    assert ExporterSettings.parse(["--redis.url", url], ENVIRON).url == url
    with pytest.raises(SettingError, match=r"^FLEETMETER_REDIS_PASSWORD_FILE: "):
        ExporterSettings.parse([], {"FLEETMETER_REDIS_PASSWORD_FILE": "/nowhere"})


def test_a_gateway_takes_them_too(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its prompt cache reaches the store with them, and the program names a variable that cannot be used."""
    for name, text in {**ENVIRON, "OPENAI_API_KEY": "k", "FLEETMETER_REDIS_URL": url}.items():
        monkeypatch.setenv(name, text)

    async def store_of(app: Any) -> str:
        transport = httpx.ASGITransport(app=app)
        async with living(app), httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return str((await client.get("/ready")).json()["store"])

    try:
        assert asyncio.run(store_of(create_app())) == "ok"
    finally:
        fleetmeter.uninstall()
    environ = {"OPENAI_API_KEY": "k", "FLEETMETER_REDIS_PASSWORD_FILE": "/nowhere"}
    with pytest.raises(SettingError, match=r"^FLEETMETER_REDIS_PASSWORD_FILE: "):
        create_app(AppSettings.from_env(environ), environ)
