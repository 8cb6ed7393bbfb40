"""Masters that are killed, frozen, partitioned or moved away from under load, by Sentinel and by Redis Cluster."""

import random
import time

from chaos.fleet import Fleet
from chaos.table import Result
from support.cluster import ClusterStore
from support.node import Node, until
from support.sentinel import SentinelStore

LAG = (0.2, 0.8)
"""Seconds for which a replica receives nothing before its master is killed."""

SPLIT = (0.5, 1.5)
"""Seconds for which two masters take writes."""


def sentinel_failovers(
    count: int, writers: int = 3, seed: int = 4, server: str | None = None, numbers: str = "packed"
) -> Result:
    """Failovers of an asynchronously replicated pair, each way in turn."""
    dice = random.Random(seed)
    with SentinelStore(server) as store, Fleet(store.url, writers, seed, numbers=numbers) as fleet:
        ways = (_kill_lagging, _split_brain, _freeze, _kill)
        for number in range(count):
            fleet.work(dice)
            time.sleep(dice.uniform(0.0, 0.5))
            ways[number % len(ways)](store, dice)
        fleet.work()
        return fleet.finish("Sentinel failover", count, met=("behind",))


def _kill(store: SentinelStore, _: random.Random) -> None:
    """The master dies; its replica has nearly everything."""
    former = store.kill_master()
    store.wait_for_failover(former)
    store.restart_as_replica(former)


def _kill_lagging(store: SentinelStore, dice: random.Random) -> None:
    """The master dies; its replica has nothing of the last moments."""
    former = store.master
    _kill_with_lag(former, store.replica, dice)
    store.wait_for_failover(former)
    store.restart_as_replica(former)


def _kill_with_lag(master: Node, replica: Node, dice: random.Random) -> None:
    """Kill a master a moment after the last that its replica got of it.

    The link is cut too: what is in its buffers would reach a replica that was only stopped.
    """
    replica.freeze()
    try:
        master.run("CLIENT", "KILL", "TYPE", "replica")
        time.sleep(dice.uniform(*LAG))
        master.kill()
    finally:
        replica.thaw()


def _freeze(store: SentinelStore, _: random.Random) -> None:
    """The master stops answering, is replaced, and goes on believing that it is one, until it is told."""
    former = store.master
    former.freeze()
    try:
        store.wait_for_failover(former)
    finally:
        former.thaw()
    _demote(store, former)


def _split_brain(store: SentinelStore, dice: random.Random) -> None:
    """Another master is made while this one lives; clients go on with the one, others with the other, for a while."""
    former = store.master
    until("sentinels that agree to it", lambda: store.sentinels[0].run("SENTINEL", "FAILOVER", "fleet"))
    store.wait_for_failover(former)
    time.sleep(dice.uniform(*SPLIT) / 2)
    _cut_some(former, dice)
    time.sleep(dice.uniform(*SPLIT) / 2)
    _demote(store, former)


def _demote(store: SentinelStore, former: Node) -> None:
    former.run("REPLICAOF", "127.0.0.1", store.master.port)
    store.catch_up()


def _cut_some(node: Node, dice: random.Random) -> None:
    """Cut half of a server's clients off, so that they look for the master anew."""
    with node.client() as client:
        for found in client.client_list(_type="normal"):
            if dice.random() < 0.5:
                client.execute_command("CLIENT", "KILL", "ID", found["id"], "SKIPME", "yes")


def cluster_failovers(
    count: int, writers: int = 3, seed: int = 5, server: str | None = None, numbers: str = "packed"
) -> Result:
    """Failovers of the node that has the namespace: killed with a replica that lags, killed, frozen, in turn."""
    dice = random.Random(seed)
    with ClusterStore(server) as store, Fleet(store.url, writers, seed, numbers=numbers) as fleet:
        key = fleet.address.keys.writers
        for number in range(count):
            fleet.work(dice)
            time.sleep(dice.uniform(0.0, 0.5))
            owner = store.owner(key)
            if number % 3 == 0:
                _kill_with_lag(owner, store.replica(key), dice)
            elif number % 3 == 1:
                owner.kill()
            else:
                owner.freeze()
            try:
                store.wait_for_failover(key, owner)
            finally:
                _bring_back(store, owner)
        fleet.work()
        return fleet.finish("Cluster failover", count, met=("behind",))


def _bring_back(store: ClusterStore, node: Node) -> None:
    """Let a former master, killed or frozen, follow the new one."""
    if node.process is None:
        store.restart(node)
    else:
        node.thaw()
        store.rejoin(node)


def slot_moves(
    count: int, writers: int = 3, seed: int = 6, server: str | None = None, numbers: str = "packed"
) -> Result:
    """The namespace's slot moves to another master under load: key by key, at once if the server can, by a switch."""
    dice = random.Random(seed)
    with ClusterStore(server) as store, Fleet(store.url, writers, seed, numbers=numbers) as fleet:
        key = fleet.address.keys.writers
        for number in range(count):
            fleet.work()
            if number % 4 == 1 and store.moves_at_once:
                store.move_at_once(key)
                continue
            if number % 4 == 3:
                store.switch(key)
                continue
            source, target = store.begin_move(key)
            while store.move_keys(key, source, target, count=dice.randint(1, 4)):
                time.sleep(dice.uniform(0.0, 0.2))
            store.end_move(key, source, target)
        fleet.work()
        return fleet.finish("Cluster slot moves", count, met=("refused",))
