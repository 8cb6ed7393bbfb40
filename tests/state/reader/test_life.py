"""What a store's INFO tells about its data: that they cannot have gone back since some time, or nothing."""

import signal
import time

import pytest

from fleetmeter.reader.life import Life
from fleetmeter.reader.reading import Reader
from support.node import Node, until

MASTER = b"uptime_in_seconds:30\r\nrole:master\r\nmaster_replid2:" + b"0" * 40 + b"\r\nsecond_repl_offset:-1\r\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"role:master", b"role:slave"),
        (b"0" * 40, b"1" * 40),
        (b":-1", b":17"),
        (b"uptime_in_seconds", b"uptime"),
        (b":30", b":x"),
    ],
)
def test_whoever_was_a_replica_or_does_not_say_tells_nothing(old: bytes, new: bytes) -> None:
    """A failover takes data back without a start of the process that serves them."""
    assert Life.parse(b"# Server\r\n" + MASTER, 100_000_000) == Life(71_000_000)
    assert Life.parse(MASTER.replace(old, new), 100_000_000) is None


def test_a_real_store_tells_when_it_started() -> None:
    """The time is at most two seconds later than the start, and another one after a restart."""
    with Node() as node:
        reader = Reader(node.url, "n")
        seconds, micros = node.run("TIME")
        asked_us = int(seconds) * 10**6 + int(micros)
        first = reader.life()
        assert first is not None
        assert first.started_us <= asked_us + 2_000_000
        node.kill()
        until("two seconds have passed", lambda: time.time() > int(seconds) + 2)
        node.start().ready()
        second = reader.life()
        assert second is not None
        assert second.started_us > first.started_us
        reader.close()


def test_a_replica_that_takes_over_tells_nothing() -> None:
    """It may lag behind what its master had acknowledged, however long it runs."""
    with Node() as master, Node() as replica:
        reader = Reader(replica.url, "n")
        replica.run("REPLICAOF", "127.0.0.1", master.port)
        with replica.client() as client:
            until("it follows", lambda: client.info("replication")["master_link_status"] == "up")
        assert reader.life() is None
        master.kill(signal.SIGKILL)
        replica.run("REPLICAOF", "NO", "ONE")
        assert reader.life() is None
        reader.close()


def test_a_user_who_may_not_ask_is_told_nothing() -> None:
    """INFO is refused: that is no trouble of the scrape."""
    with Node() as node:
        node.run("ACL", "SETUSER", "reads", "on", ">pw", "~*", "+@read", "+multi", "+exec", "+time", "+select")
        reader = Reader(node.url.replace("127", "reads:pw@127", 1), "n")
        assert reader.life() is None
        reader.close()
