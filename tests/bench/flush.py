"""What a flush costs the store: apply.lua, beside a script without its checks, one MULTI, and one call per increment.

Time inside the script is what the store counts itself; its processor time also holds reading, parsing and answering.
The cheapest of several calls stands for each, in microseconds per number.
"""

from collections.abc import Iterable
from functools import reduce
from itertools import count
from typing import Any

from bench.meter import Cost, Meter
from bench.shape import packs
from bench.tables import judged, show
from fleetmeter.connection.client import connect
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.schema.keys import Keys
from fleetmeter.schema.packing import Shape
from fleetmeter.schema.rows import token_text
from fleetmeter.values.delta import Delta
from fleetmeter.writer.messages import Apply, Hello
from fleetmeter.writer.store import Store

FAMILIES = 10
TURNS = 3
SIZES = {20: 30, 200: 30, 2_000: 5, 20_000: 2}
"""Series of a flush, and how often it is measured in a turn."""

LARGEST_SINGLE = 200
"""Series up to which one call per increment is tried: its cost per number does not depend on how many there are."""

TARGET = 3.0
"""Microseconds in the script per number, of a flush of 200 series."""

PACKED_TARGET = 0.8
"""The same of packed numbers, as a part of what fields of hashes take."""

SMALL, SMALL_FAMILIES, SMALL_TARGET = 20, 6, 1.0
"""Series and families of a usual flush, and what the store's processor takes packed, as a part of what fields take."""

BARE = """
local at = 10
while at <= #ARGV do
  local key, count = KEYS[tonumber(ARGV[at + 1])], tonumber(ARGV[at + 2])
  local width = ARGV[at] == 'expect' and 1 or 2
  for i = at + 3, at + 2 + (width - 1) * 2 * count, 2 do
    redis.call('HINCRBY', key, ARGV[i], ARGV[i + 1])
  end
  at = at + 3 + width * count
end
return { 'applied', '0', '0', '', 'none 0 1', '0', '0' }
"""
"""A script that adds the same numbers and checks nothing: what exactly-once costs is what apply.lua takes more."""


FAMILY_COUNTS = (10, 4, 2, 1)
ENCODINGS = (512, 64)


def main() -> None:
    """Print the costs by size and kind of flush, and by the way in which the store keeps a family."""
    kinds = [(series, parted) for parted in (False, True) for series in SIZES]
    with EmbeddedStore() as store:
        meter = Meter(store.url)
        bench = _Bench(store.url, meter)
        compared = [bench.compared(series, parted=parted) for _ in range(TURNS) for series, parted in kinds]
        encoded = [bench.by_encoding(entries) for _ in range(TURNS) for entries in ENCODINGS]
        packed = [bench.packed(200, FAMILIES, parted=parted) for _ in range(TURNS) for parted in (False, True)]
        small = [bench.packed(SMALL, SMALL_FAMILIES, parted=False) for _ in range(TURNS)]
        empty = reduce(Cost.better, (bench.cost(Delta(), 60) for _ in range(TURNS)))
        bench.close()
        meter.close()
    best = {kind: _best(compared[number :: len(kinds)]) for number, kind in enumerate(kinds)}
    show(
        f"flush: µs per number, in {FAMILIES} families; a flush of a histogram has two numbers per series",
        ["dirty series", "numbers", "script", "bare script", "store", "MULTI", "single", "client", "MULTI", "single"],
        [_row(series, costs, parted=parted) for (series, parted), costs in best.items()],
        [
            f"script: in apply.lua, {'packed' if packs() else 'fields'}; bare script: without checks, by HINCRBY;",
            "MULTI: HINCRBYs in one transaction;",
            "single: a round trip each. store, client: processor time there with apply.lua, then with these two",
            f"a heartbeat: {empty.script_us:.0f} µs in the script, {empty.processor_us:.0f} µs in all",
            judged("µs in the script per number, 200 counters", best[200, False]["apply"].script_us / 200, TARGET),
            judged("µs in the script per number, 200 histograms", best[200, True]["apply"].script_us / 400, TARGET),
        ],
    )
    show(
        "flush: packed numbers beside fields of hashes: µs of a flush, by slot",
        ["dirty series", "script", "of hashes", "store", "of hashes", "client", "of hashes"],
        [
            _packed_row(_best(packed[::2]), "200 counters"),
            _packed_row(_best(packed[1::2]), "200 histograms"),
            _packed_row(_best(small), f"{SMALL} counters, {SMALL_FAMILIES} families"),
        ],
        [
            judged(
                f"time in the script as a part of that of hashes, 200 {kind}",
                best_of["packed"].script_us / best_of["fields"].script_us,
                PACKED_TARGET,
            )
            for kind, best_of in (("counters", _best(packed[::2])), ("histograms", _best(packed[1::2])))
        ]
        + [
            judged(
                f"the store's processor as a part of that of hashes, {SMALL} counters in {SMALL_FAMILIES} families",
                _best(small)["packed"].processor_us / _best(small)["fields"].processor_us,
                SMALL_TARGET,
            )
        ],
    )
    show(
        "flush: µs in the script per number of 200 dirty counters, by the size of a family and the store's setting",
        ["hash-max-listpack-entries", *(f"{families} x {200 // families}" for families in FAMILY_COUNTS)],
        [
            [f"{entries}", *(f"{min(turns):.2f}" for turns in zip(*encoded[number :: len(ENCODINGS)], strict=True))]
            for number, entries in enumerate(ENCODINGS)
        ],
        ["512 is the store's default: a hash up to that size is a list, which each addition walks through"],
    )


def _packed_row(costs: dict[str, Cost], kind: str) -> list[str]:
    """Microseconds in each place, packed and not."""
    packed, fields = costs["packed"], costs["fields"]
    pairs = (
        (packed.script_us, fields.script_us),
        (packed.processor_us, fields.processor_us),
        (packed.client_us, fields.client_us),
    )
    return [kind, *(f"{cost:.0f}" for pair in pairs for cost in pair)]


def _best(turns: Iterable[dict[str, Cost]]) -> dict[str, Cost]:
    """The best of several turns, way by way."""
    return reduce(lambda one, other: {way: cost.better(other[way]) for way, cost in one.items()}, turns)


def _row(series: int, costs: dict[str, Cost], *, parted: bool) -> list[str]:
    """Microseconds per number in each place, way by way."""
    numbers = series * (2 if parted else 1)
    ways = [costs.get(way) for way in ("apply", "MULTI", "single")]
    return [
        f"{series:,} {'histograms' if parted else 'counters'}",
        f"{numbers:,}",
        *(f"{costs[way].script_us / numbers:.2f}" for way in ("apply", "bare")),
        *(f"{cost.processor_us / numbers:.2f}" if cost else "-" for cost in ways),
        *(f"{cost.client_us / numbers:.2f}" if cost else "-" for cost in ways),
    ]


class _Bench:
    """One writer and its peers on one store; each measurement has a namespace of its own."""

    def __init__(self, url: str, meter: Meter) -> None:
        self._url = url
        self._meter = meter
        self._client: Any = connect(url)
        self._namespaces = (f"flush-{number}" for number in count())

    def compared(self, series: int, *, parted: bool) -> dict[str, Cost]:
        """The cost of one flush in each way."""
        delta, repeats = flush_of(series, FAMILIES, parted=parted, packed=False), SIZES[series]
        found = {
            "apply": self.cost(flush_of(series, FAMILIES, parted=parted, packed=packs()), repeats),
            "bare": self.cost(delta, repeats, BARE),
            "MULTI": self._plain(delta, repeats, transaction=True),
        }
        if series <= LARGEST_SINGLE:
            found["single"] = self._plain(delta, 3, transaction=False)
        return found

    def packed(self, series: int, families: int, *, parted: bool) -> dict[str, Cost]:
        """The cost of a flush of so many series in either format."""
        return {
            form: self.cost(flush_of(series, families, parted=parted, packed=form == "packed"), SIZES[series])
            for form in ("fields", "packed")
        }

    def by_encoding(self, entries: int) -> list[float]:
        """Script time per number of 200 counters, for each number of families, as the store keeps them."""
        before = self._client.config_get("hash-max-listpack-entries")
        self._client.config_set("hash-max-listpack-entries", entries)
        found = [
            self.cost(flush_of(200, families, parted=False, packed=False), SIZES[200]).script_us / 200
            for families in FAMILY_COUNTS
        ]
        for name, value in before.items():
            self._client.config_set(name, value)
        return found

    def cost(self, delta: Delta, repeats: int, script: str | None = None) -> Cost:
        """What one flush costs through `Store.apply`, with another script in the place of apply.lua if one is given."""
        store = Store(self._url, Keys(next(self._namespaces)))
        epoch = store.hello(Hello("bench", "epoch"), {}).epoch
        if script is not None:
            store._apply = self._client.register_script(script)
        numbers = count()

        def send() -> None:
            number = next(numbers)
            tokens = token_text(number) if number else "", token_text(number + 1)
            answer = store.apply(Apply(epoch, "bench", number, number + 1, 0, delta, False, *tokens))
            assert answer.status == "applied", answer

        send()  # the first one creates the fields
        found = self._meter.cost(send, repeats)
        store.close()
        return found

    def _plain(self, delta: Delta, repeats: int, *, transaction: bool) -> Cost:
        """The same numbers by plain HINCRBY: in one MULTI, or each in a round trip."""
        keys = Keys(next(self._namespaces))

        def send() -> None:
            pipeline = self._client.pipeline(transaction=True) if transaction else self._client
            for family, numbers in delta.adds.items():
                for number, amount in numbers.items():
                    pipeline.hincrby(keys.family(family), number, amount)
            if transaction:
                pipeline.execute()

        send()
        return self._meter.cost(send, repeats)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def flush_of(series: int, families: int, *, parted: bool, packed: bool) -> Delta:
    """A flush of so many series of three labels, spread over so many families, in stored units."""
    shape = Shape(2, ("sum", "0.5", "+Inf") if parted else ("",))
    adds: dict[str, dict[str, float]] = {}
    for number in range(series):
        amounts = adds.setdefault(f"bench_{number % families}:0123abcd", {})
        labels = f'["GET","/v1/route/{number}","200"'
        if parted:
            amounts |= {f'{labels},"sum"]': 250_000 + number, f'{labels},"0.5"]': 1}
        else:
            amounts[f"{labels}]"] = 1 + number % 7
    return Delta(
        adds=adds,
        has_parts=frozenset(adds) if parted else frozenset(),
        shapes=dict.fromkeys(adds, (shape,)) if packed else {},
    )
