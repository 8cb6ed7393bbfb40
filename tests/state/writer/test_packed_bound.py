"""The bound on a packed layout's label sets: against a model, on a real server, and through a replica."""

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from prometheus_client import Counter as CounterMetric
from prometheus_client import Histogram

import fleetmeter
from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.packing import shape_of
from fleetmeter.values.delta import Removal
from support.packed import Hand, adds_of, decoded
from support.store import StoreAddress

OVERFLOW = "__overflow__"
BOUNDS = ("1.0", "5.0", "+Inf")
Numbers = dict[tuple[str, ...], int]


def layout(labels: int, *, parted: bool, bounds: tuple[str, ...] = BOUNDS) -> Definition:
    """A counter or a histogram with so many labels."""
    names = [f"l{number}" for number in range(labels)]
    if parted:
        return Definition.of("h_seconds", "histogram", "", "seconds", names, bounds, "", packed=True)
    return Definition.of("c", "counter", "", "usd", names, (), "", packed=True)


class Model:
    """What a layout must hold: every unit under its series, or under the overflow one if there was no room."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.labels = len(definition.labels)
        self.admitted: set[tuple[str, ...]] = set()
        self.numbers: Counter[tuple[str, ...]] = Counter()

    def add(self, numbers: Numbers, limit: int) -> int:
        """Take in a batch; how many series went to the overflow one."""
        gone = set()
        for field, amount in numbers.items():
            series = field[: self.labels]
            if series not in self.admitted and series != (OVERFLOW,) * self.labels:
                if len(self.admitted) < limit:
                    self.admitted.add(series)
                else:
                    gone.add(series)
            kept = (OVERFLOW,) * self.labels if series in gone else series
            self.numbers[(*kept, *field[self.labels :])] += amount
        return len(gone)

    def remove(self, pattern: list[str | None]) -> None:
        """Take away every series that fits."""

        def fits(field: tuple[str, ...]) -> bool:
            return all(wanted in (None, is_) for wanted, is_ in zip(pattern, field[: self.labels], strict=True))

        self.admitted = {series for series in self.admitted if not fits(series)}
        self.numbers = Counter({field: amount for field, amount in self.numbers.items() if not fits(field)})

    def stored(self) -> dict[str, int]:
        """All amounts but those of 0."""
        return {compact_json(field): amount for field, amount in self.numbers.items() if amount}


def _numbers(random: Random, definition: Definition) -> Numbers:
    """Some series, each with a zero or an amount, in parts if it has parts."""
    values = [*"abcdefgh", 'q"]', OVERFLOW, "sum", "é", "\x00"]
    drawn = {tuple(random.choices(values, k=len(definition.labels))) for _ in range(random.randint(1, 12))}
    items: list[tuple[tuple[str, ...], int]] = []
    for series in sorted(drawn):
        amount = random.choice((0, 1, 2, 7, 10**6, 10**30))
        if not definition.has_parts:
            items.append((series, amount))
            continue
        items.append(((*series, "sum"), amount * 3))
        bounds = random.sample(definition.bounds, random.randint(0, len(definition.bounds)))
        items += [((*series, bound), amount % 10**9) for bound in bounds]
    random.shuffle(items)
    return dict(items)


@pytest.mark.parametrize("parted", [False, True], ids=["counter", "histogram"])
@pytest.mark.parametrize("seed", range(20))
def test_a_bounded_layout_is_what_a_simple_model_says(
    seed: int, parted: bool, store: StoreAddress, client: Any
) -> None:
    """Label sets stay within the limit of who adds, an admitted series stays, and every unit is somewhere.

    Whatever comes in between: writers that know slots or do not, batches in any order, removals, other limits.
    """
    random = Random(seed)
    definition = layout(random.randint(1, 2), parted=parted)
    model = Model(definition)
    limits = [random.randint(1, 12)] if seed % 2 else [random.randint(1, 12) for _ in range(3)]
    hands = [Hand(store, f"w{number}", limit) for number, limit in enumerate(limits)]
    for _ in range(60):
        hand, pattern = random.choice(hands), None
        if random.random() < 0.13:
            pattern = [random.choice((*"abcdefgh", None)) for _ in definition.labels]
            pattern = random.choice((pattern, [None] * len(pattern)))
        removals = () if pattern is None else (Removal(definition.field, compact_json(pattern), parted, packed=True),)
        if pattern is not None:
            model.remove(pattern)
        before, numbers = set(model.admitted), _numbers(random, definition)
        gone = model.add(numbers, hand.store.max_series)
        answer = hand.add(definition, numbers, removals=removals)
        overflowed = [(store.keys.packed(definition.field)[0], gone)] if gone else []
        assert (answer.status, answer.refused_count, list(answer.overflowed)) == ("applied", 0, overflowed)
        assert before <= model.admitted
        assert len(model.admitted) <= max(limits)
        found = decoded(client, store.keys, definition)
        assert {field: amount for field, amount in found.items() if amount} == model.stored()
    for hand in hands:
        hand.close()


def test_another_shape_of_a_series_is_no_other_series(store: StoreAddress, client: Any) -> None:
    """A full layout still takes another bucket list for what it has; what it has no room for has one shape, too."""
    one, two = layout(1, parted=True), layout(1, parted=True, bounds=("2.0", "+Inf"))
    hand = Hand(store, max_series=2)
    for definition in (one, two, one, two):
        hand.add(definition, {(name, "sum"): 1 for name in "abcd"})
    found = decoded(client, store.keys, one)
    assert {field: amount for field, amount in found.items() if amount} == {
        '["a","sum"]': 4, '["b","sum"]': 4, '["__overflow__","sum"]': 8,
    }  # fmt: skip
    state = client.hget(store.keys.packed(one.field)[1], "@state").decode().split(" ")
    assert state[-3:] == ["2", "3", "0"]  # shapes, series and dead slots
    hand.close()


def test_what_overflows_is_carried_one_by_one(store: StoreAddress, client: Any) -> None:
    """A hundred series share the overflow's slot in one batch: it is carried in between."""
    definition = layout(1, parted=False)
    hand = Hand(store, max_series=1)
    answer = hand.add(definition, {(f"{number}",): 10**18 - 1 for number in range(101)})
    assert (answer.refused_count, answer.overflowed[0][1]) == (0, 100)
    assert decoded(client, store.keys, definition) == {'["0"]': 10**18 - 1, '["__overflow__"]': 100 * (10**18 - 1)}
    hand.close()


def test_a_series_in_overflow_gets_its_own_place_once_there_is_room(store: StoreAddress, client: Any) -> None:
    """It is sent by name each time, so that nothing has to be forgotten for it."""
    definition = layout(1, parted=False)
    hand = Hand(store, max_series=2)
    for _ in range(2):
        hand.add(definition, {("a",): 1, ("b",): 1, ("c",): 1})
    assert len(hand.known(definition).slots[shape_of(definition, ())]) == 2
    hand.add(definition, {("c",): 10}, removals=(Removal(definition.field, '["a"]', has_parts=False, packed=True),))
    assert decoded(client, store.keys, definition) == {'["b"]': 2, '["c"]': 10, '["__overflow__"]': 2}
    hand.close()


def test_an_exemplar_needs_its_number(store: StoreAddress, client: Any) -> None:
    """One of a series that has no place in its layout would be read with every scrape, and bounded by nothing."""
    for parted, part in ((False, ()), (True, ("1.0",))):
        definition = layout(1, parted=parted)
        hand = Hand(store, f"w{parted}", max_series=1)
        fields = [f"{definition.field} {compact_json((name, *part))}" for name in "ab"]
        hand.add(definition, {("a", *part): 1, ("b", *part): 1}, exemplars=dict.fromkeys(fields, "5 {}"))
        found = [field.decode() for field in client.hkeys(store.keys.exemplars)]
        assert [field for field in found if field.startswith(definition.field)] == fields[:1]
        hand.close()
    none = Definition.of("h0", "histogram", "", "", (), BOUNDS, "", packed=True)
    hand = Hand(store, "w0")
    hand.send(adds_of(none, {("1.0",): 1}, exemplars={f'{none.field} ["1.0"]': "5 {}"}))
    assert client.hexists(store.keys.exemplars, f'{none.field} ["1.0"]')
    hand.close()


@pytest.fixture
def bounded(store: StoreAddress) -> Iterator[StoreAddress]:
    """A namespace that this process records into, packed, with 20 label sets per family."""
    fleetmeter.install(
        url=store.url, namespace=store.namespace, flush_interval=60.0, replica="here", max_series=20, numbers="packed"
    )
    yield store
    fleetmeter.uninstall()


def test_what_is_too_much_is_in_one_series_and_counted(bounded: StoreAddress, client: Any) -> None:
    """Counters and histograms of a replica: totals stay exact, and the family is named."""
    counter = CounterMetric("m_calls", "x", ["a", "b"], registry=None)
    histogram = Histogram("m_size", "x", ["a"], registry=None, buckets=(1,))
    for number in range(22):
        counter.labels(str(number), "y").inc(number)
        histogram.labels(str(number)).observe(number)
    for _ in range(2):
        assert fleetmeter.flush()
        counter.labels("21", "y").inc(10)
    assert fleetmeter.flush()
    calls = decoded(client, bounded.keys, counter.labels("0", "y")._value.definition)
    assert (len(calls), sum(calls.values()), calls[f'["{OVERFLOW}","{OVERFLOW}"]']) == (21, 251 * 10**15, 61 * 10**15)
    sizes = decoded(client, bounded.keys, histogram.labels("0")._sum.definition)
    counts = {field: amount for field, amount in sizes.items() if not field.endswith('"sum"]')}
    assert (sum(counts.values()), sum(sizes.values()) - 22) == (22, 231 * 10**15)
    dropped = Definition.of(
        "fleetmeter_dropped_series",
        "counter",
        "",
        "",
        ("family",),
        (),
        "",
        packed=True,
    )
    told = decoded(client, bounded.keys, dropped)
    told = {field: amount for field, amount in told.items() if amount}  # other tests of this process have series, too
    assert told == {'["m_calls"]': 3 * 10**15, '["m_size"]': 2 * 10**15}
