"""Packed numbers are written from cached parts, and the text is what the general way makes of the same store."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.packing import BASE, FRACTION
from fleetmeter_exporter.exposition.exposition import Exposition
from fleetmeter_exporter.exposition.formats import TEXT, Format
from fleetmeter_exporter.exposition.packed_block import PackedBlock
from fleetmeter_exporter.exposition.row_patterns import TOGETHER
from fleetmeter_exporter.fleet import Fleet, fleet_settings
from fuzz.comparison import check, masked
from fuzz.expected import Expected, expected
from support.blocks import Blocks, packed
from support.scraping import FixedState
from support.store import StoreAddress

FORMATS = [TEXT, Format(True, "1.0.0")]
BOUNDS = ("0.1", "1.0", "+Inf")
LABELS = ("model", "team")

Amounts = Callable[[random.Random, Blocks], dict[str, int]]


def whole(dice: random.Random, blocks: Blocks) -> dict[str, int]:
    """Counts."""
    return {part: dice.randrange(1, 50) * (FRACTION if part in ("", "sum") else 1) for part in parts(blocks)}


def fractions(dice: random.Random, blocks: Blocks) -> dict[str, int]:
    """Any stored units."""
    return {part: dice.randrange(1, 10**17 if part in ("", "sum") else 50) for part in parts(blocks)}


def huge(dice: random.Random, blocks: Blocks) -> dict[str, int]:
    """Values beyond 64 bits."""
    return {part: dice.randrange(1, BASE * FRACTION * 9) if part in ("", "sum") else 1 for part in parts(blocks)}


def negative(dice: random.Random, blocks: Blocks) -> dict[str, int]:
    """Sums that go below 0 and come back."""
    return {part: dice.randrange(-(10**17), 10**17) if part == "sum" else 1 for part in parts(blocks)}


def parts(blocks: Blocks) -> Sequence[str]:
    """The parts of the layout's newest blocks."""
    kind = blocks.definition.type
    return {"counter": ("",), "summary": ("sum", "count")}.get(kind, ("sum", *blocks.definition.bounds))


KINDS: dict[str, tuple[Definition, Amounts]] = {
    "counters, whole": (packed("x", "counter", LABELS), whole),
    "counters, fractions": (packed("x", "counter", LABELS), fractions),
    "counters, huge": (packed("x", "counter", LABELS), huge),
    "counters, money": (packed("x_usd", "counter", LABELS), fractions),
    "counters, one label": (packed("x", "counter", ["k"]), whole),
    "histograms, seconds": (packed("x_seconds", "histogram", LABELS, BOUNDS), fractions),
    "histograms, whole": (packed("x", "histogram", LABELS, BOUNDS), whole),
    "histograms, huge": (packed("x", "histogram", LABELS, BOUNDS), huge),
    "histograms, negative": (packed("x", "histogram", LABELS, BOUNDS), negative),
    "histograms, negative bounds": (packed("x", "histogram", LABELS, ("-1.0", "+Inf")), negative),
    "histograms, one bucket": (packed("x", "histogram", LABELS, ("+Inf",)), whole),
    "summaries": (packed("x", "summary", LABELS), fractions),
    "summaries, negative": (packed("x", "summary", LABELS), negative),
}


class Fleetful:
    """A layout in a store, and an exporter's exposition of it."""

    def __init__(self, store: StoreAddress, client: Any, kind: tuple[Definition, Amounts], form: Format) -> None:
        definition, amounts = kind
        self.blocks, self.form = Blocks(definition), form
        self._store, self._client, self._amounts = store, client, amounts
        self._dice = random.Random(0)
        self._anew = 0
        self.exposition = Exposition(form)
        self.fleet = Fleet(fleet_settings(store.url, store.namespace))
        with FixedState(store) as fixed:
            fixed.writer("w1", "shop", 7)

    def series(self, number: int) -> list[str]:
        """Label values by the number of a series; some must be escaped."""
        texts = [f"m-{number * 7919 % 1009}", f'"{number}"\n%\\' if number % 10 == 3 else f"t{number}"]
        return texts[: len(self.blocks.definition.labels)]

    def change(self, numbers: Sequence[int], bounds: Sequence[str] | None = None) -> None:
        """Let some series grow, or come."""
        for number in numbers:
            amounts = self._amounts(self._dice, self.blocks)
            some = amounts if bounds is None else {part: amounts[part] for part in ("sum", *bounds) if part in amounts}
            self.blocks.add(self.series(number), some, bounds)

    def remove(self, numbers: Sequence[int]) -> None:
        """Remove some series on purpose."""
        for number in numbers:
            self.blocks.remove(self.series(number))
            series = self.blocks.definition.series_field(self.series(number))
            self._client.hset(self._store.keys.removed, f"{self.blocks.definition.field} {series}", "5")

    def shown(self, *, fast: bool = True) -> str:
        """The exposition, which is what the general way makes of the same store; `fast` says how it was made."""
        self.store()
        return self.again(fast=fast)

    def store(self) -> None:
        """Put everything into the store."""
        self.blocks.store(self._client, self._store.keys)

    def again(self, *, fast: bool = True) -> str:
        """The same, of the store as it is."""
        body = self.exposition.body([self.fleet.scrape()], 0.0)
        text = body.whole().decode()
        assert b"".join(body).decode() == text
        assert len(body) == len(text.encode())
        check(text, self.expected())
        assert not self.exposition._lines
        assert [type(block) is PackedBlock for (_, name), block in self.exposition._blocks.items() if name == "x"
                or name.startswith("x_")] == [fast]  # fmt: skip
        return text

    def expected(self) -> Expected:
        """What the general way makes of the store, by a fleet that remembers nothing."""
        with closing(Fleet(fleet_settings(self._store.url, self._store.namespace))) as fleet:
            return expected([fleet.scrape()], self.form, created=False)

    def begin_anew(self) -> None:
        """Let all series come once more, in another order: no list of names goes on from one before."""
        living = [json.loads(series) for series, _ in self.blocks.blocks]
        self.blocks = Blocks(self.blocks.definition, str(self._dice.random()))
        self._anew += 1
        self._client.hset(self._store.keys.removed, self.blocks.definition.field, f"{5 + self._anew}")
        for values in self._dice.sample(living, len(living)):
            self.blocks.add(values, self._amounts(self._dice, self.blocks))

    def give_examples(self, numbers: Sequence[int]) -> None:
        """Let these series have the only exemplars."""
        self._client.delete(self._store.keys.exemplars)
        definition = self.blocks.definition
        part = definition.bounds[-1] if definition.bounds else None
        for number in numbers:
            text = compact_json({"labels": {"trace_id": "a b"}, "value": number, "timestamp": 1790000000.5})
            field = definition.series_field(self.series(number), part)
            self._client.hset(self._store.keys.exemplars, f"{definition.field} {field}", f"1 {text}")

    def close(self) -> None:
        """Close the connections."""
        self.fleet.close()


@pytest.fixture(params=[TOGETHER, 700], ids=["one-text", "many-texts"])
def _together(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of patterns that become one text: of all rows here, or of a few."""
    monkeypatch.setattr("fleetmeter_exporter.exposition.row_patterns.TOGETHER", request.param)


@pytest.fixture(params=FORMATS, ids=["text", "openmetrics"])
def begin(
    request: pytest.FixtureRequest, store: StoreAddress, client: Any, _together: None
) -> Iterator[Callable[..., Fleetful]]:
    """What makes a fleet of a kind."""
    made = []

    def made_of(definition: Definition, amounts: Amounts) -> Fleetful:
        made.append(Fleetful(store, client, (definition, amounts), request.param))
        return made[-1]

    yield made_of
    for fleet in made:
        fleet.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_written_from_cached_parts(kind: str, begin: Callable[..., Fleetful]) -> None:
    """At first, with changed numbers, unchanged, with new series, with series that went, and with all changed."""
    fleet = begin(*KINDS[kind])
    fleet.change(range(40))
    fleet.shown()
    fleet.change([3, 17, 39])
    fleet.shown()
    for _ in range(3):
        fleet.again()
    fleet.change([1, 5, 40, 45, 41, 44])
    fleet.shown()
    fleet.remove([0, 3, 45])
    fleet.change([3, 50])
    fleet.shown()
    fleet.change(range(1, 44))
    fleet.shown()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "kind", ["counters, fractions", "counters, huge", "histograms, seconds", "histograms, negative", "summaries"]
)
def test_whatever_happens_an_exposition_is_as_a_new_one(kind: str, seed: int, begin: Callable[..., Fleetful]) -> None:
    """Numbers grow in digits and shrink, series come and go, lists begin anew, exemplars come and go, in any order."""
    fleet, dice = begin(*KINDS[kind]), random.Random(seed)
    fleet.change(range(20))
    living = set(range(20))
    for _ in range(12):
        match dice.randrange(7):
            case 0:
                born = range(max(living) + 1, max(living) + 1 + dice.randrange(8))
                fleet.change(born)
                living.update(born)
            case 1 if len(living) > 5:
                gone = dice.sample(sorted(living), dice.randrange(1, 5))
                fleet.remove(gone)
                living.difference_update(gone)
            case 2:
                fleet.begin_anew()
            case 3:
                fleet.give_examples(dice.sample(sorted(living), dice.randrange(4)))
            case _:
                fleet.change(dice.sample(sorted(living), dice.randrange(len(living))))
        text = fleet.shown()
        assert masked(Exposition(fleet.form).text([fleet.fleet.scrape()], 0.0)) == masked(text.encode())


def test_an_answer_says_what_its_scrape_found_however_late_it_is_written_out(begin: Callable[..., Fleetful]) -> None:
    """Others that come meanwhile, with other numbers and more series, change nothing of it, nor does a reader."""
    fleet = begin(*KINDS["histograms, seconds"])
    fleet.change(range(30))
    bodies, texts = [], []
    for numbers in (range(9), range(20, 60), [1], [1], range(70)):
        fleet.change(numbers)
        fleet.store()
        scrape = fleet.fleet.scrape()
        bodies.append(fleet.exposition.body([scrape], 0.0))
        texts.append(masked(Exposition(fleet.form).text([scrape], 0.0)))
    parts = zip(*map(iter, (bodies[1], bodies[1])), strict=True)
    assert all(one == other for one, other in parts)
    assert [masked(b"".join(body)) for body in bodies] == texts


def test_layouts_without_labels_and_without_series(begin: Callable[..., Fleetful]) -> None:
    """A family has its head before its first number."""
    fleet = begin(packed("x", "counter"), fractions)
    assert "# HELP x" in fleet.shown()
    fleet.change([0])
    fleet.shown()
    fleet.change([0])
    fleet.shown()


def test_series_of_several_shapes(begin: Callable[..., Fleetful]) -> None:
    """Blocks with other bounds are added to those of the newest list, and their counts move to the next larger."""
    fleet = begin(packed("x_seconds", "histogram", LABELS, BOUNDS), fractions)
    fleet.change(range(8), ["0.1", "+Inf"])
    fleet.shown()
    fleet.change(range(6, 12))
    fleet.shown()
    fleet.change([0, 7, 11, 12], ["0.1", "0.25", "2.0", "+Inf"])
    fleet.shown()
    fleet.change([0, 12], ["0.1", "+Inf"])
    fleet.shown()
    fleet.change([6, 9])
    fleet.shown()
    fleet.remove([7])
    fleet.change([20])
    fleet.shown()


def test_a_new_help_text_and_new_bounds(begin: Callable[..., Fleetful], client: Any, store: StoreAddress) -> None:
    """What is shown follows the newest definition."""
    fleet = begin(packed("x_seconds", "histogram", LABELS, BOUNDS), fractions)
    fleet.change(range(8))
    fleet.shown()
    newest = Definition.of("x_seconds", "histogram", "Other.", "", LABELS, ("0.5", "+Inf"), "", packed=True)
    client.hset(store.keys.families, newest.field, f"1 2 {newest.to_json()}")
    assert "Other." in fleet.again()


@pytest.mark.parametrize("kind", ["counters, whole", "histograms, seconds", "histograms, negative", "summaries"])
def test_exemplars(kind: str, begin: Callable[..., Fleetful], client: Any, store: StoreAddress) -> None:
    """Each stands on the line of its number, and is shown again when it or its number changes."""
    fleet = begin(*KINDS[kind])
    fleet.change(range(12))
    fleet.shown()

    def example(number: int, part: str | None, value: float, key: str = "") -> None:
        field = (
            key or f"{fleet.blocks.definition.field} {fleet.blocks.definition.series_field(fleet.series(number), part)}"
        )
        text = compact_json({"labels": {"trace_id": "a b"}, "value": value, "timestamp": 1790000000.5 + value})
        client.hset(store.keys.exemplars, field, f"1 {text}")

    counter = fleet.blocks.definition.type == "counter"
    for step, number in enumerate((0, 5, 11)):
        example(number, None if counter else "1.0", 0.5)
        example(number, None if counter else "0.7", 0.6)
        example(99, None if counter else "1.0", 0.5)
        example(number, "sum", 3)
        example(0, None, 0.25, f"{fleet.blocks.definition.field} [1]")
        fleet.again()
        fleet.change([number, 7 + step])
        fleet.shown()
        example(number, None if counter else "1.0", 0.9)
        fleet.again()
    fleet.change([20])
    example(20, None if counter else "+Inf", 0.9)
    fleet.shown()
    client.delete(store.keys.exemplars)
    fleet.again()


@pytest.mark.parametrize("kind", ["counters, whole", "histograms, seconds"])
def test_both_formats_side_by_side(kind: str, begin: Callable[..., Fleetful], store: StoreAddress) -> None:
    """While a fleet is updated, and a family has both, they are added up; before and after, one is shown alone."""
    fleet = begin(*KINDS[kind])
    fleet.change(range(12))
    fleet.shown()
    definition = fleet.blocks.definition
    older = Definition.of(definition.name, definition.type, "Help.", "", LABELS, definition.bounds, "")
    parted = ["sum", "0.1"] if definition.has_parts else []
    numbers: dict[tuple[str, ...], object]
    numbers = {(*fleet.series(number), *([part] if part else [])): 3 for number in (3, 30) for part in parted or [""]}
    with FixedState(store) as fixed:
        fixed.family(older, numbers)
        fleet.again(fast=False)
        fleet.change([3, 7])
        fleet.shown(fast=False)
        client = store.client()
        client.hdel(store.keys.families, older.field)
        client.hset(store.keys.removed, older.field, "5")
        client.close()
        fleet.again()


@pytest.mark.parametrize("kind", ["counters, fractions", "histograms, seconds", "histograms, negative"])
def test_layouts_with_other_labels(kind: str, begin: Callable[..., Fleetful], client: Any, store: StoreAddress) -> None:
    """After a deploy that changed labels, series of both sets stand side by side, and come and change in both."""
    fleet = begin(*KINDS[kind])
    fleet.change(range(30))
    fleet.shown()
    definition = fleet.blocks.definition
    others = [
        Blocks(packed(definition.name, definition.type, labels, definition.bounds)) for labels in (["team", "k"], [])
    ]
    for number in (3, 0, 1):
        others[0].add([f"t{number}", "x"], dict.fromkeys(parts(others[0]), 4 * FRACTION))
        others[1].add([], dict.fromkeys(parts(others[1]), 2))
        for blocks in others:
            blocks.store(client, store.keys)
        text = compact_json({"labels": {"trace_id": "a"}, "value": 1, "timestamp": 1790000000.5})
        field = others[0].definition.series_field([f"t{number}", "x"], "+Inf" if definition.has_parts else None)
        client.hset(store.keys.exemplars, f"{others[0].definition.field} {field}", f"1 {text}")
        fleet.shown()
        fleet.change([number, 30 + number])
        fleet.shown()
    others[0].remove(["t0", "x"])
    others[0].store(client, store.keys)
    client.hset(
        store.keys.removed, f"{others[0].definition.field} {others[0].definition.series_field(['t0', 'x'])}", "5"
    )
    fleet.again()


def test_layouts_with_the_same_labels(begin: Callable[..., Fleetful], client: Any, store: StoreAddress) -> None:
    """A series that was in dollars of its own and in nano-dollars is added up."""
    fleet = begin(packed("x", "counter", LABELS), whole)
    fleet.change(range(5))
    fleet.shown()
    nano = replace(fleet.blocks.definition, scale=10**9)
    Blocks(nano).add(fleet.series(3), {"": 5}).add(["z", "z"], {"": 7}).store(client, store.keys)
    fleet.again(fast=False)


def test_series_of_other_spellings_are_served_in_the_general_way(store: StoreAddress, client: Any) -> None:
    """Nobody but this library's writers spells them so; still nothing is lost."""
    blocks = Blocks(packed("x", "counter", LABELS)).add(["a", "b"], {"": FRACTION})
    blocks.append('c 3 0 ["c", "d"]')
    blocks.slots += [0, 5, 0]
    blocks.store(client, store.keys)
    with closing(Fleet(fleet_settings(store.url, store.namespace))) as fleet:
        scrape = fleet.scrape()
        text = Exposition(TEXT).text([scrape], 0.0)
        check(text.decode(), expected([scrape], TEXT, created=False))
    assert b'x_total{model="c",team="d"} 5.0\n' in text


def test_no_line_goes_down_when_the_store_goes_back(store: StoreAddress, client: Any) -> None:
    """What was served is shown on, each number under its own series, until the store has all of it again."""
    exposition = Exposition(TEXT)
    keys = store.keys
    with closing(Fleet(fleet_settings(store.url, store.namespace), hold=0.0)) as fleet, FixedState(store) as fixed:
        fixed.writer("w1", "shop", 7)

        def shown(*counts: tuple[str, int]) -> list[bytes]:
            blocks = Blocks(packed("x", "counter", ["k"]))
            for key, count in counts:
                blocks.add([key], {"": count * FRACTION})
            blocks.store(client, keys)
            text = exposition.text([fleet.scrape()], 0.0)
            return [line for line in text.replace(b".0\n", b"\n").split(b"\n") if line.startswith(b"x_total")]

        assert shown(("a", 5), ("b", 7)) == [b'x_total{k="a"} 5', b'x_total{k="b"} 7']
        assert shown(("b", 6), ("a", 9)) == [b'x_total{k="a"} 9', b'x_total{k="b"} 7']
        assert shown(("b", 8), ("a", 9), ("c", 1)) == [b'x_total{k="a"} 9', b'x_total{k="b"} 8', b'x_total{k="c"} 1']


@pytest.mark.parametrize("kind", ["counters, whole", "histograms, seconds"])
def test_an_older_scrape_may_be_written_out_after_a_newer_one(kind: str, begin: Callable[..., Fleetful]) -> None:
    """Two requests at once are written out one after the other, in any order: each shows what its own read found."""
    fleet = begin(*KINDS[kind])
    fleet.change(range(6))
    fleet.shown()
    scrapes = [fleet.fleet.scrape()]
    for numbers in ([2], [1, 7, 8], [3], [0, 9]):
        fleet.change(numbers)
        fleet.store()
        scrapes.append(fleet.fleet.scrape())
    wanted = [Exposition(fleet.form).text([scrape], 0.0) for scrape in scrapes]
    for at in (4, 1, 3, 2, 4, 0, 2, 1):
        assert masked(fleet.exposition.text([scrapes[at]], 0.0)) == masked(wanted[at])


def test_texts_are_kept_if_they_are_shown_again(begin: Callable[..., Fleetful]) -> None:
    """Most numbers change from scrape to scrape; those that did not twice are written out no more."""
    fleet = begin(*KINDS["counters, whole"])

    def shown() -> Sequence[bytes] | None:
        fleet.again()
        block = fleet.exposition._blocks[(fleet.fleet.namespace, "x")]
        assert isinstance(block, PackedBlock)
        return block._shown.texts if block._shown is not None else None

    fleet.change(range(40))
    fleet.store()
    first, second, third = shown(), shown(), shown()
    assert not first
    assert second
    assert third is second
    fleet.change([1])
    fleet.store()
    assert not shown()
