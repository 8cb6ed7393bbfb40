"""What a store holds, or an exporter shows, in the ledger's numbers."""

from chaos.judge import Scrape
from chaos.ledger import BOUNDS, BUCKETS
from fleetmeter.errors import StoreError
from fleetmeter.reader.families import families_of
from fleetmeter.reader.reading import Reader
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.rows import Row
from support.exposition import Series, total
from support.fleet import samples_of
from support.store import StoreAddress


def shown(scrape: Scrape) -> dict[str, int]:
    """What a scrape shows."""
    return numbers_of(scrape.samples)


def rows_of(address: StoreAddress) -> tuple[int, list[Row]]:
    """The time (store's clock, µs; 0 where it cannot be read) and the rows of all writers."""
    try:
        snapshot = _snapshot(address)
    except StoreError:
        return 0, []
    return snapshot.taken_us, list(snapshot.rows.values())


def stored(address: StoreAddress) -> tuple[dict[str, int], int]:
    """What a store holds now, and how many batches of all its writers are in it. Raises `StoreError`."""
    snapshot = _snapshot(address)
    families = {family.definition.name: family for family in families_of(snapshot)}
    return numbers_of(samples_of(families)), sum(row.applied for row in snapshot.rows.values())


def formats_of(address: StoreAddress) -> set[str]:
    """How the store keeps the counts of the writers: `fields`, `packed`, or both. Raises `StoreError`."""
    definitions = [stored.definition for stored in _snapshot(address).definitions]
    return {"packed" if one.packed else "fields" for one in definitions if one.name.startswith("chaos_")}


def _snapshot(address: StoreAddress) -> Snapshot:
    reader = Reader(address.url, address.namespace)
    try:
        return reader.read()
    finally:
        reader.close()


def numbers_of(samples: dict[Series, float]) -> dict[str, int]:
    """What samples say, whoever had them."""
    numbers = {
        "left": round(total(samples, "chaos_left_total")),
        "right": round(total(samples, "chaos_right_total")),
        "records": round(total(samples, "chaos_records_total")),
        "nanodollars": round(total(samples, "chaos_cost_usd_total") * 1e9),
        "microseconds": round(total(samples, "chaos_seconds_sum") * 1e6),
    }
    below = 0
    for name, bound in zip(BUCKETS, (*map(str, BOUNDS), "+Inf"), strict=True):
        upto = round(total(samples, "chaos_seconds_bucket", le=bound))
        numbers[name], below = upto - below, upto
    return numbers
