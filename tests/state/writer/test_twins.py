"""Two processes that share an id, as the copy of a running machine and its original do, on a real store."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import count

import pytest

from fleetmeter.schema.definition import Definition
from support.fleet import Replica, value
from support.store import StoreAddress

PAID = Definition.of("twins_paid", "counter", "Each amount is a power of two.", "", (), (), "")


class Twins:
    """A replica and its copy, which had handed over everything when they became two."""

    def __init__(self, store: StoreAddress) -> None:
        self._store = store
        self._client = store.client()
        self._amounts = (1 << place for place in count())
        self.recorded = 0
        self.pair = (Replica(store), Replica(store))
        self._cells = [replica.cell(PAID) for replica in self.pair]
        original, copy = (replica.writer for replica in self.pair)
        self.hand_over(0)
        outside = ("_new_id", "_new_token", "_clock")
        vars(copy).update(deepcopy({name: part for name, part in vars(original).items() if name not in outside}))

    def hand_over(self, *which: int) -> None:
        """Each of these records an amount that nobody has recorded, and flushes."""
        for index in which:
            amount = next(self._amounts)
            self.recorded += amount
            self._cells[index].inc(amount)
            assert self.pair[index].flush()

    def saved(self) -> Callable[[], None]:
        """What brings the store back to its present state."""
        keys = self._client.keys("{fm:" + self._store.namespace + ":0}:*")
        state = {key: self._client.dump(key) for key in keys}

        def restore() -> None:
            self._client.delete(*self._client.keys("{fm:" + self._store.namespace + ":0}:*"))
            for key, content in state.items():
                self._client.restore(key, 0, content)

        return restore

    @property
    def counted(self) -> float | None:
        """What the fleet counts."""
        return value(self._store, "twins_paid_total")

    def close(self) -> None:
        """Close all connections."""
        for replica in self.pair:
            replica.close()
        self._client.close()


@pytest.fixture
def twins(store: StoreAddress) -> Iterator[Twins]:
    """A replica that has handed over one record, and its copy."""
    twins = Twins(store)
    yield twins
    twins.close()


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0, 1), (1, 1, 0, 1)])
def test_each_record_of_two_copies_counts_once(twins: Twins, order: tuple[int, ...]) -> None:
    """Whoever comes second finds the other's batch under its id, and takes another."""
    before = twins.pair[0].writer.id
    twins.hand_over(*order)
    assert twins.counted == twins.recorded
    ids = [replica.writer.id for replica in twins.pair]
    assert len(set(ids)) == 2
    assert ids[order[0]] == before


@pytest.mark.parametrize("order", [(1, 0), (0, 1), (1, 0, 1, 0)])
def test_a_store_that_goes_back_does_not_confuse_two_copies(twins: Twins, order: tuple[int, ...]) -> None:
    """One handed over, the store lost it, and the copy was first then: equal numbers, and different tokens."""
    restore = twins.saved()
    twins.hand_over(0)
    restore()
    twins.hand_over(*order)
    assert twins.counted == twins.recorded


def test_a_store_that_goes_back_again_and_again_does_not_confuse_two_copies(twins: Twins) -> None:
    """To before they differed, and to before both ids were there: what they handed over since is sent again."""
    beginning = twins.saved()
    twins.hand_over(0)
    for order in ((1, 0), (0, 1), (1, 0, 1)):
        beginning()
        twins.hand_over(*order)
        assert twins.counted == twins.recorded
