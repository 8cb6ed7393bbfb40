"""When an exporter that has just started may answer: not before living replicas have sent again what the store lost."""

import time
from collections.abc import Callable

from fleetmeter.errors import FleetmeterError
from fleetmeter.reader.continuity import Verdict, judge
from fleetmeter.reader.snapshot import Snapshot


class Start:
    """The first seconds of an exporter's life.

    It does not know what its predecessor served. A replica notices within one heartbeat that the store lost something,
    so after that many `seconds` nothing need be lower than it was; a namespace that nobody has written to has nothing
    to lose. A store that is away tells no replica anything: where it was when it was first asked, the seconds count
    from its return; and they count anew where it is seen to go back. `read` raises `FleetmeterError` while it is away.
    """

    def __init__(
        self,
        read: Callable[[], Snapshot],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._seconds = seconds
        self._ready_at = clock() + seconds
        self._seen: Snapshot | None = None
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
        if before is not None and judge(before, self._seen) is Verdict.BEHIND:
            self._begin()
        left = self._ready_at - self._clock()
        nothing_yet = self._seen.epoch is None and (before is None or before.epoch is None)
        self._over = left <= 0 or nothing_yet
        return 0.0 if self._over else left

    def _begin(self) -> None:
        self._ready_at = self._clock() + self._seconds
