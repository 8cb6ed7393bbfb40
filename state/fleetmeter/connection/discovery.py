"""Finding the node that has the data now, by asking the sentinels or the nodes of a cluster."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import redis
from redis.crc import key_slot

from fleetmeter.connection.address import Node


class Finder(Protocol):
    """Says where a new connection goes."""

    must_be_master: bool
    """Whether a node is asked for its role before it is used, because whoever named it may have old information."""

    def find(self) -> Node:
        """The node to connect to. Raises `redis.RedisError` if nobody knows."""

    def distrust(self) -> None:
        """Note that the last answer did not lead to the data: ask somebody else first."""

    def learn(self, node: Node) -> None:
        """Note which node has the data, because a node has just said so (MOVED)."""


class Fixed:
    """Always the same node."""

    must_be_master = False

    def __init__(self, node: Node) -> None:
        self._node = node

    def find(self) -> Node:
        """That node."""
        return self._node

    def distrust(self) -> None:
        """Nothing to do: nobody else can be asked."""

    def learn(self, node: Node) -> None:
        """Nothing to do: the node stays the same."""


class _Inquiry(ABC):
    """Asks one place after the other until one knows. That one is asked first the next time."""

    must_be_master = False

    def __init__(self, places: Sequence[Node], options: Mapping[str, Any]) -> None:
        self._places = list(places)
        self._options = options
        self._told: Node | None = None

    def find(self) -> Node:
        told, self._told = self._told, None
        if told is not None:
            return told
        problems: list[Exception] = []
        for place in list(self._places):
            client = redis.Redis.from_pool(redis.ConnectionPool(host=place[0], port=place[1], **self._options))
            try:
                found = self._ask(client, place)
            except (redis.RedisError, OSError, UnicodeError) as error:
                problems.append(error)
                continue
            finally:
                client.close()
            self._places = [place, *(other for other in self._places if other != place)]
            return found
        asked = ", ".join(f"{host}:{port}" for host, port in self._places)
        refused = [error for error in problems if isinstance(error, redis.AuthenticationError)]
        kind = type(refused[0]) if refused else redis.ConnectionError
        raise kind(f"{self._sought} (asked: {asked}): {(refused or problems)[-1]}")

    def distrust(self) -> None:
        self._places = [*self._places[1:], *self._places[:1]]

    def learn(self, node: Node) -> None:
        self._told = node

    @property
    @abstractmethod
    def _sought(self) -> str:
        """The beginning of the error's text: what nobody could say."""

    @abstractmethod
    def _ask(self, client: Any, place: Node) -> Node:
        """The node that this place names. Raises `redis.RedisError` if it names none."""


class SentinelInquiry(_Inquiry):
    """Finds the master of a service by asking its sentinels."""

    must_be_master = True

    def __init__(self, service: str, sentinels: Sequence[Node], options: Mapping[str, Any]) -> None:
        super().__init__(sentinels, options)
        self._service = service

    @property
    def _sought(self) -> str:
        return f"no sentinel names the master of {self._service!r}"

    def _ask(self, client: Any, place: Node) -> Node:
        reply = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
        if reply is None:
            raise redis.ConnectionError(f"{place[0]}:{place[1]} knows no such service")
        host, port = reply
        return _text(host), int(port)


class ClusterInquiry(_Inquiry):
    """Finds the node of a cluster that has the slot of a key. Learns the other nodes on the way."""

    def __init__(self, key: str, nodes: Sequence[Node], options: Mapping[str, Any]) -> None:
        super().__init__(nodes, options)
        self._given = tuple(nodes)
        self._slot = key_slot(key.encode())

    @property
    def _sought(self) -> str:
        return f"no node of the cluster says which one has slot {self._slot}"

    def _ask(self, client: Any, place: Node) -> Node:
        owner: Node | None = None
        nodes: list[Node] = []
        for first, last, *servers in client.execute_command("CLUSTER", "SLOTS"):
            named = [(_text(host or b"") or place[0], int(port)) for host, port, *_ in servers]
            nodes += named
            if first <= self._slot <= last:
                owner = named[0]
        if owner is None:
            raise redis.ConnectionError(f"{place[0]}:{place[1]} says that no node has it")
        self._places = list(dict.fromkeys([*self._given, *nodes]))
        return owner


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw
