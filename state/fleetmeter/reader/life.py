"""Since when the store's process runs, as its INFO says: since then its data cannot have gone back."""

from dataclasses import dataclass
from typing import Self

NO_PREDECESSOR = "0" * 40
"""What INFO says in `master_replid2` of a store that was never a replica of another one."""


@dataclass(frozen=True)
class Life:
    """One process of a store that has always been a master: its data went back no later than when it started.

    `started_us` is by its own clock, µs, and at most 2 s too late: INFO counts whole seconds.
    """

    started_us: int

    @classmethod
    def parse(cls, info: bytes, now_us: int) -> Self | None:
        """Read INFO's sections `server` and `replication`; `now_us` is the store's time, taken after them.

        None if the store is a replica or ever was one: a failover takes data back without a start. None also for a
        server whose INFO lacks one of these facts, as one that is neither Redis nor Valkey.
        """
        told = dict(line.split(":", 1) for line in info.decode("utf-8", "replace").splitlines() if ":" in line)
        always_master = told.get("role") == "master" and told.get("master_replid2") == NO_PREDECESSOR
        uptime = told.get("uptime_in_seconds", "")
        if not (always_master and told.get("second_repl_offset") == "-1" and uptime.isdigit()):
            return None
        return cls(now_us - (int(uptime) - 1) * 10**6)
