"""The faults: how each begins and ends, and which alert has to tell of it."""

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from drill.guest import MAX_SERIES
from drill.stage import Stage
from drill.traffic import Traffic


@dataclass(frozen=True)
class Fault:
    """What is done and undone, and the alerts that have to fire for it and to resolve."""

    name: str
    alerts: tuple[str, ...]
    begin: Callable[[], Awaitable[None]]
    end: Callable[[], Awaitable[None]]


def mixed_in(traffic: Traffic, name: str, alerts: tuple[str, ...], share: float, text: str, intent: str = "") -> Fault:
    """Questions of this text, each with a number that makes it new, as a share of all.

    Where the shares are more than the whole, those that began first have theirs, and the last what they leave.
    """

    def words(number: int) -> dict[str, str]:
        query = {"query": f"{text} {number}"}
        return {**query, "intent": intent} if intent else query

    async def begin() -> None:
        traffic.mixed[name] = (share, words)

    async def end() -> None:
        del traffic.mixed[name]

    return Fault(name, alerts, begin, end)


def side_by_side(stage: Stage, traffic: Traffic) -> list[Fault]:
    """Faults that do not hide one another."""

    async def nothing() -> None:
        """It ends by itself, when its window has passed."""

    async def unpriced() -> None:
        await stage.guest("unpriced")

    async def overflow() -> None:
        await stage.guest("overflow", FLEETMETER_MAX_SERIES=str(MAX_SERIES))

    async def ending() -> None:
        await stage.guest("ending")

    async def postponed() -> None:
        await stage.guest("postponed")

    async def loss() -> None:
        await stage.guest("loss")

    async def conflict() -> None:
        await stage.guest("gauge")
        await stage.guest("counter")

    return [
        Fault("use an unpriced model", ("UnpricedCalls",), unpriced, nothing),
        Fault("overflow a family", ("SeriesDropped",), overflow, nothing),
        Fault("use a model that ends", ("ModelShutdownSoon",), ending, postponed),
        Fault("lose counts for good", ("CountsLost",), loss, nothing),
        Fault("define a family twice", ("DefinitionConflict",), conflict, nothing),
        mixed_in(
            traffic, "raise costs", ("CostPerHourHigh", "CostBudgetBurn"), 0.1,
            "[[usage:prompt=40000,completion=1000]] dear", "portfolio_advice",
        ),
        mixed_in(
            traffic, "force fallbacks", ("FallbackRateHigh", "OpenAIErrors"), 0.15,
            "[[fault:503,retry_after=0.01@gpt-6-luna]] price",
        ),
        mixed_in(
            traffic, "hit rate limits", ("OpenAIRateLimited",), 0.15,
            "[[fault:429,retry_after=0.01@gpt-6-luna]] price",
        ),
        mixed_in(traffic, "refuse the key", ("HighErrorRate",), 0.15, "[[fault:401]] price"),
        mixed_in(traffic, "answer slowly", ("HighLatencyP99",), 0.05, "[[fault:latency=11]] price"),
        mixed_in(traffic, "ask nothing twice", ("CacheHitRateCollapse",), 0.95, "price of new"),
    ]  # fmt: skip


def one_by_one(stage: Stage, traffic: Traffic) -> list[Fault]:
    """Faults that take the view of everything else, and the one that has to be seen alone."""

    async def kill_replica() -> None:
        stage.end("gateway-2", signal.SIGKILL)

    async def start_replica() -> None:
        stage.start("gateway-2")

    async def stop_exporter() -> None:
        stage.end("exporter")

    async def start_exporter() -> None:
        stage.start("exporter")

    async def stop_store() -> None:
        stage.end_store()

    async def start_store() -> None:
        stage.start_store()

    async def freeze() -> None:
        traffic.paused = True
        for name in stage.fleet.gateways:
            stage.signal(name, signal.SIGSTOP)

    async def thaw() -> None:
        for name in stage.fleet.gateways:
            stage.signal(name, signal.SIGCONT)
        traffic.paused = False

    return [
        Fault("kill a replica", ("ReplicaCountDropped",), kill_replica, start_replica),
        Fault("stop the exporter", ("ExporterDown",), stop_exporter, start_exporter),
        Fault("stop the store", ("StoreDown",), stop_store, start_store),
        Fault("freeze all replicas", ("StateStale",), freeze, thaw),
    ]
