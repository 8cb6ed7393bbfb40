"""What a flush costs the store: apply.lua, beside a script without its checks, one MULTI, and one call per increment.

Time inside the script is what the store counts itself; its processor time also holds reading, parsing and answering.
The cheapest of several calls stands for each, in microseconds per number.
"""

from typing import Any

from bench.meter import Cost, Meter
from bench.tables import judged, show
from fleetmeter.delta import Delta
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.keys import Keys
from fleetmeter.protocol import Apply, Hello
from fleetmeter.store import Store, connect

FAMILIES = 10
SIZES = {20: 60, 200: 60, 2_000: 12, 20_000: 4}
"""Series of a flush, and how often it is measured."""

LARGEST_SINGLE = 2_000
"""Numbers up to which one call per increment is tried: its cost per number does not depend on how many there are."""

TARGET = 3.0
"""Microseconds in the script per number, of a flush of 200 series."""

BARE = """
local at = 8
while at <= #ARGV do
  local key, count = KEYS[tonumber(ARGV[at + 1])], tonumber(ARGV[at + 2])
  for i = at + 3, at + 2 + 2 * count, 2 do
    redis.call('HINCRBY', key, ARGV[i], ARGV[i + 1])
  end
  at = at + 3 + 2 * count
end
return { 'applied', '0', 'none 0 1', '0', '0' }
"""
"""A script that adds the same body and checks nothing: what exactly-once costs is what apply.lua takes more."""


def main() -> None:
    """Print the costs by size and kind of flush, and by the way in which the store keeps a family."""
    with EmbeddedStore() as store:
        meter = Meter(store.url)
        bench = _Bench(store.url, meter)
        costs = {}
        rows = []
        for parted in (False, True):
            for series in SIZES:
                kind = f"{series:,} {'histograms' if parted else 'counters'}"
                costs[kind], cells = bench.compared(kind.replace(" ", "-").replace(",", ""), series, parted=parted)
                rows.append([kind, *cells])
        empty = bench.cost(Delta(), "empty", 60)
        show(
            f"flush: µs per number, in {FAMILIES} families; a flush of a histogram has two numbers per series",
            ["dirty series", "numbers", "script", "bare script",
             "store", "MULTI", "single", "client", "MULTI", "single"],
            rows,
            [
                "script: in apply.lua; bare script: one that checks nothing; MULTI: HINCRBYs in one transaction;",
                "single: a round trip each. store, client: processor time there with apply.lua, then with these two",
                f"a heartbeat: {empty.script_us:.0f} µs in the script, {empty.processor_us:.0f} µs in all",
                *(judged(f"µs in the script per number, {kind}", costs[kind], TARGET)
                  for kind in ("200 counters", "200 histograms")),
            ],
        )  # fmt: skip
        show(
            "flush: µs in the script per number of 200 dirty counters, by the size of a family and the store's setting",
            ["hash-max-listpack-entries", *(f"{count} x {200 // count}" for count in FAMILY_COUNTS)],
            [[f"{entries}", *bench.by_encoding(entries)] for entries in (512, 64)],
            ["512 is the store's default: a hash up to that size is a list, which each addition walks through"],
        )
        bench.close()
        meter.close()


FAMILY_COUNTS = (10, 4, 2, 1)


class _Bench:
    """One writer and its peers on one store; each measurement has a namespace of its own."""

    def __init__(self, url: str, meter: Meter) -> None:
        self._url = url
        self._meter = meter
        self._client: Any = connect(url)

    def compared(self, namespace: str, series: int, *, parted: bool) -> tuple[float, list[str]]:
        """Script time per number, and a row of the table."""
        delta, repeats = flush_of(series, FAMILIES, parted=parted), SIZES[series]
        numbers = sum(len(amounts) for amounts in delta.adds.values())
        ours = self.cost(delta, namespace, repeats)
        bare = self.cost(delta, f"{namespace}-bare", repeats, BARE)
        costs = [ours, self._plain(delta, f"{namespace}-multi", repeats, transaction=True)]
        if numbers <= LARGEST_SINGLE:
            costs.append(self._plain(delta, f"{namespace}-single", 5, transaction=False))
        store = [f"{cost.processor_us / numbers:.2f}" for cost in costs]
        client = [f"{cost.client_us / numbers:.2f}" for cost in costs]
        script = [f"{cost.script_us / numbers:.2f}" for cost in (ours, bare)]
        missing = ["-"] * (3 - len(costs))
        return ours.script_us / numbers, [f"{numbers:,}", *script, *store, *missing, *client, *missing]

    def by_encoding(self, entries: int) -> list[str]:
        """Script time per number of 200 counters, for each number of families, as the store keeps them."""
        before = self._client.config_get("hash-max-listpack-entries")
        self._client.config_set("hash-max-listpack-entries", entries)
        found = [
            self.cost(flush_of(200, count, parted=False), f"encoding-{entries}-{count}", SIZES[200]).script_us / 200
            for count in FAMILY_COUNTS
        ]
        for name, value in before.items():
            self._client.config_set(name, value)
        return [f"{cost:.2f}" for cost in found]

    def cost(self, delta: Delta, namespace: str, repeats: int, script: str | None = None) -> Cost:
        """What one flush costs through `Store.apply`, with another script in the place of apply.lua if one is given."""
        store = Store(self._url, Keys(namespace))
        epoch = store.hello(Hello("bench", "epoch"), {}).epoch
        if script is not None:
            store._apply = self._client.register_script(script)
        numbers = iter(range(10**6))

        def send() -> None:
            number = next(numbers)
            answer = store.apply(Apply(epoch, "bench", number, number + 1, 0, delta))
            assert answer.status == "applied", answer

        send()  # the first one creates the fields
        found = self._meter.cost(send, repeats)
        store.close()
        return found

    def _plain(self, delta: Delta, namespace: str, repeats: int, *, transaction: bool) -> Cost:
        """The same numbers by plain HINCRBY: in one MULTI, or each in a round trip."""
        keys = Keys(namespace)

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


def flush_of(series: int, families: int, *, parted: bool) -> Delta:
    """A flush of so many series of three labels, spread over so many families, in stored units."""
    adds: dict[str, dict[str, float]] = {}
    for number in range(series):
        amounts = adds.setdefault(f"bench_{number % families}:0123abcd", {})
        labels = f'["GET","/v1/route/{number}","200"'
        if parted:
            amounts |= {f'{labels},"sum"]': 250_000 + number, f'{labels},"0.5"]': 1}
        else:
            amounts[f"{labels}]"] = 1 + number % 7
    return Delta(adds=adds, has_parts=frozenset(adds) if parted else frozenset())
