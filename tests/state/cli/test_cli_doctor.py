"""`fleetmeter doctor`: what it says of a store is so, and it leaves nothing behind."""

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from fleetmeter.cli.doctor.check import Check, Status
from fleetmeter.cli.doctor.facts import Facts
from fleetmeter.cli.doctor.server_checks import server_checks
from fleetmeter.connection.client import connect
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.lua import lua_source
from support.cluster import ClusterStore
from support.commands import command, process
from support.fleet import Replica
from support.node import Node, valkey
from support.processes import eventually
from support.programs import program
from support.scraping import BIRTH_US, FixedState
from support.store import StoreAddress, new_address
from support.upstream import free_port

ROOT = Path(__file__).parents[3]
Findings = dict[str, dict[str, str]]

HEALTHY = Facts(
    latency=0.0002,
    ahead=0.01,
    greeting={"server": "redis", "version": "7.0.15", "mode": "standalone", "role": "master"},
    info={
        "redis_version": "7.0.15", "used_memory": 10, "maxmemory": 100, "connected_slaves": 0,
        "maxmemory_policy": "noeviction", "role": "master",
    },
    config={
        "appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction",
        "min-replicas-to-write": "0", "aof-load-truncated": "no",
    },
)  # fmt: skip


@pytest.fixture
def own_server() -> Iterator[EmbeddedStore]:
    """A server whose settings a test may change."""
    with EmbeddedStore() as server:
        yield server


def findings(store: StoreAddress, capsys: pytest.CaptureFixture[str], url: str | None = None) -> tuple[int, Findings]:
    """The exit status, and what doctor says of each subject."""
    status = command(replace(store, url=url) if url else store, "doctor", "--json")
    return status, {check["subject"]: check for check in json.loads(capsys.readouterr().out)}


def check(facts: Facts, subject: str) -> Check:
    """What is said of one subject."""
    return next(found for found in server_checks(facts) if found.subject == subject)


def with_info(**changed: Any) -> Facts:
    """A healthy store, but for some of INFO."""
    return replace(HEALTHY, info={**(HEALTHY.info or {}), **changed})


def with_config(**changed: str) -> Facts:
    """A healthy store, but for some of its settings; `_` stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in changed.items()}
    return replace(HEALTHY, config={**(HEALTHY.config or {}), **named})


def replica_of(**changed: Any) -> dict[str, Any]:
    """A replica as INFO shows it."""
    return {"ip": "10.0.0.2", "port": 6379, "state": "online", "offset": 100, "lag": 0, **changed}


def wait_until_its_start_is_past(store: StoreAddress) -> None:
    """INFO counts whole seconds: what is recorded in a store's first two may seem to be older than its start."""
    with store.client() as client:
        assert eventually(lambda: client.info("server")["uptime_in_seconds"] > 2)


def test_a_healthy_store() -> None:
    """Where all is well, every finding is."""
    assert {found.subject: found.status for found in server_checks(HEALTHY)} == dict.fromkeys(
        ("reachable", "server", "persistence", "eviction", "memory", "replication", "clock"), Status.OK
    )


@pytest.mark.parametrize(
    ("facts", "subject", "status", "words"),
    [
        (replace(HEALTHY, latency=0.2), "reachable", Status.WARN, "flush only every 4.0 s"),
        (replace(HEALTHY, greeting={"server": "redis", "version": "6.0.16"}), "server", Status.FAIL, "too old"),
        (replace(HEALTHY, greeting={"server": "redis", "version": "6.2.0"}), "server", Status.OK, "supported"),
        (replace(HEALTHY, greeting={"server": "dragonfly", "version": "9.9"}), "server", Status.WARN, "not tried"),
        (with_info(valkey_version="7.2.5"), "server", Status.OK, "supported"),
        (replace(HEALTHY, greeting={"mode": "sentinel"}), "mode", Status.FAIL, "use redis+sentinel://"),
        (replace(HEALTHY, greeting={"mode": "cluster"}), "cluster", Status.UNKNOWN, "not known"),
        (
            replace(HEALTHY, greeting={"mode": "cluster"}, cluster={"cluster_state": "fail", "cluster_size": "3"}),
            "cluster", Status.FAIL, "no master",
        ),
        (
            replace(HEALTHY, greeting={"mode": "cluster"}, cluster={"cluster_state": "ok", "cluster_size": "3"}),
            "cluster", Status.OK, "one slot",
        ),
        (with_config(appendonly="no"), "persistence", Status.WARN, "a new epoch"),
        (with_config(appendonly="no", save="3600 1"), "persistence", Status.WARN, "one hour or 8 MiB"),
        (with_config(appendfsync="always"), "persistence", Status.OK, "loses nothing"),
        (with_config(appendfsync="everysec"), "persistence", Status.OK, "up to 1 s"),
        (with_config(appendfsync="no"), "persistence", Status.WARN, "those that ended cannot"),
        (with_info(aof_last_write_status="err"), "persistence", Status.FAIL, "may refuse writes"),
        (with_info(rdb_last_bgsave_status="err"), "persistence", Status.FAIL, "may refuse writes"),
        (replace(HEALTHY, config=None), "persistence", Status.UNKNOWN, "CONFIG GET"),
        (replace(with_info(aof_enabled=1), config=None), "persistence", Status.OK, "up to 1 s"),
        (with_config(maxmemory_policy="allkeys-lru"), "eviction", Status.FAIL, "set maxmemory-policy noeviction"),
        (with_config(maxmemory_policy="volatile-ttl"), "eviction", Status.FAIL, "may vanish"),
        (with_info(evicted_keys=3), "eviction", Status.WARN, "may have vanished"),
        (replace(with_info(maxmemory_policy="allkeys-lru"), config=None), "eviction", Status.FAIL, "may vanish"),
        (with_info(used_memory=80), "memory", Status.WARN, "give it more"),
        (with_info(used_memory=96), "memory", Status.FAIL, "refuses writes"),
        (with_info(maxmemory=0, total_system_memory=1000), "memory", Status.OK, "there is room"),
        (with_info(maxmemory=0, total_system_memory=10), "memory", Status.FAIL, "may end the store"),
        (with_info(maxmemory=0), "memory", Status.UNKNOWN, "not known"),
        (replace(HEALTHY, greeting={"role": "slave"}), "replication", Status.FAIL, "must write to its master"),
        (with_info(slave0=replica_of(), master_repl_offset=120), "replication", Status.OK, "send it again"),
        (with_info(slave0=replica_of(state="wait_bgsave")), "replication", Status.WARN, "does not follow"),
        (with_info(slave0=replica_of(lag=60)), "replication", Status.WARN, "does not follow"),
        (with_config(min_replicas_to_write="1"), "replication", Status.FAIL, "refuses writes"),
        (replace(HEALTHY, ahead=-30.0), "clock", Status.WARN, "off by that"),
        (replace(HEALTHY, ahead=None), "clock", Status.UNKNOWN, "not known"),
    ],
)  # fmt: skip
def test_what_a_fact_means(facts: Facts, subject: str, status: Status, words: str) -> None:
    """Each setting is told apart, and its meaning for the numbers is said."""
    found = check(facts, subject)
    assert found.status is status
    assert words in found.meaning


def on(server: str, version: str, facts: Facts) -> Facts:
    """The same facts of another server."""
    return replace(facts, greeting={**facts.greeting, "server": server, "version": version})


TRUNCATES = with_config(aof_load_truncated="yes")
OUT_OF_SIGHT = replace(with_info(aof_enabled=1), config=None)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        (TRUNCATES, Status.WARN),
        (on("valkey", "9.1.1", TRUNCATES), Status.WARN),
        (on("redis", "7.2.4", replace(TRUNCATES, info={"valkey_version": "8.0.1"})), Status.WARN),
        (OUT_OF_SIGHT, Status.UNKNOWN),
        (HEALTHY, None),
        (on("valkey", "9.1.2", TRUNCATES), None),
        (on("valkey", "9.1.2", OUT_OF_SIGHT), None),
        (on("redis", "7.4.1", TRUNCATES), None),
        (on("dragonfly", "1.0", TRUNCATES), None),
        (with_config(aof_load_truncated="yes", appendonly="no"), None),
        (Facts(0.001), None),
    ],
)
def test_a_server_that_may_execute_half_a_script_twice(facts: Facts, status: Status | None) -> None:
    """It is told, with the setting that prevents it, where the log is written and the server is known for it."""
    found = [check for check in server_checks(facts) if check.subject == "torn log"]
    assert [check.status for check in found] == ([status] if status else [])
    assert all("aof-load-truncated no" in check.meaning for check in found)


def test_what_is_not_visible_is_said() -> None:
    """Where INFO and CONFIG are refused, nothing is claimed: those findings are unknown, and none is missing."""
    blind = Facts(0.001)
    assert {found.subject: found.status for found in server_checks(blind)} == {
        "reachable": Status.OK,
        **dict.fromkeys(("server", "persistence", "eviction", "memory", "replication", "clock"), Status.UNKNOWN),
    }


def test_a_real_store(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """The embedded server keeps nothing over a restart, which is a warning, and all else is well."""
    wait_until_its_start_is_past(store)
    replica = Replica(store)
    replica.counter("jobs").inc(1)
    assert replica.flush()
    status, found = findings(store, capsys)
    replica.close()
    assert status == 0
    assert {name for name, check in found.items() if check["status"] != "ok"} == {"persistence"}
    assert found["server"]["found"].startswith("valkey ")
    assert found["writers"]["found"] == "1 alive, 0 silent, 0 ended"
    assert "1 family, 1 series, about " in found["families"]["found"]


def test_as_people_read_it(store: StoreAddress) -> None:
    """One line per finding and one for its meaning, then a summary."""
    done = process(store, "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ok       state          nothing has been recorded yet\n" in done.stdout
    assert done.stdout.splitlines()[-1] == "9 ok, 1 warn"


def test_it_leaves_nothing_behind(own_server: EmbeddedStore, capsys: pytest.CaptureFixture[str]) -> None:
    """No key and no change of a key remains, whether the namespace is empty or not; of scripts only a replica's own."""
    store = new_address(own_server)
    client = store.client()
    assert findings(store, capsys)[0] == 0
    assert client.keys("*") == []
    with FixedState(store) as state:
        state.writer("w1", "pod", 1)
    before = {key: client.dump(key) for key in client.keys("*")}
    assert findings(store, capsys)[0] == 0
    assert {key: client.dump(key) for key in client.keys("*")} == before
    assert client.info("memory")["number_of_cached_scripts"] == 4
    for name in ("hello", "apply", "fold", "compact"):
        assert client.script_exists(hashlib.sha1(lua_source(name).encode()).hexdigest()) == [True]
    client.close()


def test_settings_that_lose_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """A store that may throw keys away, or refuses writes, fails; its settings are read from the server."""
    options = {"maxmemory-policy": "allkeys-lru", "min-replicas-to-write": "1", "appendonly": "yes"}
    with EmbeddedStore(options=options) as server:
        status, found = findings(new_address(server), capsys)
    assert status == 1
    assert {name for name, check in found.items() if check["status"] == "fail"} == {
        "eviction",
        "replication",
        "as a writer",
    }
    assert "it did not work: the store refused the call: NOREPLICAS" in found["as a writer"]["found"]
    assert found["persistence"]["found"] == "appendonly, appendfsync everysec"
    assert "torn log" not in found


def test_a_writers_user(own_server: EmbeddedStore, capsys: pytest.CaptureFixture[str]) -> None:
    """A user that may do what replicas do, and no more, is told from one that lacks a command."""
    store = new_address(own_server)
    client = store.client()
    pattern = "~" + store.keys.writers.removesuffix("writers") + "*"
    commands = (
        "evalsha script|load hget hgetall hset hdel hincrby hincrbyfloat hexists hkeys hlen hsetnx del time multi "
        "bitfield exists get hmget hscan lindex llen lrange rpush setrange strlen"
    )
    allowed = ["+" + name for name in commands.split()]
    client.execute_command("ACL", "SETUSER", "writer", "on", ">secret", pattern, "-@all", *allowed)
    url = own_server.url.replace("unix://", "unix://writer:secret@")
    status, found = findings(store, capsys, url)
    assert status == 0
    assert found["as a writer"]["status"] == "ok"
    assert "not tried" in found["as a writer"]["found"]
    assert found["as an exporter"]["status"] == "warn"
    for subject in ("persistence", "eviction", "memory", "replication", "state"):
        assert (found[subject]["status"], found[subject]["found"]) == ("unknown", "not allowed to see")
    client.execute_command("ACL", "SETUSER", "writer", "-multi")
    assert findings(store, capsys, url)[1]["as a writer"]["found"] == "not clear: HSETNX, RPUSH"
    client.execute_command("ACL", "SETUSER", "writer", "-hincrby", "+multi", "-hsetnx")
    status, found = findings(store, capsys, url)
    assert status == 1
    assert found["as a writer"]["found"] == "not allowed: HINCRBY, HSETNX"
    assert "secret" not in str(found)
    elsewhere = StoreAddress(store.url, store.namespace + "-other")
    assert "EVALSHA" in findings(elsewhere, capsys, url)[1]["as a writer"]["found"]
    client.close()


def test_what_a_replica_that_packs_numbers_needs(
    own_server: EmbeddedStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands are asked for, and its batches tried, unless FLEETMETER_NUMBERS says that it keeps fields."""
    store = new_address(own_server)
    client = store.client()
    pattern = "~" + store.keys.writers.removesuffix("writers") + "*"
    commands = "evalsha script|load hget hgetall hset hdel hincrby hincrbyfloat hexists hkeys hlen hsetnx del time"
    allowed = ["+" + name for name in (*commands.split(), "multi", "exec", "hmget", "zcount")]
    client.execute_command("ACL", "SETUSER", "packer", "on", ">secret", pattern, "-@all", *allowed)
    url = own_server.url.replace("unix://", "unix://packer:secret@")
    monkeypatch.setenv("FLEETMETER_NUMBERS", "fields")
    assert "and was tried" in findings(store, capsys, url)[1]["as a writer"]["found"]
    monkeypatch.delenv("FLEETMETER_NUMBERS")
    status, found = findings(store, capsys, url)
    missing = "BITFIELD, EXISTS, GET, HSCAN, LINDEX, LLEN, LRANGE, RPUSH, SETRANGE, STRLEN"
    assert (status, found["as a writer"]["found"]) == (1, f"not allowed: {missing}")
    client.execute_command("ACL", "SETUSER", "packer", *(f"+{name.lower()}" for name in missing.split(", ")))
    before = set(client.keys("*"))
    writer = findings(store, capsys, url)[1]["as a writer"]
    assert (writer["status"], writer["found"]) == ("ok", "everything is allowed, and was tried")
    assert set(client.keys("*")) == before
    client.close()


def test_an_exporters_user_from_before_packed_numbers(
    own_server: EmbeddedStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told, before there are any, that it could not read them; then that it cannot."""
    store = new_address(own_server)
    with store.client() as client:
        pattern = "~" + store.keys.writers.removesuffix("writers") + "*"
        allowed = ["+" + name for name in ("multi", "exec", "hgetall", "hmget", "zcount", "exists", "time")]
        client.execute_command("ACL", "SETUSER", "shower", "on", ">secret", pattern, "-@all", *allowed)
        url = own_server.url.replace("unix://", "unix://shower:secret@")
        found = findings(store, capsys, url)[1]["as an exporter"]
        assert (found["status"], found["found"]) == ("warn", "not allowed: GET, LRANGE")
        assert "renew the user from users.acl" in found["meaning"]
        client.execute_command("ACL", "SETUSER", "shower", "+get", "+lrange")
        assert findings(store, capsys, url)[1]["as an exporter"]["status"] == "ok"


def test_writers_of_both_formats(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """While a fleet goes from one to the other, it is said how many writers keep fields; else nothing is."""
    replicas = Replica(store, packs=False), Replica(store), Replica(store)
    for replica in replicas:
        replica.counter("jobs").inc(1)
        assert replica.flush()
        if replica is replicas[0]:
            assert "numbers" not in findings(store, capsys)[1]
    found = findings(store, capsys)[1]["numbers"]
    assert (found["status"], found["found"]) == ("ok", "1 of 3 living writers keep them as fields")
    assert replicas[0].flusher.flush(5.0, goodbye=True)
    assert "numbers" not in findings(store, capsys)[1]
    for replica in replicas:
        replica.close()


@pytest.fixture(params=["valkey-server", "redis-server"])
def renaming(request: pytest.FixtureRequest) -> Callable[[str], Node]:
    """Makes a server of either kind that does not know a command."""
    binary = valkey() if request.param == "valkey-server" else program(request.param)
    return lambda name: Node(config=f'rename-command {name} ""\n', binary=binary)


@pytest.mark.parametrize(
    ("name", "subject", "command"),
    [
        ("EVALSHA", "as a writer", "EVALSHA"),
        ("SCRIPT", "as a writer", "SCRIPT LOAD"),
        ("HINCRBYFLOAT", "as a writer", "HINCRBYFLOAT"),
        ("HSETNX", "as a writer", "HSETNX"),
        ("DEL", "as a writer", "DEL"),
        ("HMGET", "as an exporter", "HMGET"),
        ("ZCOUNT", "as an exporter", "ZCOUNT"),
        ("EXEC", "as an exporter", "EXEC"),
    ],
)
def test_a_command_that_was_renamed_away(
    renaming: Callable[[str], Node], name: str, subject: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named as what the server does not know, and fails, whoever asks; nothing is left behind."""
    with renaming(name) as node:
        store = StoreAddress(node.url, "n")
        status, found = findings(store, capsys)
        client = store.client()
        assert client.execute_command("DBSIZE") == 0
        client.close()
    assert status == 1
    assert found[subject]["status"] == "fail"
    assert command in found[subject]["found"]


def test_a_store_that_is_full(capsys: pytest.CaptureFixture[str]) -> None:
    """Every permission is there, and yet a replica could not record: the attempt finds it, and leaves nothing."""
    with EmbeddedStore(options={"maxmemory": "1", "maxmemory-policy": "noeviction"}) as server:
        store = new_address(server)
        status, found = findings(store, capsys)
        client = store.client()
        assert client.execute_command("DBSIZE") == 0
        client.close()
    assert status == 1
    assert found["as a writer"]["status"] == "fail"
    assert "tried, and it did not work: " in found["as a writer"]["found"]
    assert "memory" in found["as a writer"]["found"]


def test_a_node_of_a_cluster_that_has_other_slots(capsys: pytest.CaptureFixture[str]) -> None:
    """By a URL for a single server, doctor says that another node has the namespace, and which URL finds it."""
    with ClusterStore() as cluster:
        store = StoreAddress(cluster.url, "n")
        owner = cluster.owner(store.keys.writers)
        assert findings(store, capsys)[1]["as a writer"]["status"] == "ok"
        other = next(node for node in cluster.nodes[:3] if node is not owner)
        status, found = findings(store, capsys, other.url)
    assert status == 1
    assert f"another node has the keys: 127.0.0.1:{owner.port}" in found["as an exporter"]["found"]
    assert "redis+cluster://" in found["as an exporter"]["meaning"]


def test_an_exporters_user(own_server: EmbeddedStore, capsys: pytest.CaptureFixture[str]) -> None:
    """A user that may only read is well for an exporter, and said not to be one for replicas."""
    store = new_address(own_server)
    client = store.client()
    reads = ["+" + name for name in ("multi", "exec", "hgetall", "hmget", "zcount", "exists", "time", "get", "lrange")]
    pattern = "%R~" + store.keys.writers.removesuffix("writers") + "*"
    client.execute_command("ACL", "SETUSER", "exporter", "on", ">secret", pattern, "-@all", *reads)
    client.close()
    status, found = findings(store, capsys, own_server.url.replace("unix://", "unix://exporter:secret@"))
    assert status == 0
    assert found["as an exporter"]["status"] == "ok"
    assert found["as a writer"]["status"] == "warn"
    assert found["state"]["status"] == "ok"


@pytest.mark.parametrize("kind", ["writer", "exporter"])
def test_the_users_that_are_shipped(own_server: EmbeddedStore, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """Doctor finds each of the users of users.acl fit for what it is there for, and fails neither."""
    store = new_address(own_server)
    lines = (ROOT / "state" / "users.acl").read_text().splitlines()
    rules = next(line.split()[1:] for line in lines if line.startswith(f"user fleetmeter-{kind} "))
    client = store.client()
    client.execute_command("ACL", "SETUSER", *rules, ">secret")
    client.close()
    url = own_server.url.replace("unix://", f"unix://{rules[0]}:secret@")
    status, found = findings(store, capsys, url)
    assert status == 0
    assert found[f"as {'a' if kind == 'writer' else 'an'} {kind}"]["status"] == "ok"
    assert found["persistence"]["found"] == "not allowed to see"


def test_a_wrong_password(own_server: EmbeddedStore, capsys: pytest.CaptureFixture[str]) -> None:
    """A store that refuses the user is reachable, and of no use: status 1, and no password in the message."""
    store = new_address(own_server)
    client = store.client()
    client.execute_command("ACL", "SETUSER", "writer", "on", ">right", "~*", "+@all")
    client.close()
    status, found = findings(store, capsys, own_server.url.replace("unix://", "unix://writer:wrong1@"))
    assert status == 1
    assert "refused the user or the password" in found["reachable"]["found"]
    assert "wrong1" not in str(found)


def test_a_store_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a finding like any other, and fails."""
    status, found = findings(StoreAddress("redis://127.0.0.1:1/0", "default"), capsys)
    assert (status, set(found)) == (1, {"reachable"})


def test_what_the_state_says(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """Silent writers and given-up batches are warnings; a state that cannot be read fails."""
    client = store.client()
    with FixedState(store):
        client.hset(store.keys.writers, "w1", f"5 3 {BIRTH_US} alive")
        status, found = findings(store, capsys)
        assert status == 0
        assert found["writers"]["found"] == "0 alive, 1 silent, 0 ended"
        assert (found["lost batches"]["status"], found["lost batches"]["found"]) == ("warn", "3")
        client.hset(store.keys.families, "bad", "bad")
    status, found = findings(store, capsys)
    client.close()
    assert status == 1
    assert (found["state"]["status"], found["as an exporter"]["status"]) == ("fail", "ok")


def test_older_data_that_was_put_back_without_a_restart(
    own_server: EmbeddedStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """A store that runs may be given an older state: nothing says that an exporter has no reason to hold."""
    store = new_address(own_server)
    wait_until_its_start_is_past(store)
    client = store.client()
    replica = Replica(store)
    orders = replica.counter("orders")
    orders.inc(1)
    assert replica.flush()
    older = {key: client.dump(key) for key in client.keys("*")}
    orders.inc(1)
    assert replica.flush()
    for key, content in older.items():
        client.restore(key, 0, content, replace=True)
    _, found = findings(store, capsys)
    replica.close()
    client.close()
    said = found["held scrapes"]
    assert said["found"] == "the store has run since before counting began"
    assert "no restart took it back" in said["meaning"]
    assert "ask an exporter: fleetmeter_snapshot_held_reason" in said["meaning"]


def test_models_without_a_price(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """Calls without a price are a warning that names the models, most calls first; without any, all is well."""
    replica = Replica(store)
    models = ("gpt-6-sol", "other", "gpt-9")
    calls = {model: replica.counter("openai_unpriced_calls", labels=["model"], values=[model]) for model in models}
    calls["gpt-6-sol"].inc(0)
    assert replica.flush()
    assert findings(store, capsys)[1]["prices"]["status"] == "ok"
    for model, count in (("gpt-6-sol", 1), ("other", 3), ("gpt-9", 3)):
        calls[model].inc(count)
    assert replica.flush()
    status, found = findings(store, capsys)
    replica.close()
    assert (status, found["prices"]["status"]) == (0, "warn")
    assert found["prices"]["found"] == "calls without a price: other (3 calls), gpt-9 (3 calls), gpt-6-sol (1 call)"


def test_models_without_a_price_add_up_over_labels_of_the_users(
    store: StoreAddress, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that two teams call is named once, with the calls of both."""
    replica = Replica(store)
    for team, count in (("search", 2), ("ads", 1)):
        replica.counter("openai_unpriced_calls", labels=["model", "team"], values=["gpt-9", team]).inc(count)
    assert replica.flush()
    _, found = findings(store, capsys)
    replica.close()
    assert found["prices"]["found"] == "calls without a price: gpt-9 (3 calls)"


@pytest.fixture
def redis_pair(binary: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """A Redis server and a replica of it: the URLs of both."""
    server = binary("redis-server")
    directory = Path(tempfile.mkdtemp(prefix="fm-doctor-"))
    children = []
    try:
        port = free_port()
        for name, more in (("master", []), ("replica", ["--replicaof", "127.0.0.1", str(port)])):
            children.append(
                subprocess.Popen(
                    [
                        server, "--port", str(port) if name == "master" else "0", "--bind", "127.0.0.1",
                        "--unixsocket", str(directory / name), "--dir", str(directory), "--save", "",
                        "--dbfilename", f"{name}.rdb", "--logfile", str(directory / f"{name}.log"),
                        "--repl-diskless-sync-delay", "0", *more,
                    ],
                )
            )  # fmt: skip
        urls = (f"unix://{directory / 'master'}", f"unix://{directory / 'replica'}")
        wait_until_it_follows(urls[0])
        yield urls
    finally:
        for child in children:
            child.terminate()
            child.wait()
        shutil.rmtree(directory)


def wait_until_it_follows(url: str) -> None:
    """Until the master counts its replica as online."""
    client: Any = connect(url)

    def follows() -> bool:
        try:
            return bool(client.info("replication").get("slave0", {}).get("state") == "online")
        except redis.ConnectionError:  # it is not up yet
            return False

    assert eventually(follows)
    client.close()


def test_redis_with_a_replica(redis_pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """A master that is followed is well; a replica is no place to write to."""
    master, replica = redis_pair
    store = StoreAddress(master, "default")
    status, found = findings(store, capsys)
    assert status == 0
    assert found["server"]["found"].startswith("redis ")
    assert found["replication"]["status"] == "ok"
    assert found["as a writer"]["found"] == "everything is allowed, and was tried"
    assert found["replication"]["found"].startswith("1 store replica, ")
    client = connect(master)
    client.config_set("appendonly", "yes")
    _, found = findings(store, capsys)
    client.config_set("appendonly", "no")  # a server that is still writing its first log refuses to end
    client.close()
    assert ("torn log" in found) == found["server"]["found"].startswith("redis 7.0")
    status, found = findings(store, capsys, replica)
    assert status == 1
    assert found["replication"]["found"] == "this is a store replica"
    assert found["as a writer"]["status"] == "fail"
    assert "read only replica" in found["as a writer"]["found"]
