"""How long a flush thread pauses: as long as the store needs, and as short as those who wait need."""

LONGEST_PAUSE = 2.0
"""Seconds between two tries while the store is away, at most."""

STRETCH = 20
"""A call is followed by a pause of this many times its duration, so that a slow store is asked less often."""

HURRY = 0.01
"""Seconds between two looks for something to send, once the process was told to end: each record goes at once then."""

RETRY = 0.05
"""Seconds to the next try when a call failed while somebody waits in `flush`; doubled with each further failure."""

_MOST_FAILURES = 8
"""Failures in a row that still make a pause longer."""


def flush_pause(interval: float, call_seconds: float) -> float:
    """Seconds from one flush to the next: the interval, or longer if the store is slow.

    With an interval of 0.25 s and calls of 1 ms it is 0.25 s; with calls of 50 ms it is 1 s.
    """
    return max(interval, STRETCH * call_seconds)


class Pace:
    """Seconds from one round to the next, by the interval, by how the last calls went, and by who waits."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self.failures = 0
        """Calls in a row that failed; none are counted above 8."""
        self.hurried = False
        """Whether the process was told to end: each record goes at once then."""

    def failed(self) -> None:
        """Take note of a call that failed."""
        self.failures = min(self.failures + 1, _MOST_FAILURES)

    def went_well(self) -> None:
        """Take note of a call that the store answered."""
        self.failures = 0

    def pause(self, call_seconds: float, *, awaited: bool) -> float:
        """Seconds until the next round if nobody signals; `call_seconds` is how long the last call took.

        `awaited` says that somebody waits for what is to be handed over.
        """
        if self.hurried:
            return HURRY
        if self.failures:
            first = RETRY if awaited else self._interval
            return min(LONGEST_PAUSE, first * 2.0**self.failures)
        return flush_pause(self._interval, call_seconds)
