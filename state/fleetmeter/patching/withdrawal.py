"""`remove()`, `remove_by_labels()` and `clear()`, which act on the fleet while fleetmeter is installed.

Counters, histograms and summaries lose the series in the whole fleet, whichever replica made it, with the next batch; a
replica that counts on brings it back with what it counts from then on. Of gauges, infos and state sets only this
process's own values go. Inside an `atomic()` block they act at once, as outside: what the block has recorded for the
removed child is gone with it, what it records for a new one of these labels is added at its end.
"""

import threading
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from fleetmeter.patching.takeover import cells_of
from fleetmeter.schema.definition import Definition
from fleetmeter.values.accumulator import Accumulator

_FLEET_WIDE = ("counter", "histogram", "summary")


class Withdrawal:
    """The methods that stand in for prometheus_client's; each takes the one that it replaces, which checks the call.

    `define` makes a metric's family known.
    """

    def __init__(self, accumulator: Accumulator, define: Callable[[Any], Definition]) -> None:
        self._accumulator = accumulator
        self._define = define

    def remove(self, original: Any) -> Any:
        """`MetricWrapperBase.remove` for the fleet."""

        @wraps(original)
        def remove(metric: Any, *labelvalues: Any) -> None:
            _check(original, metric, *labelvalues)
            self._act(metric, [str(value) for value in labelvalues])

        return remove

    def remove_by_labels(self, original: Any) -> Any:
        """`MetricWrapperBase.remove_by_labels` for the fleet."""

        @wraps(original)
        def remove_by_labels(metric: Any, labels: dict[str, str]) -> None:
            _check(original, metric, labels)
            if labels:
                self._act(metric, [str(labels[name]) if name in labels else None for name in metric._labelnames])

        return remove_by_labels

    def clear(self, original: Any) -> Any:
        """`MetricWrapperBase.clear` for the fleet."""

        @wraps(original)
        def clear(metric: Any) -> None:
            _check(original, metric)
            if metric._labelnames:
                self._act(metric, [None] * len(metric._labelnames))

        return clear

    def _act(self, metric: Any, pattern: Sequence[str | None]) -> None:
        """Remove what fits: a child that is asked for from here on is a new one, and is behind the removal."""
        accumulator, definition = self._accumulator, self._define(metric)
        with metric._lock:
            children = metric._metrics
            if None in pattern:
                gone = [values for values in children if _fits(values, pattern)]
            else:
                gone = [values for values in [tuple(pattern)] if values in children]
            cells = [cell for values in gone for cell in cells_of(children.pop(values))]
            if definition.type in _FLEET_WIDE:
                wake = accumulator.remove(cells, definition, pattern)
            else:
                wake = accumulator.unset(cells)
        if wake:
            accumulator.wake()


def _fits(values: Sequence[str], pattern: Sequence[str | None]) -> bool:
    return all(wanted is None or wanted == value for value, wanted in zip(values, pattern, strict=True))


def _check(original: Any, metric: Any, *arguments: Any) -> None:
    """Let the stock method raise, or warn of, whatever it would, without an effect on the metric."""
    stand_in = object.__new__(type(metric))
    stand_in.__dict__.update(metric.__dict__)
    if "_metrics" in metric.__dict__:
        stand_in._metrics, stand_in._lock = {}, threading.Lock()
    original(stand_in, *arguments)
