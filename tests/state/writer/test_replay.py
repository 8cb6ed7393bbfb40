"""The log of acknowledged batches: what is sent again is the exact sum of what is asked for, in bounded memory."""

import random
import tracemalloc
from collections import Counter

from fleetmeter.schema.packing import Shape
from fleetmeter.values.delta import Delta
from fleetmeter.writer.replay import BUNDLE, KEEP_BYTES, ReplayLog
from support.reachable import reachable


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


def busy(numbers: random.Random) -> Delta:
    """A batch of a gateway under load: 100 numbers of 10 families, with the same names in each batch."""
    return Delta(
        adds={
            f"openai_request_duration_seconds_{family}:0123abcd": {
                f'["chat.completions","general","gpt-6-luna","{bucket}"]': numbers.randrange(1_000)
                for bucket in range(10)
            }
            for family in range(10)
        }
    )


def test_the_sum_after_any_number_is_exact_whatever_was_packed_together() -> None:
    """From each number on, also from the midst of a bundle, while old batches go: the sum of those that are kept."""
    numbers = random.Random(3)
    log = ReplayLog(keep_seconds=50.0)
    amounts: list[int] = []
    for at in range(5 * BUNDLE + 3):
        amounts.append(numbers.randrange(10**20))
        log.append(batch(a=amounts[-1]), float(at))
        if at % 7 == 0:
            for number in range(log.base, log.newest):
                assert log.after(number).adds == {"f": {"a": sum(amounts[number:])}}
    assert 0 < log.base <= log.newest - 51


def test_an_hour_of_a_gateway_under_load_is_in_the_log() -> None:
    """Of 14,400 batches of 100 numbers, four a second, a tenth takes a tenth of the bound, in an object for 16 each."""
    numbers = random.Random(7)
    log = ReplayLog()
    held = reachable(log)
    for number in range(4 * 360):
        log.append(busy(numbers), number / 4)
    assert (log.base, log.newest) == (0, 4 * 360)
    assert log.size < KEEP_BYTES / 10
    assert reachable(log) - held < 4 * (log.newest / BUNDLE + BUNDLE)


def test_large_batches_go_one_by_one() -> None:
    """Batches of which a few fill the log are not packed together, so that the newest of them always stay."""
    numbers = random.Random(9)
    log, largest = ReplayLog(keep_bytes=100_000), 0
    for _ in range(5 * BUNDLE):
        before = log.size
        log.append(batch(**{f"s{numbers.random()}": 1 for _ in range(500)}), 0.0)
        largest = max(largest, log.size - before)
        assert log.base == 0 or log.size > 100_000 - 2 * largest
    assert 0 < log.base < log.newest - 5


def test_sending_everything_again_takes_the_memory_of_a_few_batches() -> None:
    """A store that lost an hour is told its sum, which takes little; not the hour's batches side by side."""
    numbers = random.Random(11)
    log = ReplayLog()
    amounts: Counter[str] = Counter()
    for _ in range(1_000):
        delta = busy(numbers)
        log.append(delta, 0.0)
        for names in delta.adds.values():
            amounts.update(names)
    tracemalloc.start()
    again = log.after(0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(amount for names in again.adds.values() for amount in names.values()) == sum(amounts.values())
    assert most < 1_000_000, "unpacked, the batches take more than 5 MB"


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
