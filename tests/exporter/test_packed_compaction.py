"""Writers that count and remove while packed layouts are compacted, and an exporter that is scraped all the while."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from fleetmeter.schema.definition import compact_json
from fleetmeter.schema.packing import shape_of
from fleetmeter.values.delta import Delta, Removal
from fleetmeter.writer.compaction import Compact
from fleetmeter_exporter.exposition.exposition import Exposition
from fleetmeter_exporter.exposition.formats import TEXT
from fleetmeter_exporter.fleet import Fleet, fleet_settings
from support.blocks import packed
from support.exposition import Series, parse
from support.packed import Hand
from support.store import StoreAddress

STAYS = packed("stays_usd", "counter", ["k"], unit="usd")
TOOK = packed("took_seconds", "histogram", ["k"], ["0.1", "1.0", "+Inf"], unit="seconds")
COMES = packed("comes_usd", "counter", ["k"], unit="usd")
NANO = 10**9
ROUNDS = 60
LAYOUTS = (STAYS, TOOK, COMES)


class Removing(Hand):
    """A writer that counts in series that stay, and in series of its own that it removes again."""

    def __init__(self, address: StoreAddress, name: str) -> None:
        super().__init__(address, name)
        self.dice = random.Random(name)
        self.stays: Counter[str] = Counter()
        self.comes: Counter[str] = Counter()
        self.took: Counter[str] = Counter()

    def work(self, rounds: int) -> None:
        """So many rounds."""
        for _ in range(rounds):
            self.round()

    def round(self) -> None:
        """One batch that adds, by slot if that is known; and sometimes one that removes what came."""
        stays = {f"k{self.dice.randrange(20)}": self.dice.randrange(1, 9) for _ in range(6)}
        comes = {f"{self.name}-{self.dice.randrange(50)}": 1 for _ in range(6)}
        delta = Delta(
            adds={
                STAYS.field: {compact_json([key]): amount * NANO for key, amount in stays.items()},
                COMES.field: {compact_json([key]): amount * NANO for key, amount in comes.items()},
                TOOK.field: {compact_json([key, part]): 1 for key in stays for part in ("sum", "1.0")},
            },
            has_parts=frozenset((TOOK.field,)),
            shapes={each.field: (shape_of(each, each.bounds),) for each in LAYOUTS},
            definitions={each.field: each.to_json() for each in LAYOUTS},
        )
        assert self.send(delta).status == "applied"
        self.stays.update(stays)
        self.comes.update(comes)
        self.took.update(stays.keys())
        if self.dice.random() < 0.5 and self.comes:
            gone = self.dice.sample(sorted(self.comes), max(1, len(self.comes) // 2))
            removals = tuple(Removal(COMES.field, compact_json([key]), has_parts=False, packed=True) for key in gone)
            assert self.send(Delta(removals=removals)).status == "applied"
            for key in gone:
                del self.comes[key]


def scraped(fleet: Fleet, exposition: Exposition) -> dict[Series, float]:
    """The samples of a scrape, which shows what the store has now."""
    scrape = fleet.scrape()
    assert scrape.errors == {}
    assert scrape.shown is not None
    assert not scrape.shown.held
    assert scrape.shown.counts_behind == 0
    return parse(exposition.text([scrape], 0.0).decode())


def of_family(samples: dict[Series, float], name: str) -> dict[str, float]:
    """The samples of one name, by the label `k`."""
    return {dict(labels)["k"]: value for (own, labels), value in samples.items() if own == name}


def test_nothing_is_lost_held_or_lower_while_layouts_are_compacted(store: StoreAddress) -> None:
    """What the writers counted is what is shown, whatever was removed and compacted meanwhile, and counts only rise."""
    writers = [Removing(store, name) for name in ("one", "two", "three")]
    exposition, keeper, compactions = Exposition(TEXT), Hand(store, "keeper"), 0
    before: dict[Series, float] = {}
    with ThreadPoolExecutor() as threads, closing(Fleet(fleet_settings(store.url, store.namespace))) as fleet:
        working = [threads.submit(writer.work, ROUNDS) for writer in writers]
        while not all(work.done() for work in working):
            for layout in LAYOUTS:
                call = Compact(keeper.epoch, "random", (layout.field,), least=0, share=0, most=999)
                compactions += keeper.store.compact(call)
            found = scraped(fleet, exposition)
            lower = {of for of, value in before.items() if found.get(of, 0) < value}
            assert {name for name, _ in lower} <= {"comes_usd_total", "fleetmeter_scrape_series"}
            before = found
        for work in working:
            work.result()
        found = scraped(fleet, exposition)
    assert compactions > 3
    stays = sum((writer.stays for writer in writers), Counter[str]())
    assert of_family(found, "stays_usd_total") == stays
    assert of_family(found, "took_seconds_count") == sum((writer.took for writer in writers), Counter[str]())
    assert of_family(found, "comes_usd_total") == sum((writer.comes for writer in writers), Counter[str]())
    for hand in (*writers, keeper):
        hand.close()
