"""Puts our cells behind prometheus_client's metrics, and takes them out again.

prometheus_client looks `values.ValueClass` up each time a metric is initialised, so replacing it is enough for the
values. Some things never reach a value class and are hooked on the metric classes: the unit and the bounds of a family
(read from the metric while it is initialised), an observation as one step, functions, Info, Enum, and removals.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from math import inf, isnan
from typing import Any

from prometheus_client import Counter, Enum, Gauge, Histogram, Info, Summary, values
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector

from fleetmeter.patching.fleet_page import fleet_collect
from fleetmeter.patching.recording import (
    counter_inc,
    enum_state,
    gauge_set_function,
    histogram_observe,
    info_info,
    summary_observe,
)
from fleetmeter.patching.takeover import Takeover, cells_of, is_parent
from fleetmeter.patching.withdrawal import Withdrawal
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.scale import bound_text
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.amounts import Amount
from fleetmeter.values.cells import cell_of
from fleetmeter.values.levels import Level

_VALUED = (Counter, Gauge, Histogram, Summary)
_REMOVALS = ("remove", "remove_by_labels", "clear")
_PARTS = {"_bucket": None, "_sum": "sum", "_count": "count"}


class Hooks:
    """The changes made to prometheus_client, and what was there before.

    With `packed`, numbers of the families that it makes known are kept packed.
    """

    def __init__(self, accumulator: Accumulator, *, packed: bool) -> None:
        self._accumulator = accumulator
        self._packed = packed
        self._before: list[tuple[Any, str, Any]] = []
        self._installed = False
        self._initialising = threading.local()
        self._bounds: dict[str, set[str]] = {}
        self._takeover = Takeover(accumulator, self.define, self.attach)
        self._withdrawal = Withdrawal(accumulator, self.define)

    def install(self) -> None:
        """Hook the classes, then take over the metrics that exist, with what this process has counted."""
        self._put_back()  # what `join` has hooked
        self._installed = True
        self._install_values()
        self._replace(MetricWrapperBase, "__init__", self._parent_initialiser(MetricWrapperBase.__init__))
        self._replace(Info, "info", info_info(Info.info))
        self._replace(Enum, "state", enum_state(Enum.state))
        self._takeover.take()
        # the methods below expect our cells; until here other threads record by the stock ones
        self._replace(Counter, "inc", counter_inc(Counter.inc))
        self._replace(Gauge, "set_function", gauge_set_function(Gauge.set_function))
        self._replace(Histogram, "observe", histogram_observe(Histogram.observe))
        self._replace(Summary, "observe", summary_observe(Summary.observe))
        self._install_rest(self._withdrawal)

    def join(self) -> None:
        """Hook only what metrics with values from `value` need: removals, and the page of multiprocess mode."""
        self._install_rest(Withdrawal(self._accumulator, self._definition_by_cells))

    def uninstall(self) -> None:
        """Put everything back. Existing metrics go on with this process's own totals.

        They remember what was handed over, so that a later installation does not count it a second time.
        """
        self._put_back()
        if self._installed:
            self._installed = False
            self._takeover.give_back()

    @contextmanager
    def for_new_metrics(self) -> Iterator[None]:
        """Metrics that are made inside the block get our cells, whether the hooks are installed or not."""
        if self._installed:
            yield
            return
        others = len(self._before)
        self._install_values()
        try:
            yield
        finally:
            self._put_back(others)

    def _install_values(self) -> None:
        self._replace(values, "ValueClass", self.value)
        for metric_class in _VALUED:
            self._replace(metric_class, "_metric_init", self._initialiser(metric_class._metric_init))
        self._replace(Info, "_metric_init", self._info_initialiser(Info._metric_init))
        self._replace(Enum, "__init__", self._enum_initialiser(Enum.__init__))

    def _install_rest(self, withdrawal: Withdrawal) -> None:
        for name in _REMOVALS:
            original = getattr(MetricWrapperBase, name)
            self._replace(MetricWrapperBase, name, getattr(withdrawal, name)(original))
        self._replace(MultiProcessCollector, "collect", fleet_collect(MultiProcessCollector.collect))

    def _put_back(self, keep: int = 0) -> None:
        while len(self._before) > keep:
            owner, name, original = self._before.pop()
            setattr(owner, name, original)

    def _replace(self, owner: Any, name: str, new: Any) -> None:
        self._before.append((owner, name, owner.__dict__[name]))
        setattr(owner, name, new)

    def _parent_initialiser(self, original: Callable[..., None]) -> Callable[..., None]:
        @wraps(original)
        def __init__(metric: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  it is one
            original(metric, *args, **kwargs)
            if isinstance(metric, (*_VALUED, Info)) and is_parent(metric):
                self.define(metric)  # known before its first child

        return __init__

    def _initialiser(self, original: Callable[[Any], None]) -> Callable[[Any], None]:
        def _metric_init(metric: Any) -> None:
            self._initialising.definition = self.define(metric)
            try:
                original(metric)
            finally:
                self._initialising.definition = None

        return _metric_init

    def _info_initialiser(self, original: Callable[[Any], None]) -> Callable[[Any], None]:
        def _metric_init(metric: Any) -> None:
            original(metric)
            self.attach(metric)

        return _metric_init

    def _enum_initialiser(self, original: Callable[..., None]) -> Callable[..., None]:
        """An Enum knows its states only at the end of its `__init__`."""

        @wraps(original)
        def __init__(metric: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  it is one
            original(metric, *args, **kwargs)
            if is_parent(metric):
                self.define(metric)
            else:
                self.attach(metric)

        return __init__

    def attach(self, metric: Any) -> None:
        """Give an Info or an Enum a cell of its own, as it has no value that could be replaced."""
        metric._fleetmeter = cell_of(self._accumulator, self.define(metric), metric._labelvalues, None)

    def define(self, metric: Any) -> Definition:
        """Make a metric's family known."""
        definition = Definition.of(
            metric._name,
            metric._type,
            metric._documentation,
            metric._unit,
            metric._labelnames,
            [bound_text(bound) for bound in _bounds_of(metric)],
            getattr(metric, "_multiprocess_mode", ""),
            [str(state) for state in getattr(metric, "_states", ())],
            packed=self._packed,
        )
        self._accumulator.define(definition)
        return definition

    def undefine(self, metric: Any) -> None:
        """Forget the family of a metric that nobody will record in: its store need not know of it."""
        self._accumulator.undefine(self.define(metric))

    def _definition_by_cells(self, metric: Any) -> Definition | None:
        """The family of a metric with our values; None if the metric has other values, or none yet."""
        children = list(getattr(metric, "_metrics", {}).values())
        ours = (cell for child in children for cell in cells_of(child) if cell.accumulator is self._accumulator)
        cell = next(ours, None)
        return None if cell is None else cell.definition

    def value(
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
        if definition is None:  # a value that no hooked metric asked for
            bounds = self._bounds_with(metric_name, part) if typ == "histogram" else []
            definition = Definition.of(
                metric_name, typ, help_text, "", labelnames, bounds, multiprocess_mode, packed=self._packed
            )
            if bounds or typ != "histogram":
                self._accumulator.define(definition)
        return cell_of(self._accumulator, definition, labelvalues, part)

    def _bounds_with(self, family: str, part: str | None) -> list[str]:
        """The bounds of a histogram whose values are made one by one. None until the last of them, `+Inf`, has come."""
        bounds = self._bounds.setdefault(family, set())
        if part not in (None, "sum", "count"):
            bounds.add(str(part))
        return sorted(bounds, key=float) if "+Inf" in bounds else []


def _bounds_of(metric: Any) -> list[float]:
    """The upper bounds of a histogram, a list in which its observations are looked up; none for other metrics.

    prometheus_client permits a bound NaN. It is replaced by the bound after it: no amount is below NaN, and a binary
    search goes wrong in a list that has one. The list keeps its length, as there is a value for each bound.
    """
    bounds: list[float] = getattr(metric, "_upper_bounds", [])
    if any(map(isnan, bounds)):
        following = inf
        for place in reversed(range(len(bounds))):
            following = bounds[place] = following if isnan(bounds[place]) else bounds[place]
    return bounds
