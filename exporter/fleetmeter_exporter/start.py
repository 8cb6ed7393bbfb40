"""When an exporter that has just started may answer: not before living replicas have sent again what the store lost."""

import time
from collections.abc import Callable

from fleetmeter.errors import FleetmeterError


class Start:
    """The first seconds of an exporter's life.

    It does not know what its predecessor served. A replica notices within one heartbeat that the store lost something,
    so after that many `seconds` nothing need be lower than it was; a namespace that nobody has written to has nothing
    to lose. A store that is away tells no replica anything: the seconds count from when it was last found so.
    """

    def __init__(
        self,
        holds_counts: Callable[[], bool],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._holds_counts = holds_counts
        self._clock = clock
        self._seconds = seconds
        self._ready_at = clock() + seconds
        self._over = False

    def seconds_left(self) -> float:
        """Seconds until the exporter may answer, 0 from then on. Raises `FleetmeterError` where it cannot be known."""
        if self._over:
            return 0.0
        try:
            holds_counts = self._holds_counts()
        except FleetmeterError:
            self._ready_at = self._clock() + self._seconds
            raise
        left = self._ready_at - self._clock()
        self._over = left <= 0 or not holds_counts
        return 0.0 if self._over else left
