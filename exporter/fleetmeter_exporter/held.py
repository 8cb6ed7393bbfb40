"""Log lines about a store that is behind: one when that begins, with its cause, and one when it ends."""

import logging
import threading
import time
from collections.abc import Callable
from enum import Enum, auto

from fleetmeter.reader.continuity import Shown
from fleetmeter.reader.verdict import Cause
from fleetmeter_exporter.logs import fields

log = logging.getLogger("fleetmeter.exporter")


class _State(Enum):
    FRESH = auto()
    """The scrape shows what the store holds."""
    HELD = auto()
    """The scrape shows an older snapshot."""
    RAISED = auto()
    """The scrape shows some numbers as they were served before, because the stored ones are below them."""


class HoldLog:
    """Logs why scrapes of one namespace are held, and how long they were. Any number of threads may use it."""

    def __init__(self, namespace: str, hold: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._namespace = namespace
        self._hold = hold
        self._clock = clock
        self._lock = threading.Lock()
        self._state, self._since, self._epoch = _State.FRESH, 0.0, ""

    def tell(self, shown: Shown) -> None:
        """Log what changed since the scrape before."""
        now = self._clock()
        state = _State.HELD if shown.held else _State.RAISED if shown.counts_behind else _State.FRESH
        with self._lock:
            before, since = self._state, self._since
            if state is not before:
                self._state, self._since = state, now
        if state is before:
            return
        if before is _State.HELD:
            self._ended(now - since, shown)
        elif before is _State.RAISED and state is _State.FRESH:
            self._log(logging.INFO, "the store has caught up with what was served", seconds=round(now - since, 3))
        if state is _State.HELD:
            self._epoch = shown.cause.epoch if shown.cause is not None else ""
            self._log(
                logging.WARNING,
                "the store went back: the last good snapshot is shown until replicas have sent again what is missing",
                hold_seconds=self._hold,
                numbers=shown.counts_behind,
                **_why(shown),
            )
        elif state is _State.RAISED and before is _State.FRESH:
            self._log(
                logging.WARNING,
                "the store is behind what was served: it was rolled back, or lost keys; numbers stay as they were "
                "served until replicas have sent again what was lost",
                numbers=shown.counts_behind,
                **_why(shown),
            )

    def _ended(self, seconds: float, shown: Shown) -> None:
        if shown.counts_behind:
            level, outcome = logging.WARNING, "still_behind"
            message = "the hold is over, but the store is still behind: the larger of served and stored is shown"
        elif shown.snapshot.epoch is not None and shown.snapshot.epoch.id != self._epoch:
            level, outcome = logging.WARNING, "began_anew"
            message = "the hold is over: the namespace has a new epoch, and counts from 0"
        else:
            level, outcome = logging.INFO, "caught_up"
            message = "the hold is over: the store has everything again that was served"
        self._log(level, message, seconds=round(seconds, 3), outcome=outcome, numbers=shown.counts_behind)

    def _log(self, level: int, message: str, **more: object) -> None:
        log.log(level, message, extra=fields(namespace=self._namespace, **more))


def _why(shown: Shown) -> dict[str, object]:
    """The cause as fields of a log line. A row is shown as `7`, or `7 (2 given up)` after given-up batches."""
    cause = shown.cause
    if cause is None:
        return {}
    found: dict[str, object] = {"reason": str(cause.reason), "epoch": cause.epoch}
    if cause.writer:
        found |= {
            "writers": cause.writers,
            "writer": cause.writer,
            "replica": shown.snapshot.replicas.get(cause.writer, ""),
            "row_served": _row(cause, found=False),
            "row_found": _row(cause, found=True),
            "folded": cause.folded,
        }
    return found


def _row(cause: Cause, *, found: bool) -> str:
    row = cause.found if found else cause.served
    return "none" if row is None else f"{row.applied}" + (f" ({row.given_up} given up)" if row.given_up else "")
