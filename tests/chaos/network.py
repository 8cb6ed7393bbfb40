"""A network between a fleet and its store that loses, delays, cuts, and swallows everything for seconds."""

import random
import time

from chaos.fleet import Fleet
from chaos.table import Result
from support.node import Node
from support.proxy import Fault, FaultProxy

OUTAGE = (0.5, 3.0)
"""Seconds for which the network takes everything away."""

_OPTIONS = "socket_timeout=0.5&socket_connect_timeout=0.5"


def partitions(count: int, writers: int = 3, seed: int = 7) -> Result:
    """Everything lost, only replies lost, connections refused, late requests, late replies, cuts: each in turn."""
    dice = random.Random(seed)
    with Node() as node, FaultProxy(node.url) as proxy, Fleet(proxy.url(_OPTIONS), writers, seed) as fleet:
        for number in range(count):
            fleet.work()
            time.sleep(dice.uniform(0.0, 0.3))
            _fault(number % 6, proxy, dice)
        fleet.work()
        return fleet.finish("network partition", count)


def _fault(way: int, proxy: FaultProxy, dice: random.Random) -> None:
    if way in (0, 1):
        proxy.lose(requests=1.0 - way, replies=1.0)
        time.sleep(dice.uniform(*OUTAGE))
        proxy.lose()
    elif way == 2:
        proxy.refuse()
        time.sleep(dice.uniform(*OUTAGE))
        proxy.accept()
    else:
        fault = (Fault.DELAY_REQUEST, Fault.DELAY_REPLY, dice.choice((Fault.CUT_BEFORE, Fault.CUT_AFTER)))[way - 3]
        proxy.arm(fault, seconds=dice.uniform(0.6, 2.0))  # longer than a client waits
        time.sleep(1)


def lossy(seconds: float, share: float = 0.05, writers: int = 3, seed: int = 8) -> Result:
    """So many seconds in which a share of all replies, and a fifth as many requests, get lost."""
    with Node() as node, FaultProxy(node.url) as proxy, Fleet(proxy.url(_OPTIONS), writers, seed) as fleet:
        proxy.lose(requests=share / 5, replies=share)
        time.sleep(seconds)
        proxy.lose()
        return fleet.finish(f"{share:.0%} lost replies, {seconds:.0f} s", len(proxy.fired))
