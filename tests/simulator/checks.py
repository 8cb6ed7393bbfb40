"""The invariants of DESIGN.md 8, as they are checked after every step, and what they exempt."""

from fleetmeter.schema.keys import EPOCH_FIELD
from simulator.ledger import FORMATS, ONES, missing, number_of
from simulator.numbers import check_numbers
from simulator.replica import Replica
from simulator.stored import GHOST, KEYS, LAYOUTS, amount, counted, numbers
from simulator.world import Master, Violation, World


def check_store(world: World, master: Master) -> None:
    """Nothing is counted twice, and what was recorded together is there together."""
    hashes = master.hashes
    if not hashes.names():
        return
    paid = counted(hashes)
    if paid >> 1 & ONES & ~world.doubtful:
        raise Violation(f"doubled: {number_of(paid >> 1 & ONES & ~world.doubtful)} records are counted twice")
    epoch = hashes.hash(KEYS.writers).get(EPOCH_FIELD, "").partition(" ")[0]
    if paid & world.forbidden.get(epoch, 0) & ~world.doubtful:
        raise Violation("doubled: what was counted before a reset is counted again after it")
    if "removable" not in hashes.derived:
        hashes.derived["removable"] = sum(amount(hashes, families.gone) for families in FORMATS)
    if hashes.derived["removable"] >> 1 & ONES & ~world.doubtful:
        raise Violation("doubled: a record is counted twice in a series that was removed once")
    if "checked" in hashes.derived:
        return
    hashes.derived["checked"] = 1
    here = {key: value for key in (GHOST, *LAYOUTS) if (value := hashes.value(key)) is not None}
    if here.keys() != master.checked.keys() or any(here[key] is not master.checked[key] for key in here):
        check_numbers(world, hashes)
        master.checked = here


def check_caught_up(world: World, replica: Replica, master: Master) -> None:
    """After a flush that went well, the store has everything that the replica recorded, or it is counted as lost."""
    if replica.exchange.has_work or replica.waiting:
        raise Violation("stuck: a flush that went well left something behind")
    present = counted(master.hashes)
    lacking = [batch for batch in replica.batches if missing(batch & ~world.excused & ~world.evicted, present)]
    exempt = world.excused | world.evicted | world.doubtful
    if any(missing(batch, present) != batch for batch in lacking if not batch & exempt):
        raise Violation("torn: a batch was applied in part")
    if len(lacking) > replica.lost:
        raise Violation(f"lost: {len(lacking)} batches of a living writer are missing, {replica.lost} counted as lost")
    if replica.lost and not world.switches:
        raise Violation(f"lost: {replica.lost} batches are counted as lost, and the store never lost any")
    row = master.hashes.hash(KEYS.writers).get(replica.writer.id)
    if row is None or int(row.split(" ")[0]) != replica.writer.seq:
        raise Violation(f"stuck: the row is {row!r}, the writer's newest batch {replica.writer.seq}")
    if len(lacking) > int(row.split(" ")[1]) and not replica.returned:
        raise Violation(f"lost: {len(lacking)} batches are missing, the row says {row}")
    _check_series(replica, master)


def _check_series(replica: Replica, master: Master) -> None:
    """Every series of a living writer is in the store, at 0 at least, with its definition."""
    if not replica.accumulator.awake or replica.world.evictions:
        return
    definitions = master.hashes.hash(KEYS.families)
    for definition in replica.cells.families:
        if definition.field not in definitions:
            raise Violation(f"lost: the definition of {definition.name}")
    for own, *both in zip(replica.cells.families, *FORMATS, strict=True):
        there = {field for definition in both for field in numbers(master.hashes, definition)}
        if not there.issuperset(replica.cells.series[own.field]):
            raise Violation(f"lost: a series of {own.name} that exists in a replica")


def check_settled(world: World, replicas: list[Replica]) -> None:
    """Once all is quiet: whatever is missing is exempt, for each process by the reason that holds for it."""
    present = counted(world.master().hashes)
    for replica in replicas:
        known = replica.past | replica.everything & ~replica.in_flight
        exempt = world.excused | world.evicted | replica.given_up | replica.doubtful | world.vanished
        if missing(known & ~exempt, present):
            raise Violation(f"lost: records of {replica.name} that no store ever lost")
