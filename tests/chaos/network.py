"""A network that loses, delays, cuts, and swallows everything for seconds; a server that answers late or refuses."""

import random
import time

from chaos.fleet import Fleet
from chaos.table import Result
from support.node import Node
from support.proxy import Fault, FaultProxy

OUTAGE = (0.5, 3.0)
"""Seconds for which the network takes everything away."""

REPLACED_EVERY = 20.0
"""Seconds between two replacements of a writer."""

_OPTIONS = "socket_timeout=0.5&socket_connect_timeout=0.5"


def troubles(count: int, writers: int = 3, seed: int = 7, server: str | None = None, numbers: str = "packed") -> Result:
    """Each of `TROUBLES` in turn."""
    dice = random.Random(seed)
    with (
        Node(binary=server) as node,
        FaultProxy(node.url) as proxy,
        Fleet(proxy.url(_OPTIONS), writers, seed, numbers=numbers) as fleet,
    ):
        for number in range(count):
            fleet.work()
            time.sleep(dice.uniform(0.0, 0.3))
            TROUBLES[number % len(TROUBLES)](node, proxy, dice)
        fleet.work()
        return fleet.finish("network and server", count, met=("timeout", "unreachable", "refused"))


def _black_hole(_: Node, proxy: FaultProxy, dice: random.Random) -> None:
    """Nothing gets through, either way; nobody is told."""
    proxy.lose(requests=1.0, replies=1.0)
    time.sleep(dice.uniform(*OUTAGE))
    proxy.lose()


def _one_way(_: Node, proxy: FaultProxy, dice: random.Random) -> None:
    """Every request gets through, and no reply."""
    proxy.lose(replies=1.0)
    time.sleep(dice.uniform(*OUTAGE))
    proxy.lose()


def _cut_off(_: Node, proxy: FaultProxy, dice: random.Random) -> None:
    """Connections end, new ones are refused."""
    proxy.refuse()
    time.sleep(dice.uniform(*OUTAGE))
    proxy.accept()


def _one_call(_: Node, proxy: FaultProxy, dice: random.Random) -> None:
    """A single call meets trouble; late is later than its client waits, so that a copy of it is there before."""
    for fault in (Fault.DELAY_REQUEST, Fault.DELAY_REPLY, Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.LOSE_REQUEST):
        proxy.arm(fault, seconds=dice.uniform(0.6, 1.5))
        time.sleep(0.4)


def _freeze(node: Node, _: FaultProxy, dice: random.Random) -> None:
    """The server stops, and then does everything that it was asked meanwhile, though nobody waits for it any more."""
    node.freeze()
    time.sleep(dice.uniform(*OUTAGE))
    node.thaw()


def _fill(node: Node, _: FaultProxy, dice: random.Random) -> None:
    """The server's memory is full; and it forgets its scripts."""
    node.run("CONFIG", "SET", "maxmemory", "1")
    time.sleep(dice.uniform(*OUTAGE))
    node.run("SCRIPT", "FLUSH")
    node.run("CONFIG", "SET", "maxmemory", "0")


TROUBLES = (_black_hole, _one_way, _cut_off, _one_call, _freeze, _fill)


def lossy(
    seconds: float,
    share: float = 0.05,
    writers: int = 3,
    seed: int = 8,
    server: str | None = None,
    numbers: str = "packed",
) -> Result:
    """So many seconds in which a share of all replies, and a fifth as many requests, get lost.

    All the while writers are replaced, one after the other, as in a deploy.
    """
    with (
        Node(binary=server) as node,
        FaultProxy(node.url) as proxy,
        Fleet(proxy.url(_OPTIONS), writers, seed, numbers=numbers) as fleet,
    ):
        proxy.lose(requests=share / 5, replies=share)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(REPLACED_EVERY, seconds / 4))
            fleet.replace_oldest()
        proxy.lose()
        return fleet.finish(f"{share:.0%} lost replies, {seconds:.0f} s", len(proxy.fired), met=("timeout",))
