"""The users of state/users.acl: what each needs works, and everything else is refused. On Valkey and on Redis."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from fleetmeter.cli.doctor.permissions import Permissions, writer_permissions
from fleetmeter.cli.doctor.rehearsal import rehearse
from fleetmeter.connection.client import connect
from fleetmeter.errors import StoreRefused
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import Keys
from fleetmeter.settings import Settings
from fleetmeter.writer.messages import Apply
from fleetmeter.writer.store import Store
from fleetmeter_app.caching.config import CacheConfig
from fleetmeter_app.caching.entry import Entry, Facts
from fleetmeter_app.caching.scripts import Scripts
from fleetmeter_app.caching.shelf import Shelf
from fleetmeter_app.caching.vault import Vault
from support.fleet import Replica, families
from support.node import Node, valkey
from support.programs import program
from support.store import StoreAddress

ACL = Path(__file__).parents[3] / "state" / "users.acl"
OWN = "{fm:ns:0}:own"
READS = [
    ("HGETALL", OWN), ("HGET", OWN, "f"), ("HMGET", OWN, "f"), ("HKEYS", OWN), ("HLEN", OWN), ("EXISTS", OWN),
    ("ZCOUNT", OWN + "z", "-inf", "+inf"), ("ZCARD", OWN + "z"), ("TIME",), ("PING",), ("GET", OWN + "s"),
    ("LRANGE", OWN + "l", "0", "-1"),
]  # fmt: skip
NOBODY = [
    ("FLUSHALL",), ("FLUSHDB",), ("KEYS", "*"), ("SCAN", "0"), ("CONFIG", "GET", "*"), ("INFO",), ("ACL", "LIST"),
    ("CLIENT", "LIST"), ("CLIENT", "KILL", "TYPE", "normal"), ("SHUTDOWN",), ("SAVE",),
    ("REPLICAOF", "NO", "ONE"), ("MONITOR",), ("PUBLISH", "c", "m"), ("SUBSCRIBE", "c"), ("EVAL", "return 1", "0"),
    ("SCRIPT", "FLUSH"), ("FUNCTION", "FLUSH"), ("SET", OWN, "x"), ("SET", "other", "x"), ("GET", "other"),
    ("GETDEL", OWN + "s"), ("LPOP", OWN + "l"), ("LTRIM", OWN + "l", "1", "0"), ("APPEND", OWN + "s", "x"),
    ("EXPIRE", OWN, "1"), ("RENAME", OWN, OWN + "2"), ("DUMP", OWN), ("RESTORE", OWN, "0", "x"), ("SORT", OWN),
    ("UNLINK", OWN), ("HGETALL", "other"), ("HGETALL", "{fm:ns:0"), ("HGETALL", "x{fm:ns:0}:own"),
    ("CLUSTER", "RESET"), ("SWAPDB", "0", "1"), ("MODULE", "LIST"), ("COMMAND", "DOCS"),
]  # fmt: skip
WRITES = [
    ("HSET", OWN, "f", "1"), ("HSETNX", OWN, "f", "1"), ("HDEL", OWN, "f"), ("HINCRBY", OWN, "f", "1"), ("DEL", OWN),
    ("HINCRBYFLOAT", OWN, "f", "1"), ("ZADD", OWN + "z", "1", "m"), ("ZREM", OWN + "z", "m"), ("WAIT", "0", "1"),
    ("HSCAN", OWN, "0"), ("STRLEN", OWN + "s"), ("LLEN", OWN + "l"), ("LINDEX", OWN + "l", "0"),
    ("BITFIELD", OWN + "s", "INCRBY", "i64", "#0", "1"), ("SETRANGE", OWN + "s", "7", "x"), ("RPUSH", OWN + "l", "x"),
]  # fmt: skip


@pytest.fixture(scope="module", params=["valkey-server", "redis-server"])
def running(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A server with the file loaded; the passwords, and an administrator, are the test's own."""
    lines = ACL.read_text(encoding="utf-8").replace("resetpass", ">pw") + "user admin on >pw ~* &* +@all\n"
    login = {"username": "admin", "password": "pw"}
    binary = valkey() if request.param == "valkey-server" else program(request.param)
    node = Node(binary=binary, client=login)
    users = node.directory / "users.acl"
    users.write_text(lines, encoding="utf-8")
    node._options["aclfile"] = str(users)
    with node:
        node.run("HSET", OWN, "f", "1")
        yield node


@pytest.fixture
def login(running: Node) -> Callable[[str], StoreAddress]:
    """The namespace as one of the users sees it."""
    return lambda user: StoreAddress(f"redis://fleetmeter-{user}:pw@127.0.0.1:{running.port}/0", f"ns-{running.port}")


def answer(address: StoreAddress, command: tuple[str, ...]) -> Any:
    """What a user is answered; an error as itself."""
    client = address.client()
    try:
        return client.execute_command(*command)
    except redis.ResponseError as error:
        return error
    finally:
        client.close()


def test_a_writer_and_a_reader_work_under_their_users(login: Callable[[str], StoreAddress]) -> None:
    """All that a replica sends, and all that a scrape asks, is allowed, in a database of its own too."""
    replica = Replica(login("writer"))
    replica.counter("acl", labels=["k"], values=["v"]).inc(3)
    assert replica.flush(), replica.errors("auth")
    beat = replica.writer.next_apply()
    assert replica.store.apply_and_wait(beat, 0, 0.1)[0].status == "applied"
    replica.close()
    for user in ("exporter", "writer"):  # a gateway serves /metrics under the writer's
        found = families(login(user))["acl"]
        assert [sample.value for sample in found.samples] == [3.0]
    elsewhere = login("writer")
    door = Store(elsewhere.url.removesuffix("0") + "1", elsewhere.keys)
    assert door.apply(Apply("E", "w", 0, 1, 0)).status == "epoch"
    door.close()


def test_nothing_that_we_send_is_refused(running: Node, login: Callable[[str], StoreAddress]) -> None:
    """Neither connecting nor recording, scraping, caching or examining the store leaves a denial in the ACL log."""
    running.run("ACL", "LOG", "RESET")
    for parameters in ("", "?protocol=2", "?protocol=3", "?client_name=us"):
        address = login("writer")
        replica = Replica(address, address.url + parameters)
        replica.counter("acl_log").inc(1)
        packed = replica.cell(Definition.of("acl_packed", "counter", "", "", (), (), "", packed=True))
        for _ in range(2):  # by name, and by slot
            packed.inc(1)
            assert replica.flush(), replica.errors("auth")
        replica.close()
        for user in ("exporter", "writer"):
            reader = Reader(login(user).url + parameters, address.namespace)
            assert reader.read(["nobody"]).rows
            reader.close()
    assert asyncio.run(_use_cache(login("writer")))
    writer = login("writer")
    client = writer.client()
    for numbers in ("fields", "packed"):
        assert writer_permissions(client, writer.keys, packed=numbers == "packed") == Permissions()
        settings = Settings.from_env({}, url=writer.url, namespace=writer.namespace, numbers=numbers)
        assert rehearse(client, settings) == ""
    client.close()
    assert running.run("ACL", "LOG") == []


async def _use_cache(address: StoreAddress) -> list[str]:
    keys = Keys(address.namespace)
    scripts = Scripts(address.url, keys.cache_entries, "the test", timeout=10)
    shelf = Shelf(scripts, keys, CacheConfig(ttl_seconds=60, max_entries=1, max_entry_bytes=1000), Vault())
    entry = Entry(Facts(200, "application/json", "m", "t"), b"answer")
    try:
        results: list[str] = [(await shelf.put(f"{n} m t", entry)).result for n in (1, 2)]
        results += [(await shelf.find(f"{n} m t")).state for n in (1, 2)]
        results.append((await shelf.find("3 m t", "token")).state)
        await shelf.renew("3 m t", "token")
        await shelf.give_up("3 m t", "token")
        return [*results, str(await shelf.drop()), str(await scripts.reachable())]
    finally:
        await scripts.close()


def test_the_prompt_cache_works_under_the_writers_user(login: Callable[[str], StoreAddress]) -> None:
    """Its scripts store, evict, look up, lease and remove; readiness asks with PING."""
    assert asyncio.run(_use_cache(login("writer"))) == [*("stored", "stored", "miss", "hit", "lead", "1", "True")]


@pytest.mark.parametrize("command", READS, ids=lambda command: command[0])
@pytest.mark.parametrize("user", ["writer", "exporter"])
def test_reads_of_our_own_keys_are_allowed(
    user: str, command: tuple[str, ...], login: Callable[[str], StoreAddress]
) -> None:
    """Scrapes and housekeeping ask for these."""
    assert not isinstance(answer(login(user), command), Exception)


@pytest.mark.parametrize("command", WRITES, ids=lambda command: command[0])
def test_only_the_writer_writes(command: tuple[str, ...], login: Callable[[str], StoreAddress]) -> None:
    """What the scripts send is allowed to the writer and refused to the exporter."""
    assert isinstance(answer(login("exporter"), command), redis.exceptions.NoPermissionError)
    assert not isinstance(answer(login("writer"), command), Exception)
    answer(login("writer"), ("HSET", OWN, "f", "1"))


@pytest.mark.parametrize("command", NOBODY, ids=" ".join)
@pytest.mark.parametrize("user", ["writer", "exporter"])
def test_everything_else_is_refused(user: str, command: tuple[str, ...], login: Callable[[str], StoreAddress]) -> None:
    """Administration, other commands, and other keys; unknown to an old server is refused too."""
    found = answer(login(user), command)
    assert isinstance(found, redis.ResponseError), found
    assert isinstance(found, redis.exceptions.NoPermissionError) or "unknown" in str(found).lower()


def test_the_exporter_runs_no_script(login: Callable[[str], StoreAddress]) -> None:
    """Reading needs none, and one could write."""
    for command in (("EVALSHA", "0" * 40, "0"), ("SCRIPT", "LOAD", "return 1"), ("SCRIPT", "EXISTS", "0" * 40)):
        assert isinstance(answer(login("exporter"), command), redis.exceptions.NoPermissionError)


def test_a_script_of_the_writer_keeps_to_our_keys(login: Callable[[str], StoreAddress]) -> None:
    """Neither keys that are declared nor those that are not may be others'."""
    address = login("writer")
    for script, keys in (("return redis.call('HGET', KEYS[1], 'f')", ["other"]),
                         ("return redis.call('HGET', 'other', 'f')", [OWN]),
                         ("return redis.call('SET', KEYS[1], 'f')", [OWN])):  # fmt: skip
        sha = answer(address, ("SCRIPT", "LOAD", script))
        found = answer(address, ("EVALSHA", sha, "1", *keys))
        assert isinstance(found, redis.ResponseError), found


def test_as_shipped_nobody_can_log_in(running: Node, tmp_path: Path) -> None:
    """The file holds no password that somebody could forget to change; the default user is off."""
    users = tmp_path / "users.acl"
    users.write_text(ACL.read_text(encoding="utf-8"), encoding="utf-8")
    with Node({"aclfile": str(users)}, binary=running._binary) as node:
        for user in ("fleetmeter-writer:pw@", "fleetmeter-exporter:pw@", "fleetmeter-exporter:@", "default:@", ""):
            client = connect(f"redis://{user}127.0.0.1:{node.port}/0?protocol=2")
            with client, pytest.raises(redis.AuthenticationError):
                client.ping()


def test_a_reader_without_permission_is_told_so(running: Node) -> None:
    """A user that is not ours fails with `auth`, and nothing of the password shows."""
    with pytest.raises(StoreRefused) as caught:
        Reader(f"redis://fleetmeter-exporter:hunter2@127.0.0.1:{running.port}/0", "ns").read()
    assert caught.value.reason == "auth"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("missing", ["BITFIELD", "EXISTS", "LINDEX", "LLEN", "RPUSH", "SETRANGE", "STRLEN"])
def test_a_user_from_before_packed_numbers_loses_nothing(
    running: Node, login: Callable[[str], StoreAddress], missing: str
) -> None:
    """Nothing of a batch is in the store while a command is refused that it needs; once it is allowed, all is."""
    name = f"old-{missing}"
    words = next(line for line in ACL.read_text(encoding="utf-8").splitlines() if "fleetmeter-writer" in line).split()
    rules = [word for word in words[2:] if word not in ("resetpass", f"+{missing.lower()}")]
    running.run("ACL", "SETUSER", name, ">pw", *rules)
    ours = login("writer")
    address = StoreAddress(ours.url.replace("fleetmeter-writer", name), f"{ours.namespace}-{missing}")
    replica = Replica(address)
    counter = replica.counter("orders", labels=["k"], values=["v"])
    counter.inc(3)
    assert not replica.flush(1.0)
    assert replica.errors("auth")
    running.run("ACL", "SETUSER", name, f"+{missing.lower()}")
    counter.inc(4)
    assert replica.flush()
    replica.close()
    fleet = StoreAddress(ours.url, address.namespace)
    assert [sample.value for sample in families(fleet)["orders"].samples] == [7.0]
