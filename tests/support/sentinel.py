"""A master, its replica and three sentinels, for tests that fail over."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from support.node import Node, until

SERVICE = "fleet"


class SentinelStore:
    """Two servers and three sentinels of a service named `fleet`, of one binary (else the embedded Valkey).

    `options` are the servers' own. `client` are redis-py's parameters for arranging things where the servers ask for
    a password. A master counts as down after half a second. Use it as a context manager; ready in about a second.
    """

    def __init__(self, binary: str | None = None, options: Mapping[str, str] | None = None, password: str = "") -> None:
        self._binary = binary
        self._password = password
        secret = {"requirepass": password, "masterauth": password} if password else {}
        self._options = {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1", **secret, **(options or {})}
        self.servers: list[Node] = []
        self.sentinels: list[Node] = []

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
        """The service's address, password included."""
        user = f":{self._password}@" if self._password else ""
        places = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{user}{places}/{SERVICE}"

    @property
    def master(self) -> Node:
        """The server that the first living sentinel calls the master."""
        sentinel = next(sentinel for sentinel in self.sentinels if sentinel.process is not None)
        _, port = sentinel.run("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(server for server in self.servers if server.port == int(port))

    @property
    def replica(self) -> Node:
        """The other server."""
        master = self.master
        return next(server for server in self.servers if server is not master)

    def kill_master(self) -> Node:
        """Kill the master at once, whatever its replica has; the killed one."""
        master = self.master
        master.kill()
        return master

    def wait_for_failover(self, former: Node) -> Node:
        """Wait until every sentinel names another master and that one takes writes; the new one."""

        def happened() -> bool:
            named = [sentinel.run("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1] for sentinel in self.sentinels]
            return len({*named, str(former.port)}) == 2 and str(former.port) not in named

        until("a failover", happened)
        master = self.master
        until("a master that says so", lambda: _role(master) == "master")
        return master

    def restart_as_replica(self, node: Node) -> None:
        """Start a killed server again as the master's replica, and wait until there is one that follows.

        Told so at its start, which is what the sentinels would do with it some 10 seconds later. A busy machine may let
        them change the two once more.
        """
        master = self.master
        node.start("--replicaof", "127.0.0.1", str(master.port)).ready()
        until("a replica that follows", lambda: _linked(self.replica), within=40.0)

    def switch(self) -> Node:
        """Let the sentinels change master and replica while both live, until the old one follows: the new master.

        What the old one takes between the two steps is lost, as it is with Sentinel itself.
        """
        former = self.master
        until("sentinels that agree to it", lambda: self.sentinels[0].run("SENTINEL", "FAILOVER", SERVICE))
        master = self.wait_for_failover(former)
        former.run("REPLICAOF", "127.0.0.1", master.port)
        until("the old master as a replica that follows", lambda: _linked(former))
        return master

    def stall_replication(self) -> Node:
        """Let the replica lag from now on, until `resume_replication`: it is stopped, as a frozen host is."""
        replica = self.replica
        assert replica.process is not None
        replica.freeze()
        return replica

    def resume_replication(self, replica: Node) -> None:
        """Let it go on, and wait until it has caught up."""
        replica.thaw()
        self.catch_up()

    def catch_up(self) -> None:
        """Wait until the replica has everything that the master has."""
        master, replica = self.master, self.replica
        until("replication", lambda: _offset(master, "master_repl_offset") == _offset(replica, "slave_repl_offset"))

    def _start(self) -> None:
        self.servers = [Node(self._options, binary=self._binary, client=self._login) for _ in range(2)]
        for server in self.servers:
            server.start()
        first, second = self.servers
        first.ready()
        second.ready().run("REPLICAOF", "127.0.0.1", first.port)
        auth = f"sentinel auth-pass {SERVICE} {self._password}\n" if self._password else ""
        config = (
            f"sentinel monitor {SERVICE} 127.0.0.1 {first.port} 2\n{auth}"
            f"sentinel down-after-milliseconds {SERVICE} 1000\nsentinel failover-timeout {SERVICE} 3000\n"
        )
        self.sentinels = [Node(config=config, binary=self._binary, sentinel=True) for _ in range(3)]
        for sentinel in self.sentinels:
            sentinel.start()
        until("a replica that follows", lambda: _linked(second))
        for sentinel in self.sentinels:
            until("sentinels that know each other", lambda at=sentinel: _knows(at))

    @property
    def _login(self) -> dict[str, Any]:
        return {"password": self._password} if self._password else {}

    def _stop(self) -> None:
        for node in [*self.sentinels, *self.servers]:
            node.stop()


def _role(node: Node) -> str:
    return str(node.run("ROLE")[0])


def _linked(node: Node) -> bool:
    with node.client() as client:
        return bool(client.info("replication").get("master_link_status") == "up")


def _offset(node: Node, name: str) -> int:
    with node.client() as client:
        return int(client.info("replication")[name])


def _knows(sentinel: Node) -> bool:
    reply = sentinel.run("SENTINEL", "MASTER", SERVICE)
    state = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
    return (int(state["num-other-sentinels"]), int(state["num-slaves"])) == (2, 1)
