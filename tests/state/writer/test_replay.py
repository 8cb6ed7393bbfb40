"""The log of acknowledged batches: what is sent again is the exact sum of what is asked for, in bounded memory."""

import random

from fleetmeter.schema.packing import Shape
from fleetmeter.values.delta import Delta
from fleetmeter.writer.replay import ReplayLog


def batch(**amounts: float) -> Delta:
    """A batch of one family."""
    return Delta(adds={"f": amounts}, has_parts=frozenset("f"))


def test_the_sum_after_any_number_is_exact() -> None:
    """Whole numbers beyond 2^53 and fractions come out as they went in, series at 0 included."""
    log = ReplayLog()
    amounts: list[dict[str, float]] = [{"a": 2**62, "z": 0}, {"a": 2**62, "b": 0.1}, {"b": 0.2, "c": -3}]
    for each in amounts:
        log.append(batch(**each), 0.0)
    assert log.after(0).adds == {"f": {"a": 2**63, "b": 0.1 + 0.2, "c": -3, "z": 0}}
    assert log.after(2).adds == {"f": {"b": 0.2, "c": -3}}
    assert log.after(1).has_parts == {"f"}


def test_what_is_newest_is_added_on_top() -> None:
    """The batch in flight goes with what is sent again, and its own words once."""
    log = ReplayLog()
    log.append(batch(a=1), 0.0)
    newest = Delta(adds={"f": {"a": 2}}, definitions={"f": "{}"})
    assert log.after(0, newest) == Delta({"f": {"a": 3}}, frozenset("f"), {"f": "{}"})
    assert log.after(1, newest) is newest


def test_old_batches_go_when_one_is_acknowledged_and_not_before() -> None:
    """An hour is kept; time alone takes nothing away, so that an outage costs nothing."""
    log = ReplayLog(keep_seconds=3600.0)
    for at in (0.0, 10.0, 20.0):
        log.append(batch(a=1), at)
    assert (log.base, log.newest) == (0, 3)
    log.append(batch(a=1), 3615.0)
    assert (log.base, log.newest, log.after(0).adds) == (2, 4, {"f": {"a": 2}})


def test_the_log_holds_no_more_than_it_may() -> None:
    """Whatever is recorded, its bytes stay below the bound, and the newest batches are the ones that are kept."""
    numbers = random.Random(5)
    log = ReplayLog(keep_bytes=20_000)
    for _ in range(300):
        log.append(batch(**{f"s{numbers.random()}": numbers.randrange(10**9) for _ in range(20)}), 0.0)
        assert log.size <= 20_000
    assert 0 < log.base < log.newest == 300
    assert len(log.after(log.newest - 1).adds["f"]) == 20


def test_a_batch_larger_than_the_log_is_not_kept() -> None:
    """The bound holds for a single batch too."""
    log = ReplayLog(keep_bytes=10)
    log.append(batch(a=1), 0.0)
    assert (log.base, log.newest, log.size) == (1, 1, 0)


def test_forgetting_starts_after_a_number() -> None:
    """What a former life of the namespace acknowledged is never sent to the next one."""
    log = ReplayLog()
    log.append(batch(a=1), 0.0)
    log.forget(7)
    assert (log.base, log.newest, log.size, log.after(0)) == (7, 7, 0, Delta())


def test_packed_amounts_keep_their_size_and_their_shapes() -> None:
    """Whole numbers of any size are sent again as they were, into blocks of every shape that they went to."""
    narrow, wide = (Shape(3, ("sum", *bounds, "+Inf")) for bounds in ((), ("1.0",)))
    log = ReplayLog()
    for shape in (narrow, wide):
        log.append(Delta(adds={"f": {'["sum"]': 10**45 + 1}}, shapes={"f": (shape,)}), 0.0)
    log.append(batch(a=1), 0.0)
    again = log.after(0, Delta(adds={"g": {"[]": 1}}, shapes={"g": (narrow,), "f": (wide,)}))
    assert again.shapes == {"f": (narrow, wide), "g": (narrow,)}
    assert again.adds == {"f": {'["sum"]': 2 * 10**45 + 2, "a": 1}, "g": {"[]": 1}}
    assert log.after(0).shapes == {"f": (narrow, wide)}
    assert log.after(3, Delta(adds={"g": {"[]": 1}})).shapes == {}
