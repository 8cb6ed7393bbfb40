"""The machinery's own metrics: ordinary families that ride along with the application's, or with a heartbeat."""

import logging
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from fleetmeter.excerpt import MOST, cut, quoted
from fleetmeter.schema.definition import OWN_PREFIX, Definition
from fleetmeter.schema.keys import family_of_key, split_family_field
from fleetmeter.schema.packing import LARGEST_WHOLE
from fleetmeter.schema.scale import LARGEST, Scale, is_finite
from fleetmeter.values.delta import NOTHING, Delta
from fleetmeter.writer.conflicts import CONFLICTS, reasons
from fleetmeter.writer.messages import Answer, Outcome

log = logging.getLogger("fleetmeter")

LOG_PAUSE = 60.0
"""Seconds between two messages about the same trouble."""

FLUSH_ERRORS = (
    "unreachable",
    "timeout",
    "loading",
    "auth",
    "refused",
    "format",
    "unknown",
    "epoch",
    "behind",
    "foreign",
    "internal",
    "replicas",
)

REJECTIONS = ("not_finite", "too_large", "store", "callback")
"""The reasons why a value was not recorded."""

_TROUBLES = {
    "format": "the namespace has another state format; use the version that wrote it, or another namespace",
    "unknown": "the store does not know this writer any more; it says hello again",
    "epoch": "the namespace has a new epoch (the store came back empty, or was emptied); counting goes on in it",
    "behind": "the store went back to an earlier state; counting goes on from there",
    "foreign": "another process uses this writer's id (a restored checkpoint?); it takes a new one",
}
"""What each answer means, as the log says it."""


class Telemetry:
    """Counts what the machinery does. Made while the hooks are in place, so that its families are the fleet's.

    `store` is what the log calls the store: its URL without the password.
    """

    def __init__(self, store: str = "the store", clock: Callable[[], float] = time.monotonic) -> None:
        self._store = f"fleetmeter: {store}"
        self.registry = CollectorRegistry()
        self._clock = clock
        self._last_log: dict[str, float] = {}
        self._failing = False
        self.has_news = False
        """Whether something was counted that somebody would act on, and that no batch has taken along yet."""
        self._flushes = Counter("fleetmeter_flushes", "Batches that the store acknowledged.", registry=self.registry)
        self._errors = Counter(
            "fleetmeter_flush_errors",
            "Calls to the store that did not go as they should, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "fleetmeter_flush_duration_seconds",
            "Time from sending a batch to its answer.",
            unit="seconds",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
            registry=self.registry,
        )
        self._lost = Counter(
            "fleetmeter_lost_batches",
            "Batches that the store had acknowledged and lost, and that no writer could send again.",
            registry=self.registry,
        )
        self._rejected = Counter(
            "fleetmeter_rejected_values",
            "Values that were not recorded: not finite, too large, refused by the store, or a gauge's function raised.",
            ["reason"],
            registry=self.registry,
        )
        self._dropped = Counter(
            "fleetmeter_dropped_series",
            "Series of a batch that had no place in their family, which holds max_series already: amounts went to the "
            "series __overflow__, values of gauges were not shown.",
            ["family"],
            registry=self.registry,
        )
        self._conflicts = Counter(
            "fleetmeter_definition_conflicts",
            "Definitions of families that said something else than the one they took the place of, by what differs.",
            ["reason"],
            registry=self.registry,
        )
        self._retained = Gauge(
            "fleetmeter_retained_bytes",
            "Bytes of batches that living replicas hold for sending again.",
            unit="bytes",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        # bound once: a child forked while a parent's thread is inside labels() would inherit a lock that nobody frees
        self._error = {reason: self._errors.labels(reason) for reason in FLUSH_ERRORS}
        self._reject = {reason: self._rejected.labels(reason) for reason in REJECTIONS}
        self._conflict = {reason: self._conflicts.labels(reason) for reason in CONFLICTS}

    def flushed(self, seconds: float) -> None:
        """A batch was acknowledged."""
        self._flushes.inc()
        self._duration.observe(seconds)
        if self._failing:
            self._failing = False
            log.info("%s answers again; what was recorded meanwhile is handed over", self._store)

    def retain(self, size: int) -> None:
        """Show how many bytes are kept for sending again."""
        self._retained.set(size)

    def failed(self, reason: str, message: str, defect: BaseException | None = None) -> None:
        """Count a failed call. `defect` is an error of our own, so its traceback goes to the log."""
        self._failing = True
        self._news(self._error[reason])
        text = message.rstrip(".")
        self._log(
            reason,
            "%s: %s; recording goes on, and the records are kept while this process lives",
            self._store,
            text,
            defect=defect,
        )

    def left_behind(self) -> None:
        """Warn that the process may end now although the store has not taken everything."""
        log.warning(
            "%s did not take everything that this process recorded; the rest is lost when the process ends",
            self._store,
        )

    def held_back(self, records: int) -> None:
        """Warn of a flush inside a block: the block's records are added only at its end."""
        self._log(
            "block",
            "fleetmeter: %d records were not handed over, because they wait for the end of an atomic() or durable() "
            "block that is open here; is the block in a suspended generator?",
            records,
        )

    def answered(self, outcome: Outcome, writer: str) -> None:
        """Count an answer that shows that the store and the writer disagree."""
        if outcome.trouble is not None:
            self._news(self._error[outcome.trouble])
            self._log(outcome.trouble, "%s, writer %s: %s", self._store, writer, _TROUBLES[outcome.trouble])
        if outcome.lost:
            self._news(self._lost, outcome.lost)
            self._log(
                "lost",
                "%s lost %d batches that it had acknowledged to writer %s; check its persistence and replication",
                self._store,
                outcome.lost,
                writer,
            )

    def noted(self, answer: Answer, sent: Delta = NOTHING) -> None:
        """Count what an answer reports: refused numbers, full families, definitions that differ from those `sent`.

        If the batch held only metrics of the machinery, what is counted waits for the next batch of the application:
        otherwise it would make another such batch, for ever.
        """
        news = not sent.adds or not all(family.startswith(OWN_PREFIX) for family in sent.adds)
        if answer.refused_count:
            self._news(self._reject["store"], answer.refused_count, news=news)
            items = "; ".join(answer.refused)
            self._log("store", "%s refused %d values, among them %s", self._store, answer.refused_count, items)
        for key, count in answer.overflowed:
            self.dropped(family_of_key(key), count, news=news)
        for field, stored in answer.conflicts:
            if differences := reasons(field, stored, sent.definitions):
                self._conflicting(split_family_field(field)[0], differences, news=news)

    def dropped(self, family: str, series: int, *, news: bool = True) -> None:
        """Count the series of a batch that had no place in their family."""
        self._news(self._dropped.labels(family), series, news=news)
        self._log(
            f"overflow {family}",
            "fleetmeter: %s has reached its largest number of label sets (max_series); amounts of new ones go to the "
            "series __overflow__, and new ones of a gauge are not shown; use labels with fewer values, or raise "
            "FLEETMETER_MAX_SERIES",
            family,
        )

    def _conflicting(self, family: str, differences: list[str], *, news: bool) -> None:
        for reason in differences:
            self._news(self._conflict[reason], news=news)
        self._log(
            f"conflict {family}",
            "fleetmeter: %s has another definition in another process, or had one before: %s; the newest definition is "
            "served. This is normal during a deploy; if it goes on, two programs use one name for different things",
            family,
            ", ".join(differences),
        )

    def rejected(self, definition: Definition, amount: object) -> None:
        """An amount of a counter, histogram or summary was NaN, infinite, or beyond what can be added up."""
        finite = is_finite(amount)
        self._news(self._reject["too_large" if finite else "not_finite"])
        self._log(
            f"value {definition.name}",
            "fleetmeter: %s: %s cannot be counted and was left out: %s",
            definition.name,
            quoted(amount),
            f"it is beyond {largest_of(definition):g}, the largest amount" if finite else "it is not finite",
        )

    def callback_failed(self, definition: Definition, error: BaseException) -> None:
        """The function of a gauge raised, or returned no number."""
        self._news(self._reject["callback"])
        self._log(
            f"callback {definition.name}",
            "fleetmeter: %s: its function failed, and the gauge keeps its last good value: %s",
            definition.name,
            quoted(error, MOST),
            defect=error,
        )

    def _news(self, counter: Counter, amount: int = 1, *, news: bool = True) -> None:
        counter.inc(amount)
        self.has_news = self.has_news or news

    def _log(self, subject: str, message: str, *values: object, defect: BaseException | None = None) -> None:
        now = self._clock()
        last = self._last_log.get(subject)
        if last is None or now - last >= LOG_PAUSE:
            self._last_log[subject] = now
            shown = (cut(value) if isinstance(value, str) else value for value in values)
            log.warning(message, *shown, exc_info=defect)


def largest_of(definition: Definition) -> float:
    """The largest amount that a family takes, in its own unit."""
    if definition.packed:
        return LARGEST_WHOLE if definition.scale == Scale.FEMTO else LARGEST_WHOLE / definition.scale
    return LARGEST / definition.scale
