"""The guards where the store is a Sentinel service or a Cluster, and under the users of `state/users.acl`."""

import asyncio
import re
from importlib.resources import files
from pathlib import Path

import pytest

from fleetmeter.cli.command import main
from fleetmeter_app.guarding.breaker.config import BreakerConfig
from fleetmeter_app.guarding.budgets import conversation as module
from fleetmeter_app.guarding.caller import Caller
from fleetmeter_app.guarding.rates.rate import parse_rates
from fleetmeter_app.guarding.rates.rates import Rates
from support.cluster import ClusterStore
from support.guards import USD, breakers, budgets, checked, opened, scopes, until
from support.node import Node, valkey
from support.sentinel import SentinelStore
from support.store import StoreAddress

ACL = Path(__file__).parents[3] / "state" / "users.acl"
DAY = '[all]\nlimit_usd = 1\nwindow = "day"\n'


async def use(store: StoreAddress, key: str) -> None:
    """Everything that a replica's guards do."""
    async with (
        checked(store) as keys,
        opened(store) as door,
        budgets(store, DAY) as money,
        breakers(store, BreakerConfig(consecutive_failures=1), "a") as one,
        breakers(store, BreakerConfig(), "a") as two,
    ):
        assert (await keys.caller(f"Bearer {key}")).key_id == key.split("-")[2]
        await Rates(door).take(Caller("k", rates=parse_rates("1/day")))
        held = await money.reserve(scopes(), USD)
        await money.settle(held, USD // 2)
        one.report("a", failed=True)
        await until(lambda: two.state("a") == "open")
        await until(lambda: not any(account.untold for account in money._accounts.every()))
        assert not any(way.away for way in (keys.keyring._door, door))
        assert not any(guard._away for guard in (money._conversation, one, two))


def created(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> str:
    """A new API key."""
    capsys.readouterr()
    assert main(["keys", "create", "--url", store.url, "--namespace", store.namespace]) == 0
    return capsys.readouterr().out.strip()


@pytest.mark.long
def test_a_cluster_keeps_all_of_it_on_the_node_of_the_slot(capsys: pytest.CaptureFixture[str]) -> None:
    """Every key carries the namespace's hash tag, so that each script finds its keys on one node."""
    with ClusterStore() as cluster:
        store = StoreAddress(cluster.url, "guards")
        asyncio.run(use(store, created(store, capsys)))


@pytest.mark.long
def test_a_failover_loses_no_money_of_living_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the old master took and its replica never got is told again, once the sentinels named the new one."""
    monkeypatch.setattr(module, "HEARTBEAT", 0.2)

    async def run(sentinel: SentinelStore) -> None:
        store = StoreAddress(sentinel.url, "guards")
        async with budgets(store, DAY, wait=1.0) as money:
            await money.settle(await money.reserve(scopes(), 100), 40)
            await until(lambda: not money._accounts.every()[0].untold)
            sentinel.catch_up()
            lagging = sentinel.stall_replication()
            await money.settle(await money.reserve(scopes(), 100), 2)
            await until(lambda: not money._accounts.every()[0].untold)
            former = sentinel.kill_master()
            lagging.thaw()
            await asyncio.to_thread(sentinel.wait_for_failover, former)

            def told() -> bool:
                with sentinel.master.client() as client:
                    fields = client.hgetall(store.keys.budget("day", "all"))
                return any(name.endswith("@spent") and text == "42" for name, text in fields.items())

            await until(lambda: told() and not money._conversation._away)

    with SentinelStore() as sentinel:
        asyncio.run(run(sentinel))


def test_a_replicas_user_may_do_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that the guards or `fleetmeter keys` send is refused to the writer of users.acl."""
    node = Node(binary=valkey(), client={"username": "admin", "password": "pw"})
    users = node.directory / "users.acl"
    lines = ACL.read_text(encoding="utf-8").replace("resetpass", ">pw") + "user admin on >pw ~* &* +@all\n"
    users.write_text(lines, encoding="utf-8")
    node._options["aclfile"] = str(users)
    with node:
        store = StoreAddress(f"redis://fleetmeter-writer:pw@127.0.0.1:{node.port}/0", "guards")
        key = created(store, capsys)
        asyncio.run(use(store, key))
        for words in (["list"], ["revoke"]):
            target = ["--url", store.url, "--namespace", store.namespace]
            assert main(["keys", *words, *target, *([key.split("-")[2]] if words == ["revoke"] else [])]) == 0
        assert node.run("ACL", "LOG") == []


def test_every_command_of_the_gateways_scripts_is_allowed_to_a_replica() -> None:
    """users.acl names each command that a script of the gateway calls."""
    (writer,) = (line for line in ACL.read_text().splitlines() if line.startswith("user fleetmeter-writer"))
    called = {
        command.lower()
        for script in (files("fleetmeter_app") / "lua").iterdir()
        for command in re.findall(r"redis\.p?call\('([A-Z]+)'", script.read_text(encoding="utf-8"))
    }
    assert len(called) > 8
    assert {f"+{command}" for command in called} <= set(writer.split())
