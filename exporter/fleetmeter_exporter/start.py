"""When an exporter that has just started may answer: not before living replicas have sent again what the store lost."""

import time
from collections.abc import Callable

from fleetmeter.errors import FleetmeterError
from fleetmeter.reader.life import Life
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.verdict import Verdict, judge


def _unknown() -> Life | None:
    return None


class Start:
    """The first seconds of an exporter's life.

    It does not know what its predecessor served. A replica notices within one heartbeat that the store lost something,
    so after that many `seconds` nothing need be lower than it was. If there is nothing to send again, nobody waits:

    * Nobody has written to the namespace yet.
    * The store's data cannot have gone back for that long (see `went_nowhere`), as its `life` shows.

    A store that is away tells no replica anything. If it was away when it was first asked, the seconds count from its
    return, and they count anew when it is seen to go back. `read` and `life` raise `FleetmeterError` while it is away.
    """

    def __init__(
        self,
        read: Callable[[], Snapshot],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        life: Callable[[], Life | None] = _unknown,
    ) -> None:
        self._read = read
        self._life = life
        self._clock = clock
        self._seconds = seconds
        self._ready_at = clock() + seconds
        self._seen: Snapshot | None = None
        self._tells = True
        self._over = False

    @property
    def over(self) -> bool:
        """Whether the first seconds are known to be over."""
        return self._over

    def seconds_left(self) -> float:
        """Seconds until the exporter may answer, 0 from then on. Raises `FleetmeterError` where it cannot be known."""
        if self._over:
            return 0.0
        before = self._seen
        try:
            self._seen = self._read()
        except FleetmeterError:
            if before is None:
                self._begin()
            raise
        cause = judge(before, self._seen) if before is not None else None
        if cause is not None and cause.verdict is Verdict.BEHIND:
            self._begin()
            self._tells = False
        left = self._ready_at - self._clock()
        nothing_yet = self._seen.epoch is None and (before is None or before.epoch is None)
        self._over = left <= 0 or nothing_yet or self._nothing_to_send_again(self._seen)
        return 0.0 if self._over else left

    def _begin(self) -> None:
        self._ready_at = self._clock() + self._seconds

    def _nothing_to_send_again(self, snapshot: Snapshot) -> bool:
        """Whether the store shows that nothing was lost of late; it is asked no more once it cannot tell."""
        life = self._life() if self._tells else None
        self._tells = life is not None
        return life is not None and went_nowhere(snapshot, life, self._seconds)


def went_nowhere(snapshot: Snapshot, life: Life, seconds: float) -> bool:
    """Whether the store's data cannot have gone back within the last `seconds`, for all that it shows.

    Data goes back with a start of the store, by a failover (of which `Life` knows), or when somebody imports older data
    into a store that runs. A start is out of the question if the namespace began after it, or if the store wrote down a
    time after it that is longer ago than those seconds: then it has answered for that long, and each living replica has
    been told. In older data that was imported, rows of living writers lag by more than heartbeats do.
    """
    times = [row.heartbeat_us for row in snapshot.rows.values()] + [snapshot.swept_us]
    began = snapshot.epoch is not None and snapshot.epoch.birth_us > life.started_us
    latest_us = snapshot.taken_us - int(seconds * 1e6)
    answered = any(life.started_us < time_us <= latest_us for time_us in times)
    heard = all(row.said_goodbye or row.alive(snapshot.taken_us) for row in snapshot.rows.values())
    return (began or answered) and heard
