"""When an exporter that has just started may answer: once living replicas have sent again what the store lost."""

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

    A new exporter does not know what an earlier one served. Example: the earlier one served 120, the store goes back to
    100, and the new one would show 100: a counter that goes down. A replica notices within one heartbeat that the store
    lost something, and sends it again. So the exporter waits for `seconds`, one heartbeat. It does not wait if there is
    nothing to send again, which is so in two cases:

    * Nobody has written to the namespace yet.
    * The store's data cannot have gone back for that long, as the store's `life` shows (see `went_nowhere`).

    While the store is away, no replica can notice anything. If it was away at the first question, the seconds count
    from its return. If it is then seen to go back, they count again. `read` and `life` raise `FleetmeterError` while
    the store is away.
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
        """Seconds until the exporter may answer, then 0. Raises `FleetmeterError` if the store cannot be read."""
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
        """Whether the store's life shows that nothing was lost lately. A store that cannot say is asked only once."""
        life = self._life() if self._tells else None
        self._tells = life is not None
        return life is not None and went_nowhere(snapshot, life, self._seconds)


def went_nowhere(snapshot: Snapshot, life: Life, seconds: float) -> bool:
    """Whether the store's data cannot have gone back within the last `seconds`.

    Data goes back in three ways: by a restart of the store, by a failover (which `Life` knows), or because somebody
    loads older data into a running store. A restart is ruled out in two cases. Either the namespace began after it. Or
    the store has written a time that lies after its start and more than `seconds` ago: it has then been answering for
    that long, so each living replica has noticed a loss. Older data is ruled out if no writer's heartbeat is too old.
    """
    times = [row.heartbeat_us for row in snapshot.rows.values()] + [snapshot.swept_us]
    began = snapshot.epoch is not None and snapshot.epoch.birth_us > life.started_us
    latest_us = snapshot.taken_us - int(seconds * 1e6)
    answered = any(life.started_us < time_us <= latest_us for time_us in times)
    heard = all(row.said_goodbye or row.alive(snapshot.taken_us) for row in snapshot.rows.values())
    return (began or answered) and heard
