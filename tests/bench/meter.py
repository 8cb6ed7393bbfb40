"""What a store spends, as it says itself: time inside scripts, and processor time of its main thread."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from time import thread_time_ns
from typing import Any

from fleetmeter.connection.client import connect


@dataclass(frozen=True)
class Reading:
    """What was spent up to a moment: calls and microseconds of scripts, processor microseconds, calls of any kind."""

    script_calls: int
    script_us: float
    processor_us: float
    calls: int

    def since(self, earlier: "Reading") -> "Reading":
        """What was spent in between."""
        return Reading(
            self.script_calls - earlier.script_calls,
            self.script_us - earlier.script_us,
            self.processor_us - earlier.processor_us,
            self.calls - earlier.calls,
        )


@dataclass(frozen=True)
class Cost:
    """Microseconds of one call: the store's inside the script, its processor's in all, and the client's processor's."""

    script_us: float
    processor_us: float
    client_us: float

    def better(self, other: "Cost") -> "Cost":
        """The smaller one of each."""
        return Cost(
            min(self.script_us, other.script_us),
            min(self.processor_us, other.processor_us),
            min(self.client_us, other.client_us),
        )


class Meter:
    """Reads one store's counters, on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.client: Any = connect(url)

    def read(self) -> Reading:
        """The counters now; taking them costs two calls."""
        processor = self._processor_us()
        commands = self.client.info("commandstats")
        scripts = commands.get("cmdstat_evalsha", {"calls": 0, "usec": 0})
        return Reading(
            script_calls=scripts["calls"],
            script_us=scripts["usec"],
            processor_us=processor,
            calls=sum(command["calls"] for command in commands.values()),
        )

    def cost(self, call: Callable[[], object], repeats: int) -> Cost:
        """What one call costs; the cheapest of several stands, as others use the machine too."""
        empty = min(self._once(lambda: None).processor_us for _ in range(20))
        best = reduce(Cost.better, (self._once(call) for _ in range(repeats)))
        return replace(best, processor_us=best.processor_us - empty)

    def _once(self, call: Callable[[], object]) -> Cost:
        self.client.config_resetstat()
        before, started = self._processor_us(), thread_time_ns()
        call()
        client = (thread_time_ns() - started) / 1e3
        processor = self._processor_us() - before
        script = self.client.info("commandstats").get("cmdstat_evalsha", {"usec": 0})["usec"]
        return Cost(script, processor, client)

    def _processor_us(self) -> float:
        used = self.client.info("cpu")
        return float(used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]) * 1e6

    def close(self) -> None:
        """Close the connection."""
        self.client.close()
