"""Floors: numbers that were served already, below which nothing is shown.

If 120 was served and the store has 100, the floor is 120. It is shown until the store has at least that.
"""

from collections.abc import Iterable, Mapping

from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.numbers import Numbers
from fleetmeter.reader.packed import PackedNumbers
from fleetmeter.schema.definition import series_key


class Floors:
    """Served numbers that are missing in the store, or lower there."""

    def __init__(self, numbers: Numbers | None = None) -> None:
        self._numbers = {layout: group for layout, group in (numbers or {}).items() if group}

    @property
    def count(self) -> int:
        """How many numbers the store is behind with."""
        return sum(map(len, self._numbers.values()))

    @property
    def families(self) -> Iterable[str]:
        """The layouts that have floors."""
        return self._numbers.keys()

    def without_new_sums(self, before: "Floors", served: Numbers, stored: Numbers) -> "Floors":
        """The floors without sums that went down because negative amounts were observed.

        A summary may observe -5, so its sum may go from 20 to 15 while its count goes up by one: that is no loss. A sum
        that is missing, or that is lower though nothing was observed in between, is lost. A sum that had a floor before
        keeps it.
        """
        kept = dict(self._numbers)
        for layout, group in self._numbers.items():
            if not all(number.endswith(b'"sum"]') for number in group):
                continue
            had, here = before.numbers_of(layout), stored.get(layout, {})
            observed = _observed(served[layout], here)
            kept[layout] = {
                number: text
                for number, text in group.items()
                if number in had or number not in here or series_key(number, has_part=True) not in observed
            }
        return Floors(kept)

    def numbers_of(self, layout: str) -> Mapping[bytes, bytes]:
        """The floors of one layout."""
        return self._numbers.get(layout, {})

    def under(self, twins: Mapping[str, str]) -> "Floors":
        """The same floors, those of a layout that has another format under that one."""
        return Floors({twins.get(layout, layout): group for layout, group in self._numbers.items()})

    def raised(self, stored: Numbers) -> Numbers:
        """The stored numbers, none of them below its floor."""
        raised = dict(stored)
        for layout, group in self._numbers.items():
            raised[layout] = {**raised.get(layout, {}), **group}
        return raised


def lost_numbers(served: Numbers, stored: Numbers) -> Floors:
    """Every served number that the store lacks, or that is lower there, or that is no number any more."""
    return Floors({layout: _below(stored.get(layout, {}), group) for layout, group in served.items()})


def _below(stored: Mapping[bytes, bytes], served: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    if isinstance(stored, PackedNumbers) and isinstance(served, PackedNumbers):
        return stored.below(served)
    return Hash.of(stored).below(Hash.of(served))


def _observed(served: Mapping[bytes, bytes], stored: Mapping[bytes, bytes]) -> set[bytes]:
    """The series of which a count or a bucket changed, so that its sum may have changed too.

    One that is missing is 0: a packed block has all parts, a hash those that were counted.
    """
    return {
        series_key(number, has_part=True)
        for number, text in stored.items()
        if text != served.get(number, b"0") and not number.endswith(b'"sum"]')
    }
