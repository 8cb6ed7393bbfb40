"""The bound on a family's label sets: against a model, on a real server, and through a replica."""

import json
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from prometheus_client import Counter as CounterMetric
from prometheus_client import Gauge, Histogram, Info

import fleetmeter
from fleetmeter.lua import lua_source
from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.values.batch import Batch
from fleetmeter.writer.bounds import GaugeBound
from support.fleet import samples, value
from support.store import StoreAddress

OVERFLOW = "__overflow__"
BOUNDS = ("1.0", "5.0", "+Inf")

Series = tuple[str, ...]


class Model:
    """What a family must hold: every unit under its series, or under the overflow one where the family was full."""

    def __init__(self, labels: int, *, parted: bool) -> None:
        self.parted = parted
        self.labels = labels
        self.overflow: Series = (OVERFLOW,) * labels
        self.admitted: set[Series] = set()
        self.numbers: Counter[tuple[str, ...]] = Counter()
        self.recorded: Counter[str] = Counter()

    def add(self, items: list[tuple[Series, str, int]], limit: int) -> int:
        """Take in a batch; how many series went to the overflow one."""
        gone = set()
        for series, part, amount in items:
            self.recorded[part] += amount
            if series not in self.admitted and series != self.overflow:
                if len(self.admitted) < limit:
                    self.admitted.add(series)
                else:
                    gone.add(series)
            kept = series if series in self.admitted else self.overflow
            self.numbers[(*kept, part) if self.parted else kept] += amount
        return len(gone)

    def remove(self, pattern: list[str | None]) -> None:
        """Take away every series that fits."""
        fits = {field for field in self.numbers if all(want in (None, is_) for want, is_ in zip(pattern, field))}  # noqa: B905  a part follows
        for field in fits:
            part = field[-1] if self.parted else ""
            self.recorded[part] -= self.numbers.pop(field)
            self.admitted.discard(field[: self.labels])

    def stored(self) -> dict[str, str]:
        """The family's hash."""
        return {compact_json(field): str(amount) for field, amount in self.numbers.items()}


class Family:
    """The family of one model in a store, written by apply.lua for a writer of its own."""

    def __init__(self, client: Any, address: StoreAddress, model: Model) -> None:
        self.model = model
        self.field = "h:1" if model.parted else "c:1"
        keys = address.keys
        self.key = keys.family(self.field)
        self._keys = keys.fixed
        self._client = client
        self._script = client.register_script(lua_source("apply"))
        self._seq = 0
        client.hset(keys.writers, mapping={"@epoch": "E 1 1", "w": "0 0 1 alive"})

    def apply(self, limit: int, *body: object) -> list[str]:
        """One batch; the notes of the answer."""
        head = ["E", "w", self._seq, "", self._seq + 1, "", 0, "alive", limit]
        reply = [item.decode() for item in self._script(keys=[*self._keys, self.key], args=[*head, *body])]
        assert reply[0] == "applied"
        assert reply[6] == "0"
        self._seq += 1
        return reply[7:]

    def add(self, items: list[tuple[Series, str, int]], limit: int) -> None:
        """A batch for the model and for the store."""
        flat = []
        for series, part, amount in items:
            flat += [compact_json([*series, part] if self.model.parted else series), str(amount)]
        notes = self.apply(limit, "add_part" if self.model.parted else "add", 9, len(items), *flat)
        gone = self.model.add(items, limit)
        assert notes == (["overflow", f"{gone} {self.key}"] if gone else [])

    def remove(self, pattern: list[str | None]) -> None:
        """A removal for the model and for the store."""
        self.apply(1, "remove", 9, 1, self.field, compact_json(pattern), "parts" if self.model.parted else "one")
        self.model.remove(pattern)

    def stored(self) -> dict[str, str]:
        """The family's hash."""
        return {field.decode(): text.decode() for field, text in self._client.hgetall(self.key).items()}

    def check(self) -> None:
        """Store and model agree, and every unit is somewhere."""
        stored = self.stored()
        assert stored == self.model.stored()
        totals: Counter[str] = Counter()
        for field, text in stored.items():
            totals[json.loads(field)[-1] if self.model.parted else ""] += int(text)
        assert +totals == +self.model.recorded


def _batch(random: Random, model: Model) -> list[tuple[Series, str, int]]:
    """Some series, each with a zero or an amount, in parts if it has parts, in any order."""
    values = [*"abcdefgh", 'q"]', OVERFLOW, "sum", "é", "\x00"]
    drawn = {tuple(random.choices(values, k=model.labels)) for _ in range(random.randint(1, 12))}
    items = []
    for series in sorted(drawn):
        amount = random.choice((0, 1, 2, 7, 10**6))
        if not model.parted:
            items.append((series, "", amount))
            continue
        items.append((series, "sum", amount * 3))
        items += [(series, bound, amount) for bound in random.sample(BOUNDS, random.randint(0, 3)) if amount]
    random.shuffle(items)
    return items


@pytest.mark.parametrize("parted", [False, True], ids=["counter", "histogram"])
@pytest.mark.parametrize("seed", range(20))
def test_a_bounded_family_is_what_a_simple_model_says(seed: int, parted: bool, store: StoreAddress) -> None:
    """Label sets stay within the limit of who adds, an admitted series stays, and every unit is somewhere.

    Whatever comes in between: batches in any order, removals, other limits.
    """
    random = Random(seed)
    client = store.client()
    family = Family(client, store, Model(random.randint(1, 2), parted=parted))
    limits = [random.randint(1, 12)] if seed % 2 else [random.randint(1, 12) for _ in range(3)]
    for _ in range(60):
        if random.random() < 0.1:
            family.remove([random.choice((*"abcdefgh", None)) for _ in range(family.model.labels)])
        elif random.random() < 0.03:
            family.remove([None] * family.model.labels)
        else:
            before = set(family.model.admitted)
            family.add(_batch(random, family.model), random.choice(limits))
            assert before <= family.model.admitted
            assert len(family.model.admitted) <= max(limits)
        family.check()
    client.close()


def test_what_is_known_of_a_familys_size_is_not_out_of_date(store: StoreAddress) -> None:
    """Series that came in while there was plenty of room count, too, when it gets scarce."""
    client = store.client()
    family = Family(client, store, Model(1, parted=True))

    def sets(names: str) -> list[tuple[Series, str, int]]:
        return [((name,), part, 1) for name in names for part in ("sum", "1.0")]

    for names in ("abcd", "abcd", "e", "f", "ghijklmn"):  # the second has so many items that somebody has to look
        family.add(sets(names), 12)
        family.check()
    assert len(family.model.admitted) == 12
    client.close()


@pytest.fixture
def bounded(store: StoreAddress) -> Iterator[StoreAddress]:
    """A namespace that this process records into, with 20 label sets per family."""
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=60.0, replica="here", max_series=20)
    yield store
    fleetmeter.uninstall()


def test_what_is_too_much_is_in_one_series_and_counted(bounded: StoreAddress) -> None:
    """Counters and histograms of a replica: totals stay exact, and the family is named."""
    counter = CounterMetric("m_calls", "x", ["a", "b"], registry=None)
    histogram = Histogram("m_size", "x", ["a"], registry=None, buckets=(1,))
    for number in range(22):
        counter.labels(str(number), "y").inc(number)
        histogram.labels(str(number)).observe(number)
    assert fleetmeter.flush()
    counter.labels("21", "y").inc(10)
    assert fleetmeter.flush()
    assert fleetmeter.flush()
    found = samples(bounded)
    calls = {dict(labels)["a"]: number for (name, labels), number in found.items() if name == "m_calls_total"}
    assert (len(calls), sum(calls.values()), calls[OVERFLOW]) == (21, 241, 51)
    counts = {dict(labels)["a"]: number for (name, labels), number in found.items() if name == "m_size_count"}
    assert (len(counts), sum(counts.values()), counts[OVERFLOW]) == (21, 22, 2)
    assert sum(number for (name, _), number in found.items() if name == "m_size_sum") == 231
    assert (
        value(bounded, "fleetmeter_dropped_series_total", family="m_calls") == 2
    )  # the first batch's, told with the next
    counter.labels("0", "y").inc()
    assert fleetmeter.flush()
    assert value(bounded, "fleetmeter_dropped_series_total", family="m_calls") == 3
    assert value(bounded, "fleetmeter_dropped_series_total", family="m_size") == 2


def test_exemplars_stay_with_the_series_that_are_kept(bounded: StoreAddress) -> None:
    """What a family has no room for leaves no exemplar behind either."""
    counter = CounterMetric("m_traced", "x", ["a"], registry=None)
    histogram = Histogram("m_timed", "x", ["a"], registry=None, buckets=(1,))
    for number in range(25):
        counter.labels(str(number)).inc(1, {"trace": str(number)})
        histogram.labels(str(number)).observe(0.5, {"trace": str(number)})
    assert fleetmeter.flush()
    client = bounded.client()
    fields = [field.decode() for field in client.hkeys(bounded.keys.exemplars)]
    client.close()
    assert Counter(field.split(":")[0] for field in fields) == {"m_traced": 20, "m_timed": 20}


def test_a_replica_shows_so_many_series_of_a_gauge(bounded: StoreAddress) -> None:
    """What was shown goes on; what is too much is not shown, and counted by family."""
    gauge = Gauge("m_depth", "x", ["q"], registry=None, multiprocess_mode="sum")
    info = Info("m_build", "x", ["q"], registry=None)
    for number in range(22):
        gauge.labels(str(number)).set(number + 1)
        info.labels(str(number)).info({"v": "1"})
    assert fleetmeter.flush()
    for number in range(22):
        gauge.labels(str(number)).set(number + 10)
    assert fleetmeter.flush()
    gauge.labels("0").set(10)
    assert fleetmeter.flush()
    found = samples(bounded)
    assert sorted(number for (name, _), number in found.items() if name == "m_depth") == [*range(10, 30)]
    assert len([name for name, _ in found if name == "m_build_info"]) == 20
    assert value(bounded, "fleetmeter_dropped_series_total", family="m_depth") == 4
    assert value(bounded, "fleetmeter_dropped_series_total", family="m_build") == 2


def test_a_removed_gauge_makes_room_for_another() -> None:
    """The bound is on what is shown, and is each family's own."""
    bound = GaugeBound(1)
    gauge, other = Definition("g", "gauge", labels=("q",)), Definition("h", "gauge", labels=("q",))

    def shown(*names: str, of: Definition = gauge, unset: tuple[str, ...] = ()) -> list[str]:
        batch = Batch()
        for name in unset:
            batch.unset_gauge(of, (name,))
        for name in names:
            batch.set_gauge(of, (name,), None, "1")
        dropped = bound.hold(batch)
        assert sum(dropped.values()) == len(names) - len(batch.gauges)
        return [values[0] for _, _, values in batch.gauges]

    assert shown("a", "b") == ["a"]
    assert shown("b", "a") == ["a"]
    assert shown("b", of=other) == ["b"]
    assert shown("b", "a", unset=("a",)) == ["b"]
    assert shown("a") == []
