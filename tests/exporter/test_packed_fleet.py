"""Replicas that pack their numbers, and an exporter: what was recorded is what is shown, under its own labels."""

import random
from collections import defaultdict
from contextlib import closing
from decimal import Decimal

import pytest

from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.exposition.exposition import Exposition
from fleetmeter_exporter.exposition.formats import TEXT, Format
from fleetmeter_exporter.fleet import Fleet, fleet_settings
from fuzz.comparison import check
from fuzz.expected import expected
from support.blocks import packed
from support.exposition import parse
from support.fleet import Replica
from support.store import StoreAddress

CALLS = packed("calls", "counter", ["k"])
PAID = packed("paid_usd", "counter", ["k"])
TOOK = packed("took_seconds", "histogram", ["k"], ["0.1", "1.0", "+Inf"])
OLDER = Definition.of("older", "counter", "Help.", "", ["k"], [], "")
NEWER = packed("older", "counter", ["k"])


@pytest.mark.parametrize("form", [TEXT, Format(True, "1.0.0")], ids=["text", "openmetrics"])
@pytest.mark.parametrize("seed", range(4))
def test_what_replicas_record_is_shown(seed: int, form: Format, store: StoreAddress) -> None:
    """Series are born in other orders in each replica, by name and by slot, in one format or in both."""
    dice, exposition = random.Random(seed), Exposition(form)
    recorded: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    replicas = [Replica(store, packs=False) for _ in range(3)]
    with closing(Fleet(fleet_settings(store.url, store.namespace))) as fleet:
        for _ in range(12):
            replica = dice.choice(replicas)
            for _ in range(dice.randrange(8)):
                key = f"k{dice.randrange(12)}"
                amount = dice.choice([1, 0.1, 0.2, 2.5, 10**6])
                match dice.randrange(4):
                    case 0:
                        replica.cell(CALLS, [key]).inc(amount)
                        recorded["calls_total", key] += Decimal(repr(amount))
                    case 1:
                        replica.cell(PAID, [key]).inc(amount)
                        recorded["paid_usd_total", key] += Decimal(repr(amount))
                    case 2:
                        replica.cell(TOOK, [key], "sum").inc(amount)
                        replica.cell(TOOK, [key], dice.choice(TOOK.bounds)).inc(1)
                        recorded["took_seconds_sum", key] += Decimal(repr(amount))
                        recorded["took_seconds_count", key] += 1
                    case _:
                        replica.cell(dice.choice([OLDER, NEWER]), [key]).inc(3)
                        recorded["older_total", key] += 3
            assert replica.flush()
            text = exposition.text([fleet.scrape()], 0.0).decode()
            with closing(Fleet(fleet_settings(store.url, store.namespace))) as other:
                check(text, expected([other.scrape()], form, created=False))
        for replica in replicas:
            assert replica.flush()
            replica.close()
        text = exposition.text([fleet.scrape()], 0.0).decode()
    shown = {
        (name, dict(labels)["k"]): value
        for (name, labels), value in parse(text).items()
        if name in {name for name, _ in recorded}
    }
    assert shown == {of: float(amount) for of, amount in recorded.items()}


@pytest.mark.parametrize(
    ("name", "amounts"),
    [("paid_usd", (0.4, 0.2)), ("took_seconds", (1.4, 0.7)), ("share", (0.7, 0.1)), ("share", (0.1, 0.7))],
)
def test_a_sum_over_both_formats_is_what_one_of_them_would_show(
    name: str, amounts: tuple[float, float], store: StoreAddress
) -> None:
    """What the two hold is added up before it becomes a float: 0.4 and 0.2 are 0.6, and not 0.6000000000000001."""
    older, newer = (Definition.of(name, "counter", "Help.", "", (), (), "", packed=packs) for packs in (False, True))
    replica = Replica(store, packs=False)
    for definition, amount in zip((older, newer), amounts, strict=True):
        replica.cell(definition).inc(amount)
    assert replica.flush()
    replica.close()
    wanted = float(sum(map(Decimal, map(str, amounts))))
    with closing(Fleet(fleet_settings(store.url, store.namespace))) as fleet:
        scrape = fleet.scrape()
        assert scrape.families is not None
        family = scrape.family(scrape.families.sources[name])
        assert family is not None
        assert [sample.value for sample in family.samples] == [wanted]
        text = Exposition(TEXT).text([scrape], 0.0).decode()
    assert parse(text)[f"{name}_total", frozenset()] == wanted
