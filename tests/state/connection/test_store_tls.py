"""TLS: who is trusted is reached, everybody else is refused, and the error says what to do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleetmeter.errors import StoreUnreachable
from fleetmeter.reader.reading import Reader
from support.fleet import Replica, value
from support.node import Node, until
from support.store import StoreAddress
from support.tls import Authority, Certificate, client_parameters, query, server_options
from support.upstream import free_port


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs for the server and its clients."""
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another CA."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def client(authority: Authority) -> Certificate:
    """A certificate that the server accepts."""
    return authority.issue("client")


@pytest.fixture
def node(authority: Authority, client: Certificate, binary: Callable[[str], str]) -> Iterator[Node]:
    """A server that speaks TLS only and asks for certificates. The embedded Valkey has no TLS."""
    port = free_port()
    options = server_options(authority, authority.issue("server"), port)
    login = {"ssl": True, **client_parameters(authority, client)}
    with Node(options, binary=binary("redis-server"), port=port, client=login) as node:
        yield node


def failure(url: str) -> str:
    """What a reader is told."""
    reader = Reader(f"{url}{'&' if '?' in url else '?'}socket_connect_timeout=0.3", "tls")
    with pytest.raises(StoreUnreachable) as caught:
        reader.read()
    reader.close()
    return str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_trusted_client_counts_and_reads(host: str, node: Node, authority: Authority, client: Certificate) -> None:
    """With the CA and a client certificate in the URL, by address and by name."""
    url = f"rediss://{host}:{node.port}/0{query(client_parameters(authority, client))}"
    address = StoreAddress(url, "tls")
    replica = Replica(address)
    replica.counter("tls").inc(2)
    assert replica.flush()
    replica.close()
    assert value(address, "tls_total") == 2


def test_a_server_of_another_ca_is_refused(
    node: Node, authority: Authority, stranger: Authority, client: Certificate
) -> None:
    """The client does not go on, and names the parameter."""
    parameters = client_parameters(authority, client) | {"ssl_ca_certs": str(stranger.ca)}
    assert "ssl_ca_certs must name" in failure(f"rediss://127.0.0.1:{node.port}/0{query(parameters)}")
    assert "ssl_ca_certs must name" in failure(f"rediss://127.0.0.1:{node.port}/0"), "the system's CAs neither"


def test_a_client_without_a_certificate_is_refused(node: Node, authority: Authority) -> None:
    """The server asks for one."""
    assert "ssl_certfile and ssl_keyfile must name" in failure(
        f"rediss://127.0.0.1:{node.port}/0{query(client_parameters(authority))}"
    )


def test_a_client_of_another_ca_is_refused(node: Node, authority: Authority, stranger: Authority) -> None:
    """A certificate alone is not enough."""
    parameters = client_parameters(authority, stranger.issue("intruder"))
    assert "ssl_certfile and ssl_keyfile must name" in failure(f"rediss://127.0.0.1:{node.port}/0{query(parameters)}")


def test_a_plain_client_of_a_tls_port_is_told_so(node: Node) -> None:
    """The server only hangs up: the error says what may be the reason."""
    assert "rediss://" in failure(f"redis://127.0.0.1:{node.port}/0")


def test_a_tls_client_of_a_plain_port_is_told_so(authority: Authority, binary: Callable[[str], str]) -> None:
    """No TLS is spoken there."""
    with Node(binary=binary("redis-server")) as plain:
        text = failure(f"rediss://127.0.0.1:{plain.port}/0{query(client_parameters(authority))}")
    assert "perhaps that port speaks no TLS" in text


def test_a_client_certificate_that_is_no_file(node: Node, authority: Authority, tmp_path: Path) -> None:
    """The file's trouble is an error of the store like any other, not one that ends the flush thread."""
    parameters = client_parameters(authority) | {"ssl_certfile": str(tmp_path / "none.pem")}
    assert "cannot be reached" in failure(f"rediss://127.0.0.1:{node.port}/0{query(parameters)}")


def test_sentinels_and_their_master_over_tls(
    node: Node, authority: Authority, client: Certificate, binary: Callable[[str], str]
) -> None:
    """One set of certificates serves for both."""
    port = free_port()
    options = server_options(authority, authority.issue("sentinel"), port) | {"tls-replication": "yes"}
    parameters = client_parameters(authority, client)
    monitor = f"sentinel monitor fleet 127.0.0.1 {node.port} 1\n"
    login = {"ssl": True, **parameters}
    with Node(options, config=monitor, binary=binary("redis-server"), port=port, client=login, sentinel=True):
        address = StoreAddress(f"rediss+sentinel://localhost:{port}/fleet{query(parameters)}", "tls")
        assert _counted(address) == 1


def test_a_cluster_over_tls(authority: Authority, client: Certificate, binary: Callable[[str], str]) -> None:
    """Looking up who has the slot, and going there."""
    port, parameters = free_port(), client_parameters(authority, client)
    options = server_options(authority, authority.issue("server"), port)
    options |= {"cluster-enabled": "yes", "tls-cluster": "yes", "cluster-port": str(free_port())}
    with Node(options, binary=binary("redis-server"), port=port, client={"ssl": True, **parameters}) as alone:
        alone.run("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        address = StoreAddress(f"rediss+cluster://localhost:{port}{query(parameters)}", "tls")
        until("a cluster that is whole", lambda: "cluster_state:ok" in str(alone.run("CLUSTER", "INFO")))
        assert _counted(address) == 1


def _counted(address: StoreAddress) -> float | None:
    replica = Replica(address)
    replica.counter("tls").inc(1)
    done = replica.flush(30)  # several handshakes, on a machine that may be busy
    replica.close()
    return value(address, "tls_total") if done else None
