"""A replica that does its part of a plan, by the methods that an application calls while fleetmeter is installed."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from prometheus_client import Counter, Histogram, Summary
from prometheus_client.metrics import MetricWrapperBase

from fleetmeter.patching.hooks import Hooks
from fleetmeter.patching.recording import counter_inc, histogram_observe, summary_observe
from fleetmeter.patching.withdrawal import Withdrawal
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.writer.exchange import Exchange
from fleetmeter.writer.protocol import Writer
from fleetmeter.writer.store import Store
from fleetmeter.writer.telemetry import Telemetry
from fuzz.formats.drawing import made
from fuzz.formats.plan import Deed, Version
from support.store import StoreAddress

TELEMETRY = Telemetry()
"""Everybody's; it was made without hooks, so that the machinery's own families are in no store."""

_inc, _observe, _sum_up = (
    counter_inc(Counter.inc), histogram_observe(Histogram.observe), summary_observe(Summary.observe),
)  # fmt: skip


class Recorder:
    """One writer with the metrics of an application. Several of them live in one process.

    Classes of prometheus_client have our values only while a metric or a child of one is made.
    """

    def __init__(self, address: StoreAddress, versions: Sequence[Version], bound: int, *, packed: bool) -> None:
        self._accumulator = Accumulator(lambda: None, lambda _definition, _amount: None)
        self._hooks = Hooks(self._accumulator, packed=packed)
        self._withdrawal = Withdrawal(self._accumulator, self._hooks.define)
        self._store = Store(address.url, address.keys, bound)
        identity = {"replica": "fuzz", "pid": "1", "version": "0", "started": "0"}
        self._exchange = Exchange(self._accumulator, Writer(), self._store, TELEMETRY, identity)
        self._versions = versions
        self._metrics: dict[int, Any] = {}

    def do(self, deed: Deed) -> None:
        """Do what a deed says, `scrape` excepted."""
        if deed.what == "flush":
            self._exchange.hand_over()
            return
        version = self._versions[deed.family]
        metric, values = self._metric(deed.family), version.values(deed.values)
        if deed.what == "record":
            self._record(metric, values, deed)
        elif version.labels:
            original = MetricWrapperBase
            if deed.what == "remove":
                self._withdrawal.remove(original.remove)(metric, *values)
            elif deed.what == "match":
                self._withdrawal.remove_by_labels(original.remove_by_labels)(metric, {version.labels[0]: values[0]})
            else:
                self._withdrawal.clear(original.clear)(metric)

    def close(self) -> None:
        """Close its connections."""
        self._store.close()

    def _metric(self, family: int) -> Any:
        if family not in self._metrics:
            with self._hooks.for_new_metrics():
                self._metrics[family] = made(self._versions[family])
        return self._metrics[family]

    def _record(self, metric: Any, values: tuple[str, ...], deed: Deed) -> None:
        if values:
            with self._hooks.for_new_metrics():
                metric = metric.labels(*values)
        exemplar = None if deed.exemplar is None else {"trace_id": deed.exemplar}
        match metric:
            case Counter():
                with suppress(ValueError):  # NaN is refused as a negative amount
                    _inc(metric, deed.amount, exemplar)
            case Histogram():
                _observe(metric, deed.amount, exemplar)
            case _:
                _sum_up(metric, deed.amount)
