"""`remove()`, `remove_by_labels()` and `clear()`, which act on the fleet while fleetmeter is installed.

Counters, histograms and summaries lose the series in the whole fleet with the next batch, whichever replica made it. If
a replica goes on counting, the series comes back with what it counts from then on. Of gauges, infos and state sets only
this process's own values go.

Inside an `atomic()` block they act at once, as outside. What the block has recorded for the removed child is gone with
it. What it records for a new child with the same labels is added at the block's end.
"""

import threading
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from fleetmeter.patching.takeover import cells_of
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.scale import ADDED_TYPES
from fleetmeter.values.accumulator import Accumulator


class Withdrawal:
    """The methods that stand in for prometheus_client's. Each gets the one that it replaces, which checks the call.

    `define` makes a metric's family known. If it returns None, the metric is not the fleet's, and the stock method
    acts.
    """

    def __init__(self, accumulator: Accumulator, define: Callable[[Any], Definition | None]) -> None:
        self._accumulator = accumulator
        self._define = define

    def remove(self, original: Any) -> Any:
        """`MetricWrapperBase.remove` for the fleet."""

        @wraps(original)
        def remove(metric: Any, *labelvalues: Any) -> None:
            definition = self._checked(original, metric, *labelvalues)
            if definition is not None:
                self._act(metric, definition, [str(value) for value in labelvalues])

        return remove

    def remove_by_labels(self, original: Any) -> Any:
        """`MetricWrapperBase.remove_by_labels` for the fleet."""

        @wraps(original)
        def remove_by_labels(metric: Any, labels: dict[str, str]) -> None:
            definition = self._checked(original, metric, labels)
            if definition is not None and labels:
                pattern = [str(labels[name]) if name in labels else None for name in metric._labelnames]
                self._act(metric, definition, pattern)

        return remove_by_labels

    def clear(self, original: Any) -> Any:
        """`MetricWrapperBase.clear` for the fleet."""

        @wraps(original)
        def clear(metric: Any) -> None:
            definition = self._checked(original, metric)
            if definition is not None and metric._labelnames:
                self._act(metric, definition, [None] * len(metric._labelnames))

        return clear

    def _checked(self, original: Any, metric: Any, *arguments: Any) -> Definition | None:
        """The family that a call acts on, once the call was found correct; None if the stock method has acted."""
        definition = self._define(metric)
        if definition is None:
            original(metric, *arguments)
        else:
            _check(original, metric, *arguments)
        return definition

    def _act(self, metric: Any, definition: Definition, pattern: Sequence[str | None]) -> None:
        """Remove what fits. A child that is asked for from now on is a new one, and comes after the removal."""
        accumulator = self._accumulator
        with metric._lock:
            children = metric._metrics
            if None in pattern:
                gone = [values for values in children if _fits(values, pattern)]
            else:
                gone = [values for values in [tuple(pattern)] if values in children]
            cells = [cell for values in gone for cell in cells_of(children.pop(values))]
            if definition.type in ADDED_TYPES:
                wake = accumulator.remove(cells, definition, pattern)
            else:
                wake = accumulator.unset(cells)
        if wake:
            accumulator.wake()


def _fits(values: Sequence[str], pattern: Sequence[str | None]) -> bool:
    return all(wanted is None or wanted == value for value, wanted in zip(values, pattern, strict=True))


def _check(original: Any, metric: Any, *arguments: Any) -> None:
    """Let the stock method raise or warn as it would, without an effect on the metric."""
    stand_in = object.__new__(type(metric))
    stand_in.__dict__.update(metric.__dict__)
    if "_metrics" in metric.__dict__:
        stand_in._metrics, stand_in._lock = {}, threading.Lock()
    original(stand_in, *arguments)
