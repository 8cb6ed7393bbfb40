"""The machinery's own metrics and messages."""

import logging
import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from prometheus_client import Counter, Gauge

import fleetmeter
from fleetmeter.process.installation import current
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import Keys
from fleetmeter.values.delta import Delta
from fleetmeter.writer.conflicts import CONFLICTS
from fleetmeter.writer.messages import Answer, Outcome
from fleetmeter.writer.telemetry import FLUSH_ERRORS, LOG_PAUSE, Telemetry
from support.fleet import installation, value
from support.processes import eventually
from support.store import StoreAddress


def sample(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    """One of its numbers."""
    return telemetry.registry.get_sample_value(name, labels)


def test_every_reason_exists_at_0() -> None:
    """The first trouble is an increase and not a birth."""
    telemetry = Telemetry()
    assert {sample(telemetry, "fleetmeter_flush_errors_total", reason=reason) for reason in FLUSH_ERRORS} == {0}
    assert sample(telemetry, "fleetmeter_rejected_values_total", reason="not_finite") == 0
    assert sample(telemetry, "fleetmeter_rejected_values_total", reason="store") == 0
    assert {sample(telemetry, "fleetmeter_definition_conflicts_total", reason=reason) for reason in CONFLICTS} == {0}


def test_what_is_counted() -> None:
    """Each event has its number."""
    telemetry = Telemetry()
    telemetry.flushed(0.003)
    telemetry.failed("timeout", "late")
    telemetry.answered(Outcome("behind", 3), "w")
    telemetry.answered(Outcome(), "w")
    telemetry.noted(Answer("applied", 1, "E", 1, refused=("k f: error",), refused_count=4))
    telemetry.rejected(Definition("c", "counter"), math.nan)
    telemetry.retain(99)
    assert sample(telemetry, "fleetmeter_flushes_total") == 1
    assert sample(telemetry, "fleetmeter_flush_duration_seconds_bucket", le="0.005") == 1
    assert sample(telemetry, "fleetmeter_flush_errors_total", reason="timeout") == 1
    assert sample(telemetry, "fleetmeter_flush_errors_total", reason="behind") == 1
    assert sample(telemetry, "fleetmeter_lost_batches_total") == 3
    assert sample(telemetry, "fleetmeter_rejected_values_total", reason="store") == 4
    assert sample(telemetry, "fleetmeter_rejected_values_total", reason="not_finite") == 1
    assert sample(telemetry, "fleetmeter_retained_bytes") == 99


def test_what_is_noted_about_families() -> None:
    """Series without a place are counted by family, definitions that disagree by what differs; the log names both."""
    telemetry = Telemetry()
    mine, theirs = Definition("c:d", "counter", help="a", labels=("x",)), Definition("c:d", "counter", help="b")
    key = Keys("n").family(mine.field)
    answer = Answer(
        "applied", 1, "E", 1, overflowed=((key, 3), (key, 4)), conflicts=((theirs.field, theirs.to_json()),)
    )
    telemetry.noted(answer, Delta(definitions={mine.field: mine.to_json()}))
    telemetry.dropped("g", 2)
    assert sample(telemetry, "fleetmeter_dropped_series_total", family="c:d") == 7
    assert sample(telemetry, "fleetmeter_dropped_series_total", family="g") == 2
    counted = {
        reason: sample(telemetry, "fleetmeter_definition_conflicts_total", reason=reason) for reason in CONFLICTS
    }
    assert {reason for reason, number in counted.items() if number} == {"labels", "help"}


def test_families_that_are_full_or_disagree_are_named_in_the_log_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A family that is full for an hour does not fill the log; another family is heard at once."""
    now = [0.0]
    telemetry = Telemetry(clock=lambda: now[0])
    one, other = Definition("f", "counter"), Definition("g", "counter")
    for time in (0.0, 1.0, LOG_PAUSE):
        now[0] = time
        for family in (one, other):
            told = ((family.field, Definition(family.name, "gauge").to_json()),)
            answer = Answer("applied", 1, "E", 1, overflowed=((Keys("n").family(family.field), 1),), conflicts=told)
            telemetry.noted(answer, Delta(definitions={family.field: family.to_json()}))
    messages = [record.getMessage() for record in caplog.records]
    assert [("max_series" in message, message.split(": ")[1].split()[0]) for message in messages] == [
        (True, "f"), (False, "f"), (True, "g"), (False, "g")
    ] * 2  # fmt: skip
    assert all(": type; " in message for message in messages if "max_series" not in message)


def test_each_trouble_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """A store that is away for an hour does not fill the log; another trouble is heard at once."""
    now = [0.0]
    telemetry = Telemetry(clock=lambda: now[0])
    with caplog.at_level(logging.WARNING, "fleetmeter"):
        for _ in range(5):
            telemetry.failed("timeout", "late")
        telemetry.failed("auth", "wrong")
        now[0] = LOG_PAUSE
        telemetry.failed("timeout", "late")
    store = "fleetmeter: the store"
    assert [record.args for record in caplog.records] == [(store, "late"), (store, "wrong"), (store, "late")]


def test_the_end_of_an_outage_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Once, after a failure, and not after every flush."""
    telemetry = Telemetry()
    with caplog.at_level(logging.INFO, "fleetmeter"):
        telemetry.flushed(0.1)
        telemetry.failed("timeout", "late")
        telemetry.flushed(0.1)
        telemetry.flushed(0.1)
    assert ["the store answers again" in record.message for record in caplog.records] == [False, True]


def test_own_metrics_ride_along_with_records(installed: StoreAddress) -> None:
    """They go out with the application's next record, and are the fleet's like every other family."""
    runtime = current()
    assert runtime is not None
    counter = Counter("rides", "x", registry=None)
    counter.inc()
    assert fleetmeter.flush()
    runtime._telemetry.failed("timeout", "late")
    assert not runtime.accumulator.has_work
    counter.inc()
    assert fleetmeter.flush()
    assert value(installed, "fleetmeter_flush_errors_total", reason="timeout") == 1


def test_what_somebody_would_act_on_is_told_at_the_end(store: StoreAddress) -> None:
    """A program that does one thing wrong and ends, as a job: its answer came with the last flush."""
    with installation(store):
        Gauge("t_stock", "x", registry=None, multiprocess_mode="sum").set(1)
    with installation(store):
        Counter("t_stock", "x", registry=None).inc()
        assert fleetmeter.flush()
        assert value(store, "fleetmeter_definition_conflicts_total", reason="type") == 0
    assert value(store, "fleetmeter_definition_conflicts_total", reason="type") == 1


@pytest.fixture
def restless(
    store: StoreAddress, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[StoreAddress]:
    """A namespace that this process records into, and whose heart beats ten times a second."""
    monkeypatch.setattr("fleetmeter.writer.exchange.HEARTBEAT", 0.1)
    numbers = getattr(request, "param", None)
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=0.02, numbers=numbers)
    yield store
    fleetmeter.uninstall()


def test_what_somebody_would_act_on_is_told_without_another_record(restless: StoreAddress) -> None:
    """With a heartbeat, by a process that counts nothing more; without news, heartbeats stay empty."""
    counter = Counter("t_jobs", "x", registry=None)
    counter.inc()
    assert fleetmeter.flush()
    counter.inc(math.inf)

    def told() -> bool:
        return value(restless, "fleetmeter_rejected_values_total", reason="not_finite") == 1

    assert eventually(told)
    flushes = value(restless, "fleetmeter_flushes_total")
    assert _goes_on_living(restless)
    assert value(restless, "fleetmeter_flushes_total") == flushes


@pytest.mark.parametrize("restless", ["fields"], indirect=True)  # a packed layout begins anew in a foreign key's place
def test_what_became_of_news_is_no_news(restless: StoreAddress, client: Any) -> None:
    """A family of the machinery's own that nobody can write to must not make an idle process talk for ever."""
    counter = Counter("t_jobs", "x", registry=None)
    counter.inc()
    assert fleetmeter.flush()
    (rejected,) = client.keys(restless.keys.family("fleetmeter_rejected_values:*"))
    client.delete(rejected)
    client.set(rejected, "text")
    counter.inc(math.inf)
    counter.inc()
    assert fleetmeter.flush()
    runtime = current()
    assert runtime is not None
    assert eventually(lambda: not runtime._telemetry.has_news)
    applied = runtime._exchange._writer.seq
    assert _goes_on_living(restless)
    assert runtime._exchange._writer.seq == applied


def test_a_heartbeat_between_flushes_takes_news_along(installed: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a process that flushes less often than its heart beats."""
    monkeypatch.setattr("fleetmeter.writer.exchange.HEARTBEAT", 0.0)
    runtime = current()
    assert runtime is not None
    Counter("t_jobs", "x", registry=None).inc()
    assert fleetmeter.flush()
    runtime._telemetry.failed("timeout", "late")
    runtime._exchange.beat()
    assert value(installed, "fleetmeter_flush_errors_total", reason="timeout") == 1


def _goes_on_living(store: StoreAddress) -> bool:
    """Whether heartbeats go on, for half a second."""
    with closing(Reader(store.url, store.namespace)) as reader:
        before = reader.glance().last_write_us or 0
        return eventually(lambda: (reader.glance().last_write_us or 0) > before + 500_000)
