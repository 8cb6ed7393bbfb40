"""One server that is killed, again and again, and comes back with what its persistence kept."""

import os
import random
import time
from pathlib import Path

from chaos.fleet import Fleet
from chaos.ledger import summed
from chaos.table import Result
from chaos.views import stored
from support.node import Node, until

LONG_ABSENCE = 6.5
"""Seconds for which the store stays away once, longer than an exporter that starts gives writers to send again."""


SHORT_HOLD = 0.05
"""Seconds for which an exporter holds a snapshot that does not wait until writers have sent again."""


def kills_with_log(
    count: int, writers: int = 3, seed: int = 1, server: str | None = None, numbers: str = "packed"
) -> Result:
    """Kill -9 under load, `appendfsync everysec`: the log ends somewhere in the last second, as after a power cut.

    Of three kills one comes after the log was rewritten, and one while it is.
    """
    dice = random.Random(seed)
    options = {"appendonly": "yes", "appendfsync": "everysec"}
    with Node(options, binary=server) as node, Fleet(node.url, writers, seed, numbers=numbers) as fleet:
        for number in range(count):
            fleet.work(dice)
            if number % 3:
                node.run("BGREWRITEAOF")
            if number % 3 == 1:
                until("a log that is rewritten", lambda: _rewrites(node) == 0)
            safe = _log_of(node).stat().st_size
            time.sleep(dice.uniform(0.1, 0.9))
            node.kill()
            log = _log_of(node)
            size = log.stat().st_size
            end = dice.randint(min(safe, size), size)  # one that was rewritten in between is shorter
            os.truncate(log, end if server is None else _end_of_transaction(log, end))
            time.sleep(dice.uniform(0.0, 0.5))
            node.start().ready()
        fleet.work()
        return fleet.finish("kill -9, AOF everysec", count, met=("behind",))


def kills_with_dumps(
    count: int, writers: int = 3, seed: int = 2, server: str | None = None, numbers: str = "packed"
) -> Result:
    """Kill -9 under load, restart from a dump of some seconds ago; the exporter hardly waits, and is killed too."""
    dice = random.Random(seed)
    with Node(binary=server) as node, Fleet(node.url, writers, seed, hold=SHORT_HOLD, numbers=numbers) as fleet:
        for number in range(count):
            fleet.work(dice)
            if number == 0 or dice.random() < 0.7:  # else it goes back by more than one life of the server
                node.run("SAVE")
            time.sleep(dice.uniform(0.2, 1.0))
            node.kill()
            if number % 5 == 1:
                fleet.restart_exporter()
                time.sleep(LONG_ABSENCE if number == 1 else 0.5)
            node.start().ready()
        fleet.work()
        return fleet.finish("kill -9, RDB", count, met=("behind",))


def kills_with_writers(
    count: int, writers: int = 3, seed: int = 9, server: str | None = None, numbers: str = "packed"
) -> Result:
    """A host dies, with the store and one of the writers on it; the store comes back from a dump, another writer.

    What that writer recorded after the dump is lost for good. The exporter shows no number below what it served.
    """
    with Node(binary=server) as node, Fleet(node.url, writers, seed, hold=SHORT_HOLD, numbers=numbers) as fleet:
        for _ in range(count):
            fleet.work()
            node.run("SAVE")
            fleet.work()  # which the dump has not
            fleet.kill_oldest()
            node.kill()
            node.start().ready()
            fleet.start_another()
        fleet.work()
        return fleet.finish("kill -9, RDB, a writer too", count, met=("behind",), may_lack=True)


def kills_without_persistence(
    count: int, writers: int = 3, seed: int = 3, server: str | None = None, numbers: str = "packed"
) -> Result:
    """Kill -9 under load of a store that keeps nothing: each time a new epoch, and every lost batch is counted.

    What the store had when it was killed is read, while it takes no writes any more, and written off.
    """
    dice = random.Random(seed)
    with Node(binary=server) as node, Fleet(node.url, writers, seed, numbers=numbers) as fleet:
        lost = 0
        for _ in range(count):
            fleet.work()
            time.sleep(dice.uniform(0.0, 1.0))
            node.run("CLIENT", "PAUSE", 60_000, "WRITE")
            time.sleep(0.1)  # the last answers are read
            held, lost = stored(fleet.address)
            fleet.written_off = summed([fleet.written_off, held])
            node.kill()
            time.sleep(dice.uniform(0.0, 0.3))
            node.start().ready()
        return fleet.finish("kill -9, no persistence", count, lost=lost, epochs=count + 1, met=("epoch",))


def _url(node: Node) -> str:
    return f"redis://127.0.0.1:{node.port}/0"


def _end_of_transaction(log: Path, end: int) -> int:
    """Where the last whole transaction before a place of a log ends.

    Redis 7.0, for one, leaves a torn transaction in the log, without its EXEC, and executes it at the next start but
    one together with what follows: a flaw that Valkey had too (valkey-io/valkey#4342), and that no client can mend.
    """
    mark = b"*1\r\n$4\r\nEXEC\r\n"
    at = log.read_bytes().rfind(mark, 0, end)
    return at + len(mark) if at >= 0 else 0


def _log_of(node: Node) -> Path:
    """The newest file of the server's log; before Redis 7 there is one."""
    files = [*node.directory.glob("appendonlydir/*.incr.aof"), *node.directory.glob("appendonly.aof")]
    return max(files, key=lambda path: path.stat().st_mtime_ns)


def _rewrites(node: Node) -> int:
    """How many rewrites of the log go on, or are still to begin."""
    with node.client() as client:
        info = client.info("persistence")
    return int(info["aof_rewrite_in_progress"]) + int(info["aof_rewrite_scheduled"])
