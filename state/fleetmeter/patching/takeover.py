"""Takes over metrics that exist already, with what this process has counted, and gives them back with it."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from typing import Any

from prometheus_client import Counter, Enum, Gauge, Histogram, Info, Summary

from fleetmeter.patching.birth import copied_at
from fleetmeter.patching.recording import tell
from fleetmeter.schema.definition import OWN_PREFIX, Definition
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.levels import Level

HOOKED = (Counter, Gauge, Histogram, Summary, Info, Enum)

_HANDED_OVER = "_fleetmeter_handed_over"
"""Kept on the metric: what an ended installation had sent to its store, and when the metric was created."""

_LOCK_PATIENCE = 1.0
"""Seconds to wait for a metric's lock: a forked child may have inherited a locked one that nobody unlocks."""


class Takeover:
    """Gives our cells to the metrics of this process, and stock values back to them.

    `define` makes a metric's family known; `attach` gives an Info or an Enum a cell of its own.
    """

    def __init__(
        self, accumulator: Accumulator, define: Callable[[Any], Definition], attach: Callable[[Any], None]
    ) -> None:
        self._accumulator = accumulator
        self._define = define
        self._attach = attach

    def take(self) -> None:
        """Take over every metric, with its counts. Metrics that are made from now on have our values already.

        A forked child holds what its parent counted before the fork. If the parent still runs, the child does not count
        it: with 10 children of a parent that preloads, the same amounts would count ten times. As no child counts them,
        the parent must install before it counts.
        """
        metrics = _metrics()
        removed = _removed(metrics)
        copied = copied_at()
        for metric in metrics:
            if is_parent(metric):
                self._define(metric)
                continue
            totals = _totals(metric)
            if totals is None:  # half made
                continue
            if any(cell.accumulator is self._accumulator for cell in cells_of(metric)):
                self._define(metric)  # it has our values already, but they did not know its unit and bounds
                continue
            let_go = self._accumulator.detach if id(metric) in removed else _keep
            if isinstance(metric, Info | Enum):
                self._attach(metric)
                let_go(cells_of(metric))
                if metric._value:  # an Enum's first state, and no facts, are what it says before anybody said it
                    tell(metric)
                continue
            if metric._name.startswith(OWN_PREFIX):
                totals = [0.0] * len(totals)  # a former installation's, not this one's
            is_parents = metric.__dict__.get("_created", copied) < copied
            known = _known(metric)  # forgotten from here on
            _restore(metric, totals, totals if is_parents else known, let_go)

    def give_back(self) -> None:
        """Give every metric stock values again, with this process's own totals."""
        for metric in _metrics():
            if isinstance(metric, Info | Enum):
                metric.__dict__.pop("_fleetmeter", None)
                continue
            totals = _totals(metric)
            if totals is not None:
                handed_over = [] if isinstance(metric, Gauge) else [cell.handed_over() for cell in _values_of(metric)]
                _restore(metric, totals)
                metric.__dict__[_HANDED_OVER] = (metric.__dict__.get("_created"), handed_over)


def is_parent(metric: Any) -> bool:
    """Whether a metric has labels and no values of its own. A half made metric has neither yet, and is none."""
    return bool(getattr(metric, "_labelnames", ()) and not getattr(metric, "_labelvalues", True))


def cells_of(metric: Any) -> list[Any]:
    """The cells of a metric that has values, those of Info and Enum included. Other values are left out."""
    if isinstance(metric, Info | Enum):
        cell = getattr(metric, "_fleetmeter", None)
        return [] if cell is None else [cell]
    return [value for value in _values_of(metric) if hasattr(value, "accumulator")]


def _metrics() -> list[Any]:
    # The heap is searched because no registry knows all metrics: some are registered nowhere, or in one of their own.
    # type(), because isinstance() asks proxy objects for a class: lazy ones would load, dead ones raise. By id, because
    # a class may have no hash, and because issubclass() takes a microsecond for each of some 300,000 objects.
    heap = gc.get_objects()
    kinds = set(map(id, _kinds(HOOKED)))
    return [item for item in heap if id(type(item)) in kinds]


def _kinds(classes: Iterable[type]) -> Iterator[type]:
    """These classes, and every class that is derived from one of them."""
    for kind in classes:
        yield kind
        yield from _kinds(type.__subclasses__(kind))


def _removed(metrics: Iterable[Any]) -> set[int]:
    """The ids of removed children that somebody still holds. A living parent does not list them any more.

    Call this after the list of metrics was made. A child that is being made is in its parent's list only when the
    parent's lock is free again.
    """
    parents: set[Any] = set()
    held: set[int] = set()
    for parent in filter(is_parent, metrics):
        lock = getattr(parent, "_lock", None)
        if lock is None:  # half made
            continue
        locked = lock.acquire(timeout=_LOCK_PATIENCE)
        try:
            held.update(map(id, list(parent._metrics.values())))
            parents.add((type(parent), parent._name, parent._labelnames))
        finally:
            if locked:
                lock.release()
    return {
        id(child)
        for child in metrics
        if getattr(child, "_labelvalues", ())
        and id(child) not in held
        and (type(child), child._name, child._labelnames) in parents
    }


def _values_of(metric: Any) -> list[Any]:
    match metric:
        case Histogram():
            return [metric._sum, *metric._buckets]
        case Summary():
            return [metric._count, metric._sum]
        case _:
            return [metric._value]


def _totals(metric: Any) -> list[Any] | None:
    """What this process has counted in a metric; None if the metric has no values, as a parent of labelled children."""
    try:
        if isinstance(metric, Info):
            return [dict(metric._value)]
        if isinstance(metric, Enum):
            return [metric._states[metric._value]]
        return [value.get() for value in _values_of(metric)]
    except AttributeError:
        return None


def _known(metric: Any) -> Sequence[float]:
    """What of a metric's totals is in a store already. Nothing, if the metric was reset since."""
    created, handed_over = metric.__dict__.pop(_HANDED_OVER, (None, ()))
    return handed_over if created == metric.__dict__.get("_created") else ()


def _keep(_cells: Sequence[Any]) -> None:
    """Let nothing of a metric go."""


def _restore(
    metric: Any,
    totals: Sequence[Any],
    handed_over: Sequence[float] = (),
    let_go: Callable[[Sequence[Any]], None] = _keep,
) -> None:
    """Make a metric's values anew, with the totals of the old ones. The time of its creation stays.

    The new values are made in a stand-in and swapped in one step, because other threads may be recording. Of `totals`,
    what an earlier installation has `handed_over` is part of this process's total and is not recorded again. `let_go`
    gets the new values while they are empty.
    """
    before = [] if isinstance(metric, Gauge) else [(value, value.get()) for value in _values_of(metric)]
    made = object.__new__(type(metric))
    made.__dict__.update(metric.__dict__)
    made._metric_init()
    let_go(_values_of(made))
    if "_created" in metric.__dict__:
        made._created = metric._created
    known = dict(enumerate(handed_over))
    for index, (value, old, total) in enumerate(zip(_values_of(made), _values_of(metric), totals, strict=True)):
        if isinstance(made, Gauge):
            _set_gauge(value, metric, total)
            continue
        if isfinite(total):
            counted = min(known.get(index, 0.0), total)
            if counted:
                value.set(counted)
            if total != counted:
                value.inc(total - counted)
        exemplar = old.get_exemplar()
        if exemplar is not None:
            value.set_exemplar(exemplar)
    metric.__dict__.update(made.__dict__)
    if before:  # what another thread has added to the old values meanwhile
        for (old, read), new in zip(before, _values_of(metric), strict=True):
            late = old.get() - read
            if isfinite(late) and late > 0:
                new.inc(late)


def _set_gauge(value: Any, metric: Gauge, total: float) -> None:
    """Give a gauge its value back, or the function that supplies it."""
    samples = metric.__dict__.get("_child_samples")  # what set_function() leaves
    if samples is not None and isinstance(value, Level):
        value.follow(lambda: next(iter(samples())).value)
    elif total:
        value.set(total)
