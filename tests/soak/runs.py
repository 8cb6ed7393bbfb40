"""Two runs: so many minutes with trouble on the way, and so many requests without any."""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import free_port
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.writer.replay import KEEP_BYTES
from soak.fleet import FLUSHED, Fleet, running
from soak.load import Load, Tally, session
from soak.memory import Memory
from support.agreement import differences
from support.exposition import total
from support.gateway import Program, Programs, eventually
from support.store import new_address

CLIENTS = 12
CANNED_TOKENS = 40
"""Of each answer of the canned upstream."""


@dataclass
class Report:
    """What a run has shown.

    Up to `at_risk` calls may be missing, which a killed replica could not hand over. Up to `unreached` may be shown
    that the upstream never saw: attempts whose connection failed, on a machine that has too much to do. `kept` are the
    megabytes that all replicas hold for sending again; memory grows until that log has its full size.
    """

    rate: float
    tally: Tally
    shown: dict[str, int]
    true: dict[str, int]
    memory: dict[str, str]
    at_risk: int = 0
    unreached: int = 0
    slopes: list[float] = field(default_factory=list)
    kept: float = 0.0

    def problems(self) -> list[str]:
        """What does not agree; empty if all does."""
        if self.at_risk or self.unreached:
            missing = self.true["calls and retries"] - self.shown["calls and retries"]
            right = -self.unreached <= missing <= 2 * self.at_risk
            wrong = [] if right else [f"{missing} calls are missing"]
            more = [name for name in ("tokens", "nano-dollars") if self.shown[name] > self.true[name]]
            return wrong + [f"{name}: more is shown than was billed" for name in more]
        return differences(self.shown, self.true)

    def print(self) -> None:
        """In lines."""
        print(f"  {self.rate:.0f} requests/s; statuses {dict(self.tally.statuses)}, "
              f"{self.tally.lost} lost with their connection, {self.tally.skipped} not sent")  # fmt: skip
        for name, memory in self.memory.items():
            print(f"  memory of {name}: {memory}")
        print(f"  of it for sending again: {self.kept:.1f} MB in all replicas, at most {KEEP_BYTES / 1e6:.1f} in each")
        for name, true in self.true.items():
            print(f"  {name}: shown {self.shown[name]}, true {true}, difference {self.shown[name] - true}")
        if self.at_risk:
            print(f"  {self.at_risk} requests were under way or not handed over when a replica was killed")
        if self.unreached:
            print(
                f"  up to {self.unreached} attempts may not have reached the upstream, so the comparison is not exact"
            )
        print(f"  {'; '.join(self.problems()) or 'agrees'}", flush=True)


def minutes(seconds: float, *, share: float = 0.8, rate: float = 0.0, kill: bool = True) -> Report:
    """80 % of what the fleet can do for so long; the store restarts after a third, a replica is killed after two.

    With a rate, that many requests a second, and the capacity is not measured.
    """
    with running(3) as fleet:
        return asyncio.run(_minutes(fleet, seconds, share, rate, kill))


async def _minutes(fleet: Fleet, seconds: float, share: float, rate: float, kill: bool) -> Report:
    load = Load(fleet.addresses)
    memories = {f"replica {at + 1}": Memory(replica.pid) for at, replica in enumerate(fleet.replicas)}
    at_risk = 0
    async with session() as client:
        rate = rate or share * await load.closed(client, CLIENTS, seconds=min(20.0, seconds / 4))
        began = time.monotonic()

        async def trouble() -> None:
            nonlocal at_risk
            await asyncio.sleep(seconds / 3)
            await asyncio.to_thread(fleet.restart_store)
            if not kill:
                return
            await asyncio.sleep(seconds / 3)
            at_risk = load.at_risk(load.servers[1], 4 * FLUSHED)
            await asyncio.to_thread(fleet.replace, 1)
            memories["replica 2, the second one"] = Memory(fleet.replicas[1].pid)

        async def look() -> None:
            while True:
                for memory in memories.values():
                    memory.look((time.monotonic() - began) / 3600)
                await asyncio.sleep(min(5.0, seconds / 20))

        looking, troubling = asyncio.create_task(look()), asyncio.create_task(trouble())
        await load.steady(client, rate, seconds)
        await troubling
        looking.cancel()
    shown, true = await asyncio.to_thread(fleet.compared)
    unreached = await asyncio.to_thread(fleet.unreached)
    kept = _kept(fleet.replicas[0])
    told = {name: memory.told("per hour") for name, memory in memories.items() if memory.samples}
    slopes = [memory.slope for memory in memories.values()]
    return Report(rate, load.tally, shown, true, told, at_risk, unreached, slopes, kept)


def requests(number: int, *, rate: float = 0.0) -> Report:
    """So many requests to one replica, whose upstream answers from memory: each is counted, and nothing stays.

    They come as fast as they are answered, or at a rate.
    """
    with EmbeddedStore() as store, Programs() as programs:
        port = free_port()
        canned = [sys.executable, "-m", "bench.canned_upstream", str(port)]
        programs.run(canned, {"PYTHONPATH": str(Path(__file__).parents[1])})
        replica = programs.gateway(
            new_address(store), f"http://127.0.0.1:{port}/v1", FLEETMETER_FLUSH_INTERVAL=str(FLUSHED)
        )
        replica.get("/health")
        memory = Memory(replica.pid)

        def counted() -> dict[str, int]:
            samples = replica.samples()
            return {
                "requests": round(total(samples, "http_requests_total", endpoint="/v1/chat/completions")),
                "gets of the cache": round(total(samples, "prompt_cache_operations_total", operation="get")),
                "tokens": round(total(samples, "openai_tokens_used_sum"))
                - CANNED_TOKENS * round(total(samples, "openai_api_calls_total")),
            }

        load = Load([replica.address()], embeddings=False)
        rate = asyncio.run(_requests(load, number, rate, memory))
        true = {"requests": load.tally.sent, "gets of the cache": load.tally.sent, "tokens": 0}
        eventually(lambda: counted() == true)
        shown, kept = counted(), _kept(replica)
    told = {"the replica": memory.told("per 100,000 requests", 1e5)}
    return Report(rate, load.tally, shown, true, told, slopes=[memory.slope], kept=kept)


def _kept(replica: Program) -> float:
    """Megabytes that the living replicas keep for sending again, as one of them shows it."""
    return total(replica.samples(), "fleetmeter_retained_bytes") / 1e6


async def _requests(load: Load, number: int, rate: float, memory: Memory) -> float:
    parts = 20
    began = time.monotonic()
    async with session() as client:
        for part in range(parts):
            share = number * (part + 1) // parts - number * part // parts
            if rate:
                await load.steady(client, rate, share / rate)
            else:
                await load.closed(client, CLIENTS, requests=share)
            memory.look(load.tally.sent)
    return number / (time.monotonic() - began)


def show(title: str, run: Callable[[], Report]) -> int:
    """Run and print; how many problems there were."""
    print(f"\n{title}", flush=True)
    report = run()
    report.print()
    return len(report.problems())
