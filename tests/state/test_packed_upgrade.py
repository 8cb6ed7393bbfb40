"""A fleet goes from fields to packed numbers while it records, is scraped, is converted, and its store fails over."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

from fleetmeter.reader.families import Families
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.fleet import Fleet, fleet_settings
from support.exposition import Series
from support.fleet import samples_of
from support.processes import eventually, started
from support.sentinel import SentinelStore
from support.store import StoreAddress

if TYPE_CHECKING:
    from subprocess import Popen

LAYOUTS = (
    Definition.of("calls", "counter", "", "", ("k",), (), ""),
    Definition.of("load", "counter", "", "", ("k",), (), ""),
    Definition.of("took_seconds", "histogram", "", "", ("k",), ("0.25", "1.0", "+Inf"), ""),
)
PACE = 0.1
"""Seconds between two scrapes."""


class Scraper:
    """Scrapes without pause, and checks that nothing goes down and that what was recorded together is seen together."""

    def __init__(self, address: StoreAddress) -> None:
        self._address = address
        self._ended = threading.Event()
        self._highest: dict[Series, float] = {}
        self.scrapes = self.unread = 0
        self.held: list[float] = []
        """When an older snapshot, or a number above the stored one, was shown."""
        self.faults: list[str] = []

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Scrape in a thread of its own, until the block's end."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _run(self) -> None:
        with closing(Fleet(fleet_settings(self._address.url, self._address.namespace))) as fleet:
            while not self._ended.is_set():
                self._scrape(fleet)
                time.sleep(PACE)

    def _scrape(self, fleet: Fleet) -> None:
        scrape = fleet.scrape()
        if scrape.shown is None:
            self.unread += 1
            return
        self.scrapes += 1
        if scrape.shown.held or scrape.shown.counts_behind:
            self.held.append(time.monotonic())
        families = Families(scrape.shown.snapshot)
        found = samples_of({name: families.family(source) for name, source in families.sources.items()})
        lower = [series for series, number in self._highest.items() if found.get(series, -1) < number]
        self.faults += [f"{series} went from {self._highest[series]} to {found.get(series)}" for series in lower]
        self._highest = {series: number for series, number in found.items() if series[0].startswith(NAMES)}
        if not scrape.shown.counts_behind:
            self._compare(found)

    def _compare(self, found: dict[Series, float]) -> None:
        for (name, labels), number in found.items():
            if name == "calls_total":
                count, seconds, load = (
                    found.get((other, labels)) for other in ("took_seconds_count", "took_seconds_sum", "load_total")
                )
                if count != number or seconds != load:
                    self.faults.append(f"torn: {labels} has {number} calls, {count} times of {seconds}, load {load}")


NAMES = ("calls_total", "load_total", "took_seconds_")


def ended(process: "Popen[str]") -> dict[str, list[int]]:
    """A process ends by itself; its ledger."""
    said, _ = process.communicate(timeout=40)
    assert process.returncode == 0
    ledger: dict[str, list[int]] = json.loads(said)
    return ledger


def test_a_rolling_upgrade_with_a_failover_in_the_middle_of_its_conversion() -> None:
    """The export equals all ledgers, no number goes down, nothing is torn, and a conversion alone holds nothing."""
    with SentinelStore() as sentinel, ExitStack() as stack:
        address = StoreAddress(sentinel.url, "upgrade")
        scraper = Scraper(address)
        ledgers: list[dict[str, list[int]]] = []

        def start(numbers: str) -> "Popen[str]":
            settings = {"FLEETMETER_NUMBERS": numbers, "FLEETMETER_FLUSH_INTERVAL": "0.1"}
            return stack.enter_context(started("upgraded.py", address, **settings))

        def left() -> int:
            client: Any = sentinel.master.client()
            with closing(client):
                return sum(client.hlen(address.keys.family(layout.field)) for layout in LAYOUTS)

        stack.enter_context(scraper.at_work())
        old = [start("fields") for _ in range(3)]
        assert eventually(lambda: left() > 400)
        new = []
        for process in old:
            new.append(start("packed"))
            ledgers.append(ended(process))
        whole = left()
        assert eventually(lambda: left() < whole - 100)
        assert not scraper.held, "nothing was lost so far"
        former = sentinel.kill_master()
        sentinel.wait_for_failover(former)
        unconverted = left()
        assert unconverted > 0, "the store failed over in the middle"
        assert eventually(lambda: left() == 0)
        ledgers += map(ended, new)
        with closing(Fleet(fleet_settings(address.url, address.namespace))) as fleet:
            shown = fleet.scrape().shown
        assert shown is not None
        families = Families(shown.snapshot)
        found = samples_of({name: families.family(source) for name, source in families.sources.items()})
        scraped = scraper.scrapes
        assert eventually(lambda: scraper.scrapes > scraped + 3)
        late = [at for at in scraper.held if at > time.monotonic() - 2 * PACE]
    calls: Counter[str] = Counter()
    quarters: Counter[str] = Counter()
    for ledger in ledgers:
        for key, (count, load) in ledger.items():
            calls[key] += count
            quarters[key] += load
    for key in calls:
        labels = frozenset({("k", key)})
        assert found["calls_total", labels] == found["took_seconds_count", labels] == calls[key]
        assert found["load_total", labels] == found["took_seconds_sum", labels] == quarters[key] / 4
    assert not scraper.faults, scraper.faults[:5]
    assert not late
    assert all(layout.twin is not None and layout.twin.field in shown.snapshot.numbers for layout in LAYOUTS)
