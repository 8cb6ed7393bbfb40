"""Namespaces that hold one kind of number each, written field by field: as many samples, of whatever kind there is."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fleetmeter.connection.client import connect
from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.keys import EPOCH_FIELD, STATE_FORMAT, Keys
from fleetmeter.schema.scale import bound_text

BOUNDS = tuple(map(bound_text, (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, float("inf"))))
"""A histogram's buckets, as most servers have them."""

OTHER_BOUNDS = tuple(map(bound_text, (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, float("inf"))))
"""Those of its next version: as many, and some of them elsewhere."""

_BIRTH_US = 1_790_000_000_000_000
_ALIVE_US = 4_102_444_800_000_000
"""A heartbeat in the year 2100."""

_AT_ONCE = 5_000

Number = Callable[[random.Random], str]
"""Draws the text of a number."""


def whole(dice: random.Random) -> str:
    """A count, or an amount in the store's smallest unit."""
    return str(dice.randrange(1, 10**6))


def micros(dice: random.Random) -> str:
    """Seconds, as the store has them in microseconds."""
    return str(dice.randrange(1, 10**9))


def fraction(dice: random.Random) -> str:
    """A sum of fractions, with all of its digits."""
    return repr(dice.random() * 1000)


@dataclass(frozen=True)
class Part:
    """One layout of a family: so many samples, made of these numbers. `rare` is what one number in 3,000 is instead.

    Each value of a gauge, an info or a state set is stated by `writers` of them. `examples` is how many numbers have an
    exemplar. If there is a `newest` definition of the layout, it is what the store has; the numbers are as before it.
    """

    definition: Definition
    samples: int
    number: Number = whole
    sums: Number = whole
    rare: Number | None = None
    writers: int = 1
    examples: int = 0
    newest: Definition | None = None

    @property
    def per_series(self) -> int:
        """Samples of a series, or of a state."""
        definition = self.definition
        own = {"histogram": len(definition.bounds) + 2, "summary": 2, "stateset": len(definition.states)}
        return own.get(definition.type, 1)

    @property
    def stated(self) -> bool:
        """Whether its values are replaced, and stand in the hash of gauges."""
        return self.definition.type in ("gauge", "info", "stateset")


@dataclass
class State:
    """A namespace that is written here and read by whoever measures; `stored` is what it holds by key and field."""

    url: str
    namespace: str
    parts: Sequence[Part]
    stored: dict[str, dict[str, Callable[[random.Random], str]]] = field(default_factory=dict)
    _dice: random.Random = field(default_factory=lambda: random.Random(0))

    def __post_init__(self) -> None:
        self.keys = Keys(self.namespace)
        self._client: Any = connect(self.url)
        self._sizes = [part.samples // part.per_series for part in self.parts]
        self._rows = 0
        writers = max(part.writers for part in self.parts)
        self._writers = [f"writer-{number}" for number in range(writers)]
        self._client.hset(self.keys.writers, EPOCH_FIELD, f"epoch {_BIRTH_US} {STATE_FORMAT}")
        for writer in self._writers:
            self._client.hset(self.keys.writer(writer), mapping={"replica": f"host-{writer}", "pid": "1"})
        for at, part in enumerate(self.parts):
            text = f"{_BIRTH_US} {_BIRTH_US + at} {(part.newest or part.definition).to_json()}"
            self._client.hset(self.keys.families, part.definition.field, text)
            self._write(self._series(part, 0, self._sizes[at]))
            if part.examples:
                self._give_examples(part, self._sizes[at])
        self.beat()

    @property
    def samples(self) -> int:
        """How many samples an exposition has."""
        return sum(
            size * part.per_series // (part.writers if _is_merged(part.definition) else 1)
            for size, part in zip(self._sizes, self.parts, strict=True)
        )

    @property
    def numbers(self) -> int:
        """How many samples there are, where several stored numbers make one: how many of those."""
        return sum(size * part.per_series for size, part in zip(self._sizes, self.parts, strict=True))

    def beat(self) -> None:
        """Let every writer hand something over."""
        self._rows += 1
        self._client.hset(self.keys.writers, mapping=dict.fromkeys(self._writers, f"{self._rows} 0 {_ALIVE_US} alive"))

    def change(self, share: float) -> None:
        """Give that share of the numbers another value; counts only grow."""
        for key, fields in self.stored.items():
            chosen = self._dice.sample(sorted(fields), round(share * len(fields)))
            for first in range(0, len(chosen), _AT_ONCE):
                some = chosen[first : first + _AT_ONCE]
                self._change(key, {name: fields[name] for name in some})
        self.beat()

    def _change(self, key: str, fields: Mapping[str, Callable[[random.Random], str]]) -> None:
        """Give some numbers of a key another value."""
        drawn = {name: draw(self._dice) for name, draw in fields.items()}
        if key != self.keys.gauges:
            before = self._client.hmget(key, list(drawn))
            drawn = {name: _grown(text, more) for (name, more), text in zip(drawn.items(), before, strict=True)}
        self._client.hset(key, mapping=drawn)

    def grow(self, share: float) -> None:
        """Let new series appear, that share of what there is."""
        for at, part in enumerate(self.parts):
            more = round(share * self._sizes[at])
            self._write(self._series(part, self._sizes[at], self._sizes[at] + more))
            self._sizes[at] += more
        self.beat()

    def forget(self) -> None:
        """Delete all of it, so that what is measured next has the store as this one had it."""
        self._client.delete(
            *self.stored, self.keys.exemplars, self.keys.families, self.keys.writers, self.keys.removed,
            *map(self.keys.writer, self._writers),
        )  # fmt: skip

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _series(self, part: Part, first: int, last: int) -> Mapping[str, dict[str, Callable[[random.Random], str]]]:
        """What the series from one number up to another have in the store: what draws each value, by key and field."""
        definition = part.definition
        found: dict[str, Callable[[random.Random], str]] = {}
        if part.stated:
            for number in range(first, last):
                values = _values(definition, number // part.writers)
                sorted_values = [values[at] for at in definition.sorted_positions]
                series = compact_json([definition.name, definition.layout, sorted_values])
                draw = _statement(part, number)
                found[f"{self._writers[number % part.writers]} {series}"] = draw
            return {self.keys.gauges: found}
        for number in range(first, last):
            labels = _values(definition, number)
            draw = part.rare if part.rare is not None and number % 3_000 == 1_500 else part.number
            if not definition.has_parts:
                found[definition.series_field(labels)] = draw
                continue
            for text in definition.bounds or ("count",):
                found[definition.series_field(labels, text)] = part.number
            found[definition.series_field(labels, "sum")] = part.sums
        return {self.keys.family(definition.field): found}

    def _write(self, series: Mapping[str, dict[str, Callable[[random.Random], str]]]) -> None:
        for key, fields in series.items():
            self.stored.setdefault(key, {}).update(fields)
            names = list(fields)
            for first in range(0, len(names), _AT_ONCE):
                some = names[first : first + _AT_ONCE]
                self._client.hset(key, mapping={name: fields[name](self._dice) for name in some})

    def _give_examples(self, part: Part, size: int) -> None:
        names = [
            part.definition.series_field(_values(part.definition, number), "1.0" if part.definition.bounds else None)
            for number in range(0, size, max(1, size // part.examples))
        ]
        text = compact_json({"labels": {"trace_id": "4bf92f3577b34da6"}, "value": 0.7, "timestamp": 1790000000.5})
        mapping = {f"{part.definition.field} {name}": f"1 {text}" for name in names}
        self._client.hset(self.keys.exemplars, mapping=mapping)


def _is_merged(definition: Definition) -> bool:
    return definition.type == "gauge" and not definition.mode.endswith("all")


def _values(definition: Definition, number: int) -> tuple[str, ...]:
    """Label values of a series, as they look in an LLM service."""
    texts = ("chat.completions", f"gpt-6.1-sol-{number % 50:03}", f"intent-{number:06}")
    return tuple(texts[at % 3] for at in range(3 - len(definition.labels), 3))


def _statement(part: Part, number: int) -> Callable[[random.Random], str]:
    """What draws the value that a writer states."""
    match part.definition.type:
        case "info":
            return lambda _: f"5 {compact_json({'version': f'1.{number}', 'commit': f'{number:08x}'})}"
        case "stateset":
            return lambda dice: f"5 {compact_json(dice.choice(part.definition.states))}"
    return lambda dice: f"{dice.randrange(1, 10**9)} {part.number(dice)}"


def _grown(before: bytes, more: str) -> str:
    try:
        return str(int(before) + int(more))
    except ValueError:
        return repr(float(before) + float(more))


def counter(samples: int, name: str = "bench_requests", **more: Any) -> Part:
    """A counter of three labels."""
    return Part(Definition.of(name, "counter", "Help.", "", ("endpoint", "model", "intent"), (), ""), samples, **more)


def histogram(samples: int, name: str = "bench_latency", bounds: Sequence[str] = BOUNDS, **more: Any) -> Part:
    """A histogram of two labels."""
    return Part(Definition.of(name, "histogram", "Help.", "", ("model", "intent"), bounds, ""), samples, **more)


def summary(samples: int, name: str = "bench_size", **more: Any) -> Part:
    """A summary of three labels."""
    return Part(Definition.of(name, "summary", "Help.", "", ("endpoint", "model", "intent"), (), ""), samples, **more)


def gauge(samples: int, mode: str, name: str = "bench_level", **more: Any) -> Part:
    """A gauge of three labels in a mode."""
    labels = ("endpoint", "model", "intent")
    return Part(Definition.of(name, "gauge", "Help.", "", labels, (), mode), samples, **more)


def info(samples: int, name: str = "bench_build", **more: Any) -> Part:
    """Facts about so many things."""
    return Part(Definition.of(name, "info", "Help.", "", ("model", "intent"), (), ""), samples, **more)


def enum(samples: int, name: str = "bench_state", **more: Any) -> Part:
    """States of so many things."""
    states = ("starting", "ready", "draining", "gone")
    return Part(Definition.of(name, "stateset", "Help.", "", ("model", "intent"), (), "", states), samples, **more)


def without_first_label(part: Part) -> Part:
    """The layout that an older version of the same family had: it lacked a label."""
    definition = part.definition
    older = Definition.of(
        definition.name, definition.type, "Help.", "", definition.labels[1:], definition.bounds, definition.mode
    )
    return replace(part, definition=older)
