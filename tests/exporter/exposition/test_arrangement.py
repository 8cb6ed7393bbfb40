"""Rows in their order."""

from hypothesis import given
from hypothesis import strategies as st

from fleetmeter_exporter.exposition.arrangement import Arrangement, of_rows


@given(st.sets(st.text("abc", max_size=3), max_size=9), st.sets(st.text("abc", max_size=3), max_size=9))
def test_first_rows_in_order_are_as_those_of_any_order(first: set[str], later: set[str]) -> None:
    """What they are, what the change did to them, and what a later change makes of them."""
    keys, added = sorted(first), sorted(later - first, reverse=True)
    begun, changed = Arrangement([1]), Arrangement([1])
    begun.begin(keys, [of_rows(keys)])
    changed.change((), keys, [of_rows(keys)])
    for _ in range(2):
        assert (begun.keys, begun.texts, begun.ranks()) == (changed.keys, changed.texts, changed.ranks())
        assert begun.carried([], "x") == changed.carried([], "x")
        for one in (begun, changed):
            one.change((), added, [of_rows(added)])
        added = []
