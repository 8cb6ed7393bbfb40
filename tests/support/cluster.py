"""A cluster of three masters and three replicas, for tests that fail over and move slots. Built by redis-py alone."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from redis.crc import key_slot

from support.node import Node, until
from support.upstream import free_port

_SLOTS = 16384


class ClusterStore:
    """Three masters, a replica of each, of one binary (else the embedded Valkey). A context manager.

    `options` are the servers' own. `password` is everybody's. A master counts as down after a second.
    """

    def __init__(self, binary: str | None = None, options: Mapping[str, str] | None = None, password: str = "") -> None:
        self._binary = binary
        self._password = password
        secret = {"requirepass": password, "masterauth": password} if password else {}
        self._options = {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1", **secret, **(options or {})}
        self.nodes: list[Node] = []
        self._buses: dict[Node, int] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def url(self) -> str:
        """The address of all six nodes, password included."""
        user = f":{self._password}@" if self._password else ""
        return f"redis+cluster://{user}" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def owner(self, key: str) -> Node:
        """The node that has a key's slot, as the first living node of the others sees it."""
        return self._server_of(key, 2)

    def replica(self, key: str) -> Node:
        """The replica of that node."""
        return self._server_of(key, 3)

    def kill_owner(self, key: str) -> Node:
        """Kill the master of a key's slot at once, whatever its replica has; the killed one."""
        owner = self.owner(key)
        owner.kill()
        return owner

    def wait_for_failover(self, key: str, former: Node) -> Node:
        """Wait until every living node names another owner of a key's slot and the cluster is whole; the new owner."""
        living = [node for node in self.nodes if node.answers and node is not former]
        until("a failover", lambda: all(former.port != _owner_port(node, key) for node in living))
        until("a cluster that is whole", lambda: all(_state(node) == "ok" for node in living))
        return self.owner(key)

    def restart(self, node: Node) -> None:
        """Start a killed node again, and wait until it follows as a replica, and everybody knows that."""
        node.start().ready()
        self.rejoin(node)

    def rejoin(self, node: Node) -> None:
        """Wait until a former master follows as a replica, and everybody knows that."""
        until("a replica that follows", lambda: _linked(node))
        living = [other for other in self.nodes if other.answers]
        until("replicas that all know", lambda: all(_pairs(other) == 3 for other in living))

    def switch(self, key: str) -> Node:
        """Let the replica take over while the master lives, losing nothing: the new owner."""
        former = self.owner(key)
        self.replica(key).run("CLUSTER", "FAILOVER")
        owner = self.wait_for_failover(key, former)
        until("the old owner as a replica", lambda: _linked(former))
        return owner

    def catch_up(self, key: str) -> None:
        """Wait until the replica of a key's slot has everything that the master has."""
        owner, replica = self.owner(key), self.replica(key)
        until("replication", lambda: _offset(owner, "master_repl_offset") == _offset(replica, "slave_repl_offset"))

    @property
    def moves_at_once(self) -> bool:
        """Whether these servers move a slot as a whole, as Valkey does from version 9 on."""
        return any("MIGRATESLOTS" in line for line in self.nodes[0].run("CLUSTER", "HELP"))

    def move_at_once(self, key: str) -> Node:
        """Let a key's slot move to another master as a whole, with all its keys, while clients go on: the new owner."""
        slot, source = key_slot(key.encode()), self.owner(key)
        target = next(node for node in self.nodes if _is_master(node) and node is not source)
        source.run("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", _id(target))
        until("a slot that moved", lambda: all(_owner_port(node, key) == target.port for node in self.nodes))
        return target

    def begin_move(self, key: str) -> tuple[Node, Node]:
        """Declare a key's slot as being moved to another master, with all keys still at the old one: from, to."""
        slot, source = key_slot(key.encode()), self.owner(key)
        target = next(node for node in self.nodes if _is_master(node) and node is not source)
        target.run("CLUSTER", "SETSLOT", slot, "IMPORTING", _id(source))
        source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", _id(target))
        return source, target

    def move_keys(self, key: str, source: Node, target: Node, count: int = 1000) -> int:
        """Move up to so many keys of a key's slot; how many were moved."""
        keys = source.run("CLUSTER", "GETKEYSINSLOT", key_slot(key.encode()), count)
        secret = ["AUTH", self._password] if self._password else []
        if keys:
            source.run("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, *secret, "KEYS", *keys)
        return len(keys)

    def end_move(self, key: str, source: Node, target: Node) -> None:
        """Give the slot to the target, and tell every master, the target first."""
        slot, owner = key_slot(key.encode()), _id(target)
        masters = [node for node in self.nodes if node not in (source, target) and _is_master(node)]
        for node in (target, source, *masters):
            node.run("CLUSTER", "SETSLOT", slot, "NODE", owner)
        until("a slot that moved", lambda: all(_owner_port(node, key) == target.port for node in self.nodes))

    def move(self, key: str) -> Node:
        """Move a key's slot with all its keys to another master: the new owner."""
        source, target = self.begin_move(key)
        while self.move_keys(key, source, target):
            pass
        self.end_move(key, source, target)
        return target

    def _start(self) -> None:
        options = {
            "cluster-enabled": "yes", "cluster-node-timeout": "1000", "cluster-replica-validity-factor": "0",
            **self._options,
        }  # fmt: skip
        login = {"password": self._password} if self._password else {}
        for _ in range(6):
            bus = free_port()
            node = Node(options | {"cluster-port": str(bus)}, binary=self._binary, client=login)
            self._buses[node] = bus
            self.nodes.append(node.start())
        for node in self.nodes:
            node.ready()
        masters, replicas = self.nodes[:3], self.nodes[3:]
        share = _SLOTS // 3 + 1
        for number, node in enumerate(masters):
            first, last = number * share, min((number + 1) * share, _SLOTS) - 1
            node.run("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.run("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        meet = masters[0]
        for node in self.nodes[1:]:
            meet.run("CLUSTER", "MEET", "127.0.0.1", node.port, self._buses[node])
        until("nodes that know each other", lambda: all(len(_nodes(node)) == 6 for node in self.nodes))
        for master, replica in zip(masters, replicas, strict=True):
            name = _id(master)
            until("a replica", lambda at=replica, of=name: at.run("CLUSTER", "REPLICATE", of))
        until("a cluster that is whole", lambda: all(_state(node) == "ok" for node in self.nodes))
        until("replicas that follow", lambda: all(_linked(node) for node in replicas))
        until("replicas that all know", lambda: all(_pairs(node) == 3 for node in self.nodes))

    def _server_of(self, key: str, at: int) -> Node:
        slot = key_slot(key.encode())
        for node in self.nodes:
            if not node.answers:
                continue
            for first, last, *servers in node.run("CLUSTER", "SLOTS"):
                if first <= slot <= last and len(servers) > at - 2:
                    port = servers[at - 2][1]
                    return next(other for other in self.nodes if other.port == port)
        raise RuntimeError(f"nobody has slot {slot}")

    def _stop(self) -> None:
        for node in self.nodes:
            node.stop()


def _nodes(node: Node) -> list[str]:
    """The nodes that one knows, without those that it is just being introduced to."""
    lines = str(node.run("CLUSTER", "NODES")).splitlines()
    return [line for line in lines if "handshake" not in line]


def _id(node: Node) -> str:
    return str(node.run("CLUSTER", "MYID"))


def _is_master(node: Node) -> bool:
    return bool(node.run("ROLE")[0] == "master")


def _linked(node: Node) -> bool:
    with node.client() as client:
        return bool(client.info("replication").get("master_link_status") == "up")


def _offset(node: Node, name: str) -> int:
    with node.client() as client:
        return int(client.info("replication")[name])


def _state(node: Node) -> str:
    return dict(line.split(":") for line in str(node.run("CLUSTER", "INFO")).split())["cluster_state"]


def _pairs(node: Node) -> int:
    """How many stretches of slots have a replica, as a node sees it."""
    return sum(len(servers) == 2 for _, _, *servers in node.run("CLUSTER", "SLOTS"))


def _owner_port(node: Node, key: str) -> int:
    slot = key_slot(key.encode())
    return next((servers[0][1] for first, last, *servers in node.run("CLUSTER", "SLOTS") if first <= slot <= last), 0)
