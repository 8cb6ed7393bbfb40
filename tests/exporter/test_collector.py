"""`RedisCollector` as a plain collector of prometheus_client, in anybody's registry."""

import logging
import os
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

import fleetmeter
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.errors import SettingError
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import EPOCH_FIELD
from fleetmeter_exporter import RedisCollector, get_metrics
from fleetmeter_exporter.scraper import Scraper
from support.exposition import Series, parse, total
from support.fleet import Replica
from support.scraping import FixedState, scrape
from support.store import StoreAddress

ERROR = "fleetmeter_last_scrape_error"
REQUESTS = Definition.of("requests", "counter", "Requests.", "", [], [], "")
OTHER = Definition.of("other", "counter", "Others.", "", ["a"], [], "")


def errors(samples: dict[Series, float]) -> set[str]:
    """What the scrape met."""
    return {dict(labels)["reason"] for (name, labels), value in samples.items() if value and name == ERROR}


def told(record: logging.LogRecord) -> dict[str, str]:
    """The fields of a line."""
    found: dict[str, str] = record.__dict__["fields"]
    return found


def spoil(client: Any, name: str, field: str | bytes | None, text: str) -> None:
    """Put a text under a field of a key; without one, something else than a hash in its place."""
    if field is None:
        client.delete(name)
        client.set(name, "something else")
    else:
        client.hset(name, field, text)


def own_time(samples: dict[Series, float]) -> dict[Series, float]:
    """What differs from one scrape to the other."""
    return {series: value for series, value in samples.items() if series[0] == "fleetmeter_scrape_duration_seconds"}


def test_the_fleet_of_install_is_the_default(installed: StoreAddress) -> None:
    """Who records into a fleet and collects without saying which gets that one."""
    Counter("own_fleet", "x", registry=None).inc()
    assert b"own_fleet_total 1\n" in get_metrics()
    assert any(family.name == "own_fleet" for family in RedisCollector().collect())


def test_registering_reads_nothing(store: StoreAddress) -> None:
    """Neither making it nor registering it opens a connection, in registries that ask for descriptions too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        for auto_describe in (False, True):
            RedisCollector(CollectorRegistry(auto_describe=auto_describe), url=url, namespace=store.namespace)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_it_shares_a_registry_with_other_metrics(store: StoreAddress) -> None:
    """In somebody's own registry its families stand beside theirs; unregistered, they are gone."""
    registry = CollectorRegistry()
    Counter("mine", "My own.", registry=registry).inc(3)
    with FixedState(store) as fixed:
        fixed.family(REQUESTS, {(): 7})
    collector = RedisCollector(registry, url=store.url, namespace=store.namespace)
    samples = parse(generate_latest(registry))
    assert (total(samples, "mine_total"), total(samples, "requests_total")) == (3, 7)
    registry.unregister(collector)
    assert "requests_total" not in generate_latest(registry).decode()


def test_settings_come_from_the_environment(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the library's variables decide; a wrong one is refused by its name."""
    with FixedState(store) as fixed:
        fixed.family(REQUESTS, {(): 7})
    for name, text in store.environ.items():
        monkeypatch.setenv(name, text)
    registry = CollectorRegistry()
    RedisCollector(registry)
    assert total(parse(generate_latest(registry)), "requests_total") == 7
    monkeypatch.setenv("FLEETMETER_REDIS_URL", "nowhere")
    with pytest.raises(SettingError, match=r"^FLEETMETER_REDIS_URL: "):
        RedisCollector()


def test_an_empty_namespace_is_up(store: StoreAddress) -> None:
    """Nobody has recorded yet: up, no replica, no series, and no time that would be made up."""
    samples = scrape(store)
    assert total(samples, "fleetmeter_up") == 1
    assert total(samples, "fleetmeter_replicas") == total(samples, "fleetmeter_scrape_series") == 0
    assert {name for name, _ in samples} == {
        "fleetmeter_up",
        "fleetmeter_last_scrape_error",
        "fleetmeter_exporter_build_info",
        "fleetmeter_replicas",
        "fleetmeter_snapshot_held",
        "fleetmeter_snapshot_held_reason",
        "fleetmeter_counts_behind",
        "fleetmeter_scrape_series",
        "fleetmeter_scrape_duration_seconds",
    }


def test_only_living_processes_are_replicas(store: StoreAddress) -> None:
    """A row whose heartbeat is old, or that said goodbye, is no replica; last write is the newest of all."""
    client = store.client()
    seconds, _ = client.time()
    now_us = seconds * 10**6
    for writer, age, state in (("a", 1, "alive"), ("b", 14, "alive"), ("c", 16, "alive"), ("d", 0, "goodbye")):
        client.hset(store.keys.writers, writer, f"1 0 {now_us - age * 10**6} {state}")
    client.close()
    samples = scrape(store)
    assert total(samples, "fleetmeter_replicas") == 2
    assert total(samples, "fleetmeter_last_write_timestamp_seconds") == seconds


@pytest.mark.parametrize(("newest", "shown"), [("goodbye", 1), ("alive", 0)])
def test_the_last_write_is_a_goodbye_or_not(store: StoreAddress, newest: str, shown: int) -> None:
    """Who wrote last decides, whatever others said before: a killed process left no goodbye behind it."""
    client = store.client()
    seconds, _ = client.time()
    older = "alive" if newest == "goodbye" else "goodbye"
    for writer, age, state in (("a", 30, older), ("b", 20, newest)):
        client.hset(store.keys.writers, writer, f"1 0 {(seconds - age) * 10**6} {state}")
    client.close()
    assert total(scrape(store), "fleetmeter_last_write_goodbye") == shown


@pytest.mark.parametrize(("end", "goodbye"), [("", 1), ("os.kill(os.getpid(), signal.SIGKILL)", 0)])
def test_a_clean_end_is_told_from_a_kill(server: EmbeddedStore, store: StoreAddress, end: str, goodbye: int) -> None:
    """The last write of a program that ends by itself is its goodbye; of one that is killed it is a batch."""
    program = f"""
import os, signal, fleetmeter
from prometheus_client import Counter
fleetmeter.install()
Counter("jobs", "Jobs.").inc()
assert fleetmeter.flush(10)
{end}
"""
    subprocess.run([sys.executable, "-c", program], env={**os.environ, **store.environ}, check=not end)
    samples = scrape(store)
    assert total(samples, "jobs_total") == 1
    assert total(samples, "fleetmeter_last_write_goodbye") == goodbye
    assert total(samples, "fleetmeter_replicas") == 1 - goodbye  # who was killed is missed after 15 s only


def test_a_series_is_shown_at_0_only_if_it_was_made_before_its_first_event(installed: StoreAddress) -> None:
    """Made early, it is there at 0 with the first record of anything; made with its event, it comes with its amount."""
    counter = Counter("births", "Births.", ["place"], registry=CollectorRegistry())
    counter.labels("foreseen")
    counter.labels("first").inc()
    assert fleetmeter.flush()
    before = scrape(installed)
    assert total(before, "births_total", place="foreseen") == 0
    assert total(before, "births_total", place="first") == 1
    assert ("births_total", "new") not in {(name, dict(labels).get("place")) for name, labels in before}
    counter.labels("new").inc(3)
    assert fleetmeter.flush()
    assert total(scrape(installed), "births_total", place="new") == 3


def test_a_process_that_records_sees_its_own_records(installed: StoreAddress) -> None:
    """What was recorded before the scrape is in it, though nothing had been flushed."""
    counter = Counter("seen", "Seen.", registry=CollectorRegistry())
    counter.inc(5)
    assert total(scrape(installed), "seen_total") == 5
    counter.inc()
    assert total(scrape(installed), "seen_total") == 6
    assert fleetmeter.flush()


@pytest.mark.parametrize(
    ("key", "field", "text", "reason"),
    [
        ("writers", EPOCH_FIELD, "epoch 1 99", "newer_format"),
        ("writers", EPOCH_FIELD, "x", "unreadable"),
        ("writers", "w", "no row", "unreadable"),
        ("writers", None, "", "unreadable"),
        ("families", None, "", "unreadable"),
    ],
)
def test_a_namespace_that_cannot_be_understood_is_down(
    store: StoreAddress, caplog: pytest.LogCaptureFixture, key: str, field: str | None, text: str, reason: str
) -> None:
    """No exception reaches the registry: up 0, why, no family of the fleet, and one line that names the key."""
    with FixedState(store) as fixed:
        fixed.family(REQUESTS, {(): 7})
    name = getattr(store.keys, key)
    client = store.client()
    before = client.dump(name)
    spoil(client, name, field, text)
    registry = CollectorRegistry()
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    with caplog.at_level(logging.INFO, "fleetmeter.exporter"):
        for _ in range(3):
            samples = parse(generate_latest(registry))
            assert total(samples, "fleetmeter_up") == 0
            assert errors(samples) == {reason}
            assert not [name for name, _ in samples if not name.startswith("fleetmeter_")]
        (record,) = caplog.records
        assert key in told(record)["problem"]
        assert told(record)["reason"] == reason
        client.restore(name, 0, before, replace=True)
        samples = parse(generate_latest(registry))
        assert (total(samples, "fleetmeter_up"), total(samples, "requests_total")) == (1, 7)
        assert errors(samples) == set()
        assert caplog.messages == ["cannot be read", "is in order again"]
    client.close()


@pytest.mark.parametrize(
    ("key", "field", "text", "reason"),
    [
        ("families", "other:00000000", "1 1 {}", "bad_definition"),
        ("families", "other:00000000", "nonsense", "bad_definition"),
        ("families", OTHER.field, '1 1 {"type":"counter"', "bad_definition"),
        ("families", b"\xff", "1 1 {}", "bad_definition"),
        ("other", None, "", "wrong_type"),
        ("other", '["a"]', "many", "bad_value"),
        ("other", "a", "1", "bad_value"),
        ("gauges", None, "", "wrong_type"),
        ("gauges", "w", "5", "bad_value"),
        ("exemplars", None, "", "wrong_type"),
        ("removed", None, "", "wrong_type"),
        ("cache_expiry", None, "", "wrong_type"),
    ],
)
def test_what_is_broken_does_not_hide_the_rest(
    store: StoreAddress,
    caplog: pytest.LogCaptureFixture,
    key: str,
    field: str | bytes | None,
    text: str,
    reason: str,
) -> None:
    """A definition, a number or a whole key that nobody can read: up 0, why, one line, and every other family."""
    with FixedState(store) as fixed:
        fixed.family(REQUESTS, {(): 7})
        fixed.family(OTHER, {("a",): 5})
    name = store.keys.family(OTHER.field) if key == "other" else getattr(store.keys, key)
    client = store.client()
    spoil(client, name, field, text)
    registry = CollectorRegistry()
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    with caplog.at_level(logging.INFO, "fleetmeter.exporter"):
        for _ in range(3):
            samples = parse(generate_latest(registry))
            assert (total(samples, "fleetmeter_up"), total(samples, "requests_total")) == (0, 7)
            assert errors(samples) == {reason}
            assert samples == parse(Scraper.of(store.url, [store.namespace]).scrape()) | own_time(samples)
    problems = [told(record)["problem"] for record in caplog.records if record.levelname == "ERROR"]
    assert len(set(problems)) == 1
    client.close()


def test_a_served_family_that_breaks_stays_as_it_was(store: StoreAddress) -> None:
    """A counter that was served does not vanish with its key or its definition; what is wrong is told."""
    with FixedState(store) as fixed:
        fixed.family(OTHER, {("a",): 5})
    registry = CollectorRegistry()
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    assert total(parse(generate_latest(registry)), "other_total") == 5
    client = store.client()
    spoil(client, store.keys.family(OTHER.field), None, "")
    samples = parse(generate_latest(registry))
    assert (total(samples, "fleetmeter_up"), total(samples, "other_total"), errors(samples)) == (0, 5, {"wrong_type"})
    client.delete(store.keys.family(OTHER.field))
    client.hset(store.keys.family(OTHER.field), '["a"]', "no number")
    samples = parse(generate_latest(registry))
    assert (total(samples, "other_total"), total(samples, "fleetmeter_counts_behind")) == (5, 1)
    client.hset(store.keys.families, OTHER.field, "nonsense")
    samples = parse(generate_latest(registry))
    assert (total(samples, "other_total"), errors(samples)) == (5, {"bad_definition"})
    client.close()


def test_a_family_of_a_later_version_does_not_stop_the_others(
    store: StoreAddress, caplog: pytest.LogCaptureFixture
) -> None:
    """An exporter that is older than a replica serves what it knows, and says once what it does not."""
    later = Definition.of("sketches", "sketch", "Sketches.", "", [], [], "")
    with FixedState(store) as fixed:
        fixed.family(REQUESTS, {(): 7})
    client = store.client()
    client.hset(store.keys.families, later.field, f"1 1 {later.to_json()}")
    client.close()
    registry = CollectorRegistry()
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    with caplog.at_level(logging.INFO, "fleetmeter.exporter"):
        for _ in range(3):
            samples = parse(generate_latest(registry))
            assert (total(samples, "fleetmeter_up"), total(samples, "requests_total")) == (1, 7)
            assert errors(samples) == {"unknown_type"}
    (record,) = caplog.records
    assert "'sketches'" in told(record)["problem"]
    assert "'sketch'" in told(record)["problem"]


def test_a_count_that_no_float_holds_does_not_stop_the_others(store: StoreAddress) -> None:
    """The store adds up further than floats go; the scrape shows an infinity and all the rest."""
    large = int(1.7e308)
    with FixedState(store) as fixed:
        fixed.family(REQUESTS, {(): 2 * large})
        fixed.family(Definition.of("small", "counter", "Small.", "", [], [], ""), {(): large})
    samples = scrape(store)
    assert (total(samples, "requests_total"), total(samples, "small_total")) == (float("inf"), 1.7e308)


def test_a_store_that_goes_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """While it is away: up 0 and nothing stale, one line; afterwards up 1 and every number again."""
    with EmbeddedStore() as own:
        store = StoreAddress(own.url, "mine")
        registry = CollectorRegistry()
        RedisCollector(registry, url=store.url, namespace=store.namespace)
        for _ in range(2):
            with FixedState(store) as fixed:
                fixed.family(REQUESTS, {(): 7})
            samples = parse(generate_latest(registry))
            assert (total(samples, "fleetmeter_up"), total(samples, "requests_total")) == (1, 7)
            own.kill()
            caplog.clear()
            for _ in range(3):
                assert "requests" not in (text := generate_latest(registry).decode())
                assert "fleetmeter_up 0.0\n" in text
                assert "fleetmeter_replicas" not in text
            assert len(caplog.records) == 1
            own.start()


def test_scrapes_at_the_same_time_are_each_whole(store: StoreAddress) -> None:
    """One collector serves many threads: every scrape has every series."""
    with FixedState(store) as fixed:
        for number in range(50):
            definition = Definition.of(f"family_{number}", "counter", "Many.", "", ["n"], [], "")
            fixed.family(definition, {(str(n),): n for n in range(5)})
    registry = CollectorRegistry()
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    found: list[int] = []

    def work() -> None:
        for _ in range(10):
            samples = parse(generate_latest(registry))
            found.append(sum(name.startswith("family_") for name, _ in samples))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [250] * 60


@pytest.mark.parametrize("packs", [True, False], ids=["packed", "fields"])
def test_a_store_that_went_back_shows_what_was_served(store: StoreAddress, *, packs: bool) -> None:
    """A collector remembers: while the writer may send again the last good snapshot is shown, and says so."""
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    replica = Replica(store, packs=packs)
    counter = replica.counter("k_back")
    client = store.client()
    counter.inc(1)
    assert replica.flush()
    before = {key: client.dump(key) for key in client.keys(store.keys.writers.removesuffix("writers") + "*")}
    for _ in range(2):
        counter.inc(1)
        assert replica.flush()
    assert total(parse(generate_latest(registry)), "k_back_total") == 3
    for key, content in before.items():
        client.restore(key, 0, content, replace=True)
    held = parse(generate_latest(registry))
    assert (total(held, "k_back_total"), total(held, "fleetmeter_snapshot_held")) == (3, 1)
    assert total(held, "fleetmeter_counts_behind") == 1
    counter.inc(1)
    assert replica.flush()
    after = parse(generate_latest(registry))
    assert (total(after, "k_back_total"), total(after, "fleetmeter_snapshot_held")) == (4, 0)
    client.close()
    replica.close()
