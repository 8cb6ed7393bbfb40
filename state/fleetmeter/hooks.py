"""Puts our cells behind prometheus_client's metrics, and takes them out again.

prometheus_client looks `values.ValueClass` up each time a metric is initialised, so replacing it is enough for the
values. What never reaches a value class is hooked on the metric classes: the unit and the bounds of a family (read
from the metric while it is initialised), an observation as one step, and Info.
"""

import gc
import threading
from collections.abc import Callable, Sequence
from functools import wraps
from math import isfinite
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, Info, Summary, values
from prometheus_client.metrics import MetricWrapperBase

from fleetmeter.accumulator import Accumulator
from fleetmeter.amounts import Amount
from fleetmeter.cells import cell_of
from fleetmeter.definition import OWN_PREFIX, Definition
from fleetmeter.levels import Level
from fleetmeter.recording import counter_inc, gauge_set_function, histogram_observe, info_info, summary_observe
from fleetmeter.scale import bound_text

_HOOKED = (Counter, Gauge, Histogram, Summary, Info)
_HANDED_OVER = "_fleetmeter_handed_over"
"""What an ended installation had sent to its store, kept on the metric."""
_PARTS = {"_bucket": None, "_sum": "sum", "_count": "count"}


class Hooks:
    """The changes made to prometheus_client, and what stood there before."""

    def __init__(self, accumulator: Accumulator) -> None:
        self._accumulator = accumulator
        self._before: list[tuple[Any, str, Any]] = []
        self._initialising = threading.local()

    def install(self) -> None:
        """Hook the classes, then take over the metrics that exist, with what this process has counted."""
        self._replace(values, "ValueClass", self._value)
        for metric_class in (Counter, Gauge, Histogram, Summary):
            self._replace(metric_class, "_metric_init", self._initialiser(metric_class._metric_init))
        self._replace(Info, "_metric_init", self._info_initialiser(Info._metric_init))
        self._replace(MetricWrapperBase, "__init__", self._parent_initialiser(MetricWrapperBase.__init__))
        self._replace(Info, "info", info_info(Info.info))
        self._rebuild(installing=True)
        # the methods below expect our cells; until here other threads record by the stock ones
        self._replace(Counter, "inc", counter_inc(Counter.inc))
        self._replace(Gauge, "set_function", gauge_set_function(Gauge.set_function))
        self._replace(Histogram, "observe", histogram_observe(Histogram.observe))
        self._replace(Summary, "observe", summary_observe(Summary.observe))

    def uninstall(self) -> None:
        """Put everything back; existing metrics go on with this process's own totals.

        They remember what was handed over, so that a later installation does not count it a second time.
        """
        for owner, name, original in reversed(self._before):
            setattr(owner, name, original)
        self._before.clear()
        self._rebuild(installing=False)

    def _replace(self, owner: Any, name: str, new: Any) -> None:
        self._before.append((owner, name, owner.__dict__[name]))
        setattr(owner, name, new)

    def _rebuild(self, *, installing: bool) -> None:
        # type(), because isinstance() asks proxy objects for a class: lazy ones would load, dead ones raise
        for metric in [item for item in gc.get_objects() if issubclass(type(item), _HOOKED)]:
            totals = _totals(metric)
            if totals is not None:
                if installing and metric._name.startswith(OWN_PREFIX):
                    totals = [0.0] * len(totals)  # a former installation's, not this one's
                if installing:
                    _restore(metric, totals, metric.__dict__.pop(_HANDED_OVER, ()))
                else:
                    handed_over = _handed_over(metric)
                    _restore(metric, totals)
                    metric.__dict__[_HANDED_OVER] = handed_over
            elif installing and _is_parent(metric):
                self._definition(metric)

    def _parent_initialiser(self, original: Callable[..., None]) -> Callable[..., None]:
        @wraps(original)
        def __init__(metric: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  it is one
            original(metric, *args, **kwargs)
            if isinstance(metric, _HOOKED) and _is_parent(metric):
                self._definition(metric)  # known before its first child

        return __init__

    def _initialiser(self, original: Callable[[Any], None]) -> Callable[[Any], None]:
        def _metric_init(metric: Any) -> None:
            self._initialising.definition = self._definition(metric)
            try:
                original(metric)
            finally:
                self._initialising.definition = None

        return _metric_init

    def _info_initialiser(self, original: Callable[[Any], None]) -> Callable[[Any], None]:
        def _metric_init(metric: Any) -> None:
            original(metric)
            metric._fleetmeter = cell_of(self._accumulator, self._definition(metric), metric._labelvalues, None)

        return _metric_init

    def _definition(self, metric: Any) -> Definition:
        definition = Definition.of(
            metric._name,
            metric._type,
            metric._documentation,
            metric._unit,
            metric._labelnames,
            [bound_text(bound) for bound in getattr(metric, "_upper_bounds", ())],
            getattr(metric, "_multiprocess_mode", ""),
        )
        self._accumulator.define(definition)
        return definition

    def _value(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: Sequence[str],
        labelvalues: Sequence[str],
        help_text: str,
        multiprocess_mode: str = "",
        **_kwargs: Any,
    ) -> Amount | Level:
        """The call shape of a prometheus_client value class."""
        part: str | None = None
        if typ in ("histogram", "summary"):
            part = _PARTS[name.removeprefix(metric_name)]
            if part is None:
                part, labelnames, labelvalues = labelvalues[-1], labelnames[:-1], labelvalues[:-1]
        definition: Definition | None = getattr(self._initialising, "definition", None)
        if definition is None:  # a value that no metric of prometheus_client asked for
            definition = Definition.of(metric_name, typ, help_text, "", labelnames, (), multiprocess_mode)
            self._accumulator.define(definition)
        return cell_of(self._accumulator, definition, labelvalues, part)


def _is_parent(metric: Any) -> bool:
    """Whether a metric has labels and no values of its own; one that is half made has neither yet."""
    return bool(getattr(metric, "_labelnames", ()) and not getattr(metric, "_labelvalues", True))


def _values_of(metric: Any) -> list[Any]:
    match metric:
        case Histogram():
            return [metric._sum, *metric._buckets]
        case Summary():
            return [metric._count, metric._sum]
        case _:
            return [metric._value]


def _totals(metric: Any) -> list[Any] | None:
    """What this process has counted in a metric; None for one that has no values, as a parent of labelled children."""
    try:
        if isinstance(metric, Info):
            return [dict(metric._value)]
        return [value.get() for value in _values_of(metric)]
    except AttributeError:
        return None


def _handed_over(metric: Any) -> list[float]:
    """What of a metric's totals was drained for the store; nothing for gauges and infos, which are no amounts."""
    return [] if isinstance(metric, Gauge | Info) else [value.handed_over() for value in _values_of(metric)]


def _restore(metric: Any, totals: list[Any], handed_over: Sequence[float] = ()) -> None:
    """Make a metric's values anew, and give them what the old ones held; it was not created just now.

    They are made in a stand-in and change places in one step: other threads may be recording. Of `totals`, what was
    `handed_over` by an earlier installation shows in this process's total and is not recorded again.
    """
    before = [] if isinstance(metric, Info | Gauge) else [(value, value.get()) for value in _values_of(metric)]
    made = object.__new__(type(metric))
    made.__dict__.update(metric.__dict__)
    made._metric_init()
    if "_created" in metric.__dict__:
        made._created = metric._created
    if isinstance(made, Info):
        if totals[0]:
            made.info(totals[0])
    else:
        known = dict(enumerate(handed_over))
        for index, (value, total) in enumerate(zip(_values_of(made), totals, strict=True)):
            if isinstance(made, Gauge):
                if total:
                    value.set(total)
                if isinstance(value, Level) and "_child_samples" in metric.__dict__:  # what set_function() leaves
                    value.hide()
            elif isfinite(total):
                counted = min(known.get(index, 0.0), total)
                if counted:
                    value.set(counted)
                if total != counted:
                    value.inc(total - counted)
    metric.__dict__.update(made.__dict__)
    if before:  # what another thread has added to the old values meanwhile
        for (old, read), new in zip(before, _values_of(metric), strict=True):
            late = old.get() - read
            if isfinite(late) and late > 0:
                new.inc(late)
