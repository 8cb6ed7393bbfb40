"""Plans, drawn from a seed."""

from dataclasses import replace
from decimal import Decimal
from math import inf

from prometheus_client import Counter, Histogram, Summary

from fleetmeter.schema.definition import MAX_SERIES, OWN_PREFIX
from fleetmeter.schema.scale import Scale, scale_of
from fuzz import dice as pools
from fuzz.dice import Dice
from fuzz.formats.plan import Amount, Deed, Plan, Version
from fuzz.story import FORMATS

CLASSES = {"counter": Counter, "histogram": Histogram, "summary": Summary}

REPLICAS = 3

MOST = 60
"""Families of a plan; those whose names or labels prometheus_client refuses are left out."""

BOUNDS = ((1.0, 5.0), (2.0,), (0.005, 1.0, 2.5, 5.0), (), (-1.0, 0.0), (0.0, 1e6), (1e-05, 1.0), (-2.0, 0.5, 2.0))

WHOLE = (0, 1, 2, 3, 17, 250_000_000, True)
FRACTIONS = (0.1, 0.2, 0.7, 1.5, 39.98, 1e-07, 1234567.25, Decimal("0.3"), Decimal("19.99"), 1e-15, 4e-16, 1e-18)
LARGE = (2**53 + 1, 10**18 - 1, 2**62, 2**63, 10**18, 10**19 + 7, 1e16, 2.5e17, 1e22)
HUGE = (10**26, 1e25, 3 * 10**24, 10**35, 1e34)
SMALL = 1e-9
"""Amounts below this that come alone may be 0 as packed numbers yet."""

REFUSED = (float("inf"), float("nan"))

LARGEST_FIELD = 2**63
"""Stored units from which a field's sum is a floating-point number."""

ROOM = 10**26
"""The largest amount in a family with a unit: packed, dollars take 10^27 and a value nine times as much."""


def plan(seed: int) -> Plan:
    """A fleet of some families, and what it does."""
    dice = Dice(seed)
    families: list[tuple[Version, ...]] = []
    names: set[str] = set()
    long = dice.chance(0.15)  # as it takes to fill slots: few families, and many batches
    for _ in range(dice.randint(1, 8 if long else MOST)):
        versions = _versions(dice)
        name = _accepted(versions)
        if name is not None and name not in names and not name.startswith(OWN_PREFIX):
            names.add(name)
            families.append(versions)
    loose: set[int] = set()
    deeds: list[Deed] = []
    series = [[tuple(dice.label_value() for _ in range(4)) for _ in range(dice.choice((1, 2, 3, 6)))] for _ in families]
    pools_of = [_amounts(dice, versions[0], full=long and dice.chance(0.5)) for versions in families]
    for at, (versions, amounts) in enumerate(zip(families, pools_of, strict=True)):
        if any(_is_loose(versions[0], amount) for amount in amounts):
            loose.add(at)
    for _ in range(dice.randint(8, 12) if long else dice.randint(2, 5)):
        deeds += [
            _deed(dice, series, pools_of)
            for _ in range(dice.randint(1, (8 if long else 3) * len(families)) if families else 0)
        ]
        deeds += [Deed("flush", replica) for replica in dice.sample(range(REPLICAS), dice.randint(1, REPLICAS))]
        if dice.chance(0.6):
            deeds.append(Deed("scrape"))
    deeds += [*(Deed("flush", replica) for replica in range(REPLICAS)), Deed("scrape")]
    bound = dice.choice((2, 3)) if dice.chance(0.1) else MAX_SERIES
    both = bound == MAX_SERIES and dice.chance(0.5)
    return Plan(dice.choice(FORMATS), dice.chance(0.5), bound, tuple(families), tuple(deeds), frozenset(loose), both)


def _versions(dice: Dice) -> tuple[Version, ...]:
    """A family as each replica declares it; the later ones have perhaps another version of the program."""
    kind = dice.choice(tuple(CLASSES))
    labels = dict.fromkeys(dice.text(pools.LABEL_NAMES) for _ in dice.some(3))
    first = Version(
        kind,
        dice.text(pools.FAMILY_NAMES),
        dice.text(pools.HELPS),
        dice.pick(pools.UNITS),
        tuple(labels),
        dice.choice(BOUNDS) if kind == "histogram" else (),
    )
    second = _changed(dice, first) if dice.chance(0.4) else first
    updated = dice.randint(1, REPLICAS)
    return tuple(first if replica < updated else second for replica in range(REPLICAS))


def _changed(dice: Dice, before: Version) -> Version:
    match dice.randint(0, 4):
        case 0 | 1 if before.kind == "histogram":
            return replace(before, bounds=dice.choice(BOUNDS))
        case 2 if "more" not in before.labels:
            return replace(before, labels=("more", *before.labels))
        case 3 if before.labels:
            return replace(before, labels=before.labels[1:])
    return replace(before, help=dice.text(pools.HELPS), labels=before.labels[::-1])


def _accepted(versions: tuple[Version, ...]) -> str | None:
    """The family's name, if prometheus_client takes every version and all have the same."""
    names = set()
    for version in versions:
        try:
            names.add(made(version)._name)
        except ValueError:
            return None
    return names.pop() if len(names) == 1 else None


def made(version: Version) -> Counter | Histogram | Summary:
    """The metric. Raises `ValueError` for one that prometheus_client refuses."""
    more = {"buckets": version.bounds} if version.kind == "histogram" and version.bounds else {}
    if version.kind == "histogram" and not version.bounds:
        more = {"buckets": (float("inf"),)}
    return CLASSES[version.kind](  # type: ignore[no-any-return]
        version.name, version.help, version.labels, unit=version.unit, registry=None, **more
    )


def scale(version: Version) -> int:
    """Stored units of its sums per unit of the family, as fields."""
    metric = made(version)
    return scale_of(metric._name, metric._unit, version.kind)


def _amounts(dice: Dice, version: Version, *, full: bool) -> tuple[Amount, ...]:
    """What a family is given: most families know ordinary amounts only. With `full` what fills a slot soon."""
    if full:
        return (10**18 // scale(version) - 1,)
    kinds: list[tuple[Amount, ...]] = [WHOLE]
    if dice.chance(0.5):
        kinds.append(FRACTIONS)
    if dice.chance(0.15):
        kinds.append(LARGE)
    if dice.chance(0.05):
        kinds.append(HUGE)
    if dice.chance(0.05):
        kinds.append(REFUSED)
    below = version.kind != "counter" and dice.chance(0.2)
    if below and FRACTIONS not in kinds:
        kinds.append(tuple(-amount for amount in dice.choice(kinds)))
    found: list[Amount] = [dice.choice(dice.choice(kinds)) for _ in range(dice.randint(1, 6))]
    found += [dice.uniform(0, 1000)] if FRACTIONS in kinds and dice.chance(0.3) else []
    if below and FRACTIONS in kinds:  # all of them: whether a sum of nearly nothing is below 0 depends on the format
        found = [-amount for amount in found if not 0 < abs(float(amount)) < SMALL]
    largest: float = ROOM if scale(version) != Scale.PLAIN else 10**36
    return tuple(amount for amount in found if not largest < abs(float(amount)) < inf)


def _is_loose(version: Version, amount: Amount) -> bool:
    units = scale(version)
    return (units == Scale.PLAIN and float(amount) % 1 != 0) or abs(float(amount)) * units * 1000 >= LARGEST_FIELD


def _deed(dice: Dice, series: list[list[tuple[str, ...]]], amounts: list[tuple[Amount, ...]]) -> Deed:
    family, replica = dice.randrange(len(series)), dice.randrange(REPLICAS)
    values = dice.choice(series[family])
    if dice.chance(0.04):
        return Deed(dice.choice(("remove", "remove", "match", "clear")), replica, family, values)
    exemplar = dice.pick(pools.LABEL_VALUES) if dice.chance(0.1) else None
    return Deed("record", replica, family, values, dice.choice(amounts[family] or (1,)), exemplar)
