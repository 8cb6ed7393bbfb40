"""Whether the numbers can be trusted, in words; read from real stores."""

from collections.abc import Callable, Iterator

import pytest

from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import EPOCH_FIELD
from fleetmeter.settings import Settings
from fleetmeter.watching.history import History
from fleetmeter.watching.overview import Overview
from fleetmeter.watching.target import Target
from fleetmeter.watching.trust import Level, Trust
from support.proxy import FaultProxy
from support.scraping import BIRTH_US, FixedState
from support.store import StoreAddress


def counter(name: str, *labels: str, unit: str = "") -> Definition:
    """A counter's definition."""
    return Definition.of(name, "counter", "", unit, labels, (), "")


COST = counter("openai_total_cost_usd", "model", unit="usd")


@pytest.fixture
def overview(store: StoreAddress) -> Iterator[Callable[..., Overview]]:
    """Makes overviews of the namespace, through another address if one is given."""
    made: list[Overview] = []

    def make(url: str = store.url) -> Overview:
        made.append(Overview(Target(Settings.from_env({}, url=url, namespace=store.namespace))))
        return made[-1]

    yield make
    for one in made:
        one.close()


def judged(one: Overview) -> Trust:
    """The verdict after one look."""
    one.look()
    return one.trust


def test_before_the_first_look_and_before_the_first_record(overview: Callable[..., Overview]) -> None:
    """Neither yes nor no."""
    one = overview()
    assert one.trust.level is Level.EMPTY
    assert judged(one) == Trust(
        Level.EMPTY, "Nothing has been recorded yet", ("The first replica that records begins it.",)
    )


def test_a_fleet_that_hands_over_everything(store: StoreAddress, overview: Callable[..., Overview]) -> None:
    """Yes, without a reason."""
    with FixedState(store) as state:
        state.writer("w1", "pod-1", 7)
        state.family(COST, {("m",): 5})
        assert judged(overview()) == Trust(
            Level.YES, "Yes: every replica hands over its counts, and all of them were read"
        )


@pytest.mark.parametrize(
    ("definition", "numbers", "words"),
    [
        (counter("fleetmeter_lost_batches"), {(): 2}, "2 batches were lost by the store"),
        (counter("openai_unpriced_calls", "model"), {("m-9",): 3}, "3 answered calls have no price (m-9)"),
        (counter("fleetmeter_dropped_series", "family"), {("jobs",): 4}, "4 series had no place (jobs)"),
        (counter("fleetmeter_rejected_values", "reason"), {("nan",): 1}, "1 values could not be recorded"),
    ],
)
def test_what_is_missing_from_the_sums_is_a_reservation(
    definition: Definition, numbers: dict[tuple[str, ...], object], words: str, store: StoreAddress,
    overview: Callable[..., Overview],
) -> None:  # fmt: skip
    """Each is told with its number; the dashboards' orange is one of them."""
    with FixedState(store) as state:
        state.writer("w1", "pod-1", 7)
        state.family(COST, {("m",): 5})
        state.family(definition, numbers)
        trust = judged(overview())
        assert trust.level is Level.PARTLY
        assert [reason for reason in trust.reasons if words in reason]
        assert ("not all cost is known" in trust.headline) == ("unpriced" in definition.name)


def test_a_silent_replica_is_a_reservation(store: StoreAddress, overview: Callable[..., Overview]) -> None:
    """One that said no goodbye may have had counts; one that did has handed them over."""
    with FixedState(store) as state:
        state.writer("w1", "pod-1", 7)
        state.writer("w2", "pod-2", 7, heartbeat_us=BIRTH_US)
        trust = judged(overview())
        assert trust.level is Level.PARTLY
        assert trust.reasons[0].startswith("1 replica is silent since ")


def test_what_cannot_be_read_forbids_trust(store: StoreAddress, overview: Callable[..., Overview]) -> None:
    """A key of another type in the place of a family, and a lost epoch: no, with the key's name."""
    client = store.client()
    with FixedState(store) as state:
        state.writer("w1", "pod-1", 7)
        state.family(COST)
        client.set(store.keys.family(COST.field), "text")
        trust = judged(overview())
        assert trust.level is Level.NO
        assert "openai_total_cost_usd" in trust.reasons[0]
        client.delete(store.keys.family(COST.field))
        client.hdel(store.keys.writers, EPOCH_FIELD)
        assert "no epoch" in judged(overview()).reasons[0]
    client.close()


def test_what_others_found_forbids_trust(store: StoreAddress, overview: Callable[..., Overview]) -> None:
    """A failed check of `doctor` stands before everything else."""
    with FixedState(store) as state:
        state.writer("w1", "pod-1", 7)
        one = overview()
        one.failures = ["eviction: allkeys-lru; the store may delete counts."]
        assert judged(one).level is Level.NO
        assert one.trust.reasons[0].startswith("eviction: ")


def test_a_store_that_is_away_is_said_with_the_time_of_the_last_sight(
    store: StoreAddress, overview: Callable[..., Overview]
) -> None:
    """No, why, and that what is shown is old; when it is back, yes again."""
    with FixedState(store) as state, FaultProxy(store.url) as proxy:
        state.writer("w1", "pod-1", 7)
        one = overview(proxy.url())
        assert judged(one).level is Level.YES
        proxy.refuse()
        trust = judged(one)
        assert (trust.level, trust.headline) == (Level.NO, "No: the store cannot be read")
        assert trust.reasons[1].startswith("What is shown was read at ")
        proxy.accept()
        assert judged(one).level is Level.YES
        assert one.history.seconds > 0


def test_a_store_that_went_back_is_told(store: StoreAddress, overview: Callable[..., Overview]) -> None:
    """A total that became smaller is a reservation for ten minutes."""
    with FixedState(store) as state:
        state.writer("w1", "pod-1", 7)
        state.family(COST, {("m",): 5_000_000_000})
        one = overview()
        one.look()
        state.family(COST, {("m",): 4_000_000_000})
        assert "a total became smaller" in judged(one).reasons[0]
        assert isinstance(one.history, History)
