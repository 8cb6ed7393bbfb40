"""Schedules: what happens, in which order. Drawn from a seed, printed, and shortened.

A step is a tuple of a name and arguments, each of which means something in any state of the world: replicas, late
copies, keys and states are counted modulo how many there are. So any part of a schedule is a schedule.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

Step = tuple[Any, ...]

WAITS = (0.3, 0.3, 2, 5, 6, 16, 35, 70, 400, 1000, 4000, 90_000, 9_000_000)
"""Seconds: between two flushes; a heartbeat; beyond a hold, a goodbye's grace, the log, folding, a retired number."""

FAULTS: dict[str, Callable[[Random], Step]] = {
    "late": lambda random: ("late", random.randrange(20), random.randrange(2)),
    "crash": lambda random: ("crash", random.randrange(4)),
    "fork": lambda random: ("fork", random.randrange(4)),
    "twin": lambda random: ("twin", random.randrange(4)),
    "pause": lambda random: ("pause", random.randrange(4)),
    "wake": lambda random: ("wake", random.randrange(4), random.random() < 0.5),
    "goodbye": lambda random: ("goodbye", random.randrange(4), _some(random), random.random() < 0.6),
    "rollback": lambda random: ("rollback", _steps(random), random.randrange(2)),
    "failover": lambda random: ("failover", _steps(random), random.choice((-2.0, -0.1, 0.0, 0.1, 2.0))),
    "restore": lambda random: ("restore", random.randrange(200)),
    "split": lambda random: ("split", _steps(random)),
    "heal": lambda random: ("heal", random.randrange(2)),
    "wipe": lambda _: ("wipe",),
    "reset": lambda _: ("reset",),
    "evict": lambda random: ("evict", random.randrange(20)),
    "full": lambda random: ("full", random.random() < 0.5),
    "restart": lambda random: ("restart", random.randrange(2)),
    "remove": lambda random: ("remove", random.randrange(4)),
    "jump": lambda random: ("jump", random.choice((-1e6, -3600.0, 60.0, 1e7))),
}
TOGETHER = {"pause": "wake", "split": "heal"}
"""Faults that end by another."""

DELIVERIES = ("no_request", "no_reply", "late", "copy", "crash1", "crash2", "crash9")


THEMES: tuple[tuple[str, ...], ...] = (
    *((kind, "late") for kind in ("reset", "wipe", "rollback", "goodbye")), ("pause", "wake", "late"), ("late",),
)  # fmt: skip
"""Few faults that together find what many at random seldom do."""


MOTIFS: tuple[tuple[str, ...], ...] = (
    ("first", "other", "remove", "first", "other"),
    ("first copied", "rollback", "other", "late", "first", "first"),
    ("first", "first copied", "rollback", "other", "other", "late", "first", "first"),
    ("first", "evict", "other", "first"),
    ("first", "scrape", "rollback", "other", "scrape", "first", "scrape"),
)
"""What two processes and a store do in turn so that what one of them knows of the other's series holds no more."""

CONVERTING = (6, 7, 8)
"""The last digits of seeds in which conversions happen between other steps, whoever still writes fields."""

COMPACTING = (4, 7, 11, 17)
"""Seeds modulo 20 in which packed layouts are compacted between other steps, worth it or not."""

MOTIFS_SHARE = 0.12
"""The part of seeds that are made of motifs."""


@dataclass(frozen=True)
class Mood:
    """How a seed behaves: its faults and their share, how calls fare, how long it waits."""

    kinds: tuple[str, ...]
    share: float
    deliveries: tuple[str, ...]
    trouble: float
    waits: tuple[float, ...]


def mood(random: Random) -> Mood:
    """The mood of a seed."""
    waits = random.choice((WAITS[:8], WAITS[:8], WAITS, WAITS[9:]))
    if random.random() < 0.4:
        deliveries = random.choice((("copy", "late"), ("no_request", "copy"), DELIVERIES))
        return Mood(random.choice(THEMES), random.uniform(0.2, 0.5), deliveries, random.uniform(0.3, 0.7), waits)
    kinds = [kind for kind in FAULTS if random.random() < 0.3] or ["restart"]
    kinds += [TOGETHER[kind] for kind in kinds if kind in TOGETHER]
    return Mood(tuple(kinds), random.uniform(0.1, 0.4), DELIVERIES, random.choice((0.0, 0.3, 0.5)), waits)


def draw(seed: int) -> list[Step]:
    """The schedule of a seed: some kinds of faults, now and then, among records, flushes and scrapes.

    Some seeds are a row of `MOTIFS` instead. In some, hashes are converted to packed numbers in between, and
    packed layouts are compacted.
    """
    steps = _drawn(seed)
    if seed % 10 in CONVERTING:
        converting = Random(f"conversions of {seed}")
        steps = [each for step in steps for each in (step, *_conversion(converting))]
    if seed % 20 in COMPACTING:
        compacting = Random(f"compactions of {seed}")
        steps = [each for step in steps for each in (step, *_compaction(compacting))]
    return steps


def _compaction(random: Random) -> list[Step]:
    """Nothing, mostly; or some compactions, perhaps behind a removal and before a scrape; or a late copy."""
    lot = random.random()
    if lot < 0.6:
        return []
    if lot < 0.65:
        return [("late", random.randrange(-3, 0), 0)]
    deliveries = random.choice(((), (), ("copy",), ("late",), _some(random)))
    index = random.randrange(4)
    removal: list[Step] = [("remove", index), *[("record", index, True)] * random.randint(1, 2), ("flush", index, ())]
    compactions: list[Step] = [
        ("compact", random.randrange(4), random.choice((0, 1, 2, 3, 4, 4, 4)), deliveries)
        for _ in range(random.choice((1, 1, 3)))
    ]
    scrape: list[Step] = [("scrape", random.randrange(2), (), ())]
    return [
        *(removal if random.random() < 0.4 else ()), *compactions, *(scrape if random.random() < 0.3 else ()),
    ]  # fmt: skip


def _conversion(random: Random) -> list[Step]:
    """Nothing, mostly; or some steps of a conversion, and perhaps a scrape, or a late copy of such a step."""
    if random.random() < 0.7:
        return [("late", random.randrange(-3, 0), 0)] if random.random() < 0.1 else []
    deliveries = random.choice(((), (), ("copy",), ("late",), _some(random)))
    found: list[Step] = [
        ("convert", random.randrange(4), random.choice((1, 1, 3, 9)), random.random() < 0.5, deliveries)
    ]
    return [*found, ("scrape", random.randrange(2), (), ())] if random.random() < 0.5 else found


def _drawn(seed: int) -> list[Step]:
    other = Random(f"turn of {seed}")
    if other.random() < MOTIFS_SHARE:
        return [
            ("start", False),
            ("start", False),
            *(step for _ in range(other.randint(1, 3)) for step in _motif(other)),
        ]
    random = Random(seed)
    how = mood(random)
    steps: list[Step] = []
    for _ in range(random.randint(10, 45)):
        fault = random.random() < how.share
        steps.append(FAULTS[random.choice(how.kinds)](random) if fault else _usual(random, how))
    return steps


def _motif(random: Random) -> list[Step]:
    """A motif, with something else in between now and then."""
    first, other = random.sample(range(2), 2)
    usual = Mood(("restart",), 0.0, DELIVERIES, 0.2, WAITS[:5])
    meaning: dict[str, Callable[[], list[Step]]] = {
        "first": lambda: _handed_over(random, first, ()),
        "first copied": lambda: _handed_over(random, first, ("copy", "copy")),
        "other": lambda: _handed_over(random, other, ()),
        "remove": lambda: [("remove", other), *_handed_over(random, other, ())],
        "late": lambda: [("late", -1, 0)],
        "rollback": lambda: [("rollback", random.choice((1, 1, 1, 2)), 0)],
        "evict": lambda: [FAULTS["evict"](random)],
        "scrape": lambda: [("scrape", random.randrange(2), (), ())],
    }
    steps: list[Step] = []
    for name in random.choice(MOTIFS):
        steps += meaning[name]()
        if random.random() < 0.15:
            steps.append(_usual(random, usual))
    return steps


def _handed_over(random: Random, index: int, deliveries: tuple[str, ...]) -> list[Step]:
    return [*[("record", index, random.random() < 0.7)] * random.choice((1, 1, 2)), ("flush", index, deliveries)]


def _usual(random: Random, how: Mood) -> Step:
    lot = random.random()
    if lot < 0.3:
        return ("record", random.randrange(4), random.random() < 0.3)
    if lot < 0.6:
        return ("flush", random.randrange(4), _deliveries(random, how))
    if lot < 0.65:
        return ("beat", random.randrange(4), _deliveries(random, how))
    if lot < 0.68:
        return ("start", random.random() < 0.3)
    if lot < 0.82:
        return ("wait", random.choice(how.waits))
    between = ("flush", random.randrange(4), ()) if random.random() < 0.3 else ()
    return ("scrape", random.randrange(2), ("no_reply",) if random.random() < 0.05 else (), between)


def _deliveries(random: Random, how: Mood) -> tuple[str, ...]:
    troubled = random.random() < how.trouble
    return tuple(
        random.choice(how.deliveries) if random.random() < 0.6 else "ok"
        for _ in range(random.randint(1, 3) if troubled else 0)
    )


def _some(random: Random) -> tuple[str, ...]:
    return tuple(random.choice(("ok", *DELIVERIES)) for _ in range(random.choice((0, 0, 1, 2))))


def _steps(random: Random) -> int:
    return random.choice((1, 1, 2, 3, 5, 9, 20, 200))


def text_of(steps: list[Step]) -> str:
    """A schedule, a line per step, as a Python list."""
    return "[\n" + "".join(f"    {step!r},\n" for step in steps) + "]"


def shortened(steps: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """A part of a failing schedule that still fails, and of which no single step can be left out."""
    size = max(1, len(steps) // 2)
    while True:
        position = 0
        while position < len(steps):
            less = steps[:position] + steps[position + size :]
            if fails(less):
                steps = less
            else:
                position += size
        if size == 1:
            break
        size = max(1, size // 2)
    for position, step in enumerate(steps):
        for simpler in _simpler(step):
            less = [*steps[:position], simpler, *steps[position + 1 :]]
            if fails(less):
                steps = less
                break
    return steps


def _simpler(step: Step) -> list[Step]:
    """The same step without faults of its own."""
    return [(*step[:at], (), *step[at + 1 :]) for at, value in enumerate(step) if isinstance(value, tuple) and value]
